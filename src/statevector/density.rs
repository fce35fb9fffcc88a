//! Density matrices: circuits with noise, exactly.
//!
//! `rho` is kept as the amplitudes of `2 n` bits, the row in the upper ones. A gate acts on the row
//! bits and, conjugated, on the column bits; a channel is one matrix `sum_k K_k (x) conj(K_k)` on
//! both. So each costs `O(4^n)`, never a product of whole matrices.

use super::amplitudes;
use crate::circuit::{Channel, NoisyCircuit, Observable, Operation, Step};
use crate::error::{Error, ErrorKind};
use num_complex::Complex64;

/// The largest number of qubits of a density matrix: 4^13 entries, 1 GiB.
pub const MAX_QUBITS: usize = 13;

/// A mixed state of `n_qubits` qubits.
///
/// ```
/// use burn_quantum::circuit::{Channel, Circuit, NoisyCircuit, PauliString};
/// use burn_quantum::statevector::DensityMatrix;
///
/// let mut circuit = Circuit::new(1);
/// circuit.x(0);
/// let decayed = NoisyCircuit::after_every_gate(circuit, &Channel::amplitude_damping(0.1)?);
/// let rho = DensityMatrix::new(&decayed, &[], &[])?;
/// assert!((rho.expectation(&PauliString::z(0).into())? + 0.8).abs() < 1e-15);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DensityMatrix {
    n_qubits: usize,
    /// Row-major: `rho[i, j]` at `i 2^n + j`.
    entries: Vec<Complex64>,
}

impl DensityMatrix {
    /// The state of a noisy circuit for the features of one sample.
    ///
    /// Cost `O(4^n_qubits)` for each gate and channel.
    ///
    /// # Errors
    ///
    /// When there are more than [`MAX_QUBITS`] qubits, before any memory is taken; when a slice
    /// has the wrong length, or holds NaN or infinity.
    pub fn new(circuit: &NoisyCircuit, inputs: &[f64], weights: &[f64]) -> Result<Self, Error> {
        let n_qubits = circuit.circuit().n_qubits();
        check_size(n_qubits)?;
        let bound = circuit.bind(inputs, weights)?;
        let mut rho = Self { n_qubits, entries: amplitudes::zero_state(2 * n_qubits) };
        for step in bound.steps() {
            match step {
                Step::Operation(operation) => rho.apply(operation),
                Step::Noise(noise) => rho.apply_channel(&noise.channel, &noise.qubits),
            }
        }
        Ok(rho)
    }

    /// `U rho U^dagger`.
    fn apply(&mut self, operation: &Operation) {
        let (n, controls) = (self.n_qubits, amplitudes::mask(operation.controls()));
        let matrix = amplitudes::target_matrix(operation);
        let conjugate: Vec<_> = matrix.iter().map(|z| z.conj()).collect();
        let rows: Vec<_> = operation.targets().iter().map(|q| q + n).collect();
        amplitudes::apply(&mut self.entries, &matrix, &rows, controls << n);
        amplitudes::apply(&mut self.entries, &conjugate, operation.targets(), controls);
    }

    /// `sum_k K_k rho K_k^dagger`.
    fn apply_channel(&mut self, channel: &Channel, qubits: &[usize]) {
        let rows = qubits.iter().map(|q| q + self.n_qubits);
        let bits: Vec<_> = qubits.iter().copied().chain(rows).collect();
        amplitudes::apply(&mut self.entries, &superoperator(channel), &bits, 0);
    }

    /// The number of qubits.
    pub fn n_qubits(&self) -> usize {
        self.n_qubits
    }

    /// The matrix, row-major, qubit 0 the least significant bit of both indices.
    pub fn entries(&self) -> &[Complex64] {
        &self.entries
    }

    /// The diagonal: the probability of each basis state.
    pub fn probabilities(&self) -> Vec<f64> {
        let dim = 1 << self.n_qubits;
        (0..dim).map(|i| self.entries[i * dim + i].re).collect()
    }

    /// `tr(rho^2)`: 1 for a pure state, `2^-n_qubits` for the most mixed one.
    pub fn purity(&self) -> f64 {
        self.entries.iter().map(|z| z.norm_sqr()).sum()
    }

    /// `tr(O rho)`.
    ///
    /// # Errors
    ///
    /// When the observable acts on a qubit that the state does not have.
    pub fn expectation(&self, observable: &Observable) -> Result<f64, Error> {
        check_observable(observable, self.n_qubits)?;
        let dim = 1 << self.n_qubits;
        let term = |&(c, p): &(f64, crate::circuit::PauliString)| {
            let diagonal = (0..dim).map(|i| p.phase(i) * self.entries[i * dim + (i ^ p.x)]);
            c * diagonal.sum::<Complex64>().re
        };
        Ok(observable.terms().iter().map(term).sum())
    }
}

/// `S[(r, c), (r', c')] = sum_k K_k[r, r'] conj(K_k[c, c'])`, the row in the upper bits.
fn superoperator(channel: &Channel) -> Vec<Complex64> {
    let n = channel.n_qubits();
    let (dim, low) = (1usize << n, (1 << n) - 1);
    let entry = |i: usize, j: usize| -> Complex64 {
        let product = |k: &Vec<Complex64>| {
            k[(i >> n) * dim + (j >> n)] * k[(i & low) * dim + (j & low)].conj()
        };
        channel.kraus().iter().map(product).sum()
    };
    (0..dim * dim)
        .flat_map(|i| (0..dim * dim).map(move |j| (i, j)))
        .map(|(i, j)| entry(i, j))
        .collect()
}

pub(super) fn check_observable(observable: &Observable, n_qubits: usize) -> Result<(), Error> {
    if observable.n_qubits() <= n_qubits {
        return Ok(());
    }
    let qubit = observable.n_qubits() - 1;
    Err(ErrorKind::QubitOutOfRange { qubit, n_qubits }.into())
}

fn check_size(given: usize) -> Result<(), Error> {
    if given <= MAX_QUBITS {
        return Ok(());
    }
    Err(ErrorKind::TooManyQubits {
        given,
        limit: MAX_QUBITS,
        method: "density matrices",
        log2_bytes: 2 * given + 4,
        remedy: "use `statevector::trajectories`",
    }
    .into())
}
