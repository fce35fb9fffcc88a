//! Expectation values from any sampler of circuits.

use super::grouping::{Group, groups};
use super::sampler::{check_qubits, counts};
use super::{Circuit, CircuitSampler, MAX_QUBITS, Observable, ReadoutErrors};
use crate::error::{Error, ErrorKind, length};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Means of random numbers, over shots or trajectories, and their standard errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate<T> {
    /// Unbiased estimates of the expectation values.
    pub values: Vec<T>,
    /// The standard error of each value, from the spread of the numbers.
    pub standard_errors: Vec<T>,
}

impl Estimate<f64> {
    /// From means and the squares of their standard errors.
    pub(crate) fn of_moments(moments: impl Iterator<Item = (f64, f64)>) -> Self {
        let (values, squares): (Vec<f64>, Vec<f64>) = moments.unzip();
        Self { values, standard_errors: squares.into_iter().map(f64::sqrt).collect() }
    }
}

/// How a sampler measures.
///
/// ```
/// use burn_quantum::circuit::{CircuitShots, ReadoutErrors};
///
/// let errors = ReadoutErrors::new([[0.01, 0.03]; 4])?;
/// let shots = CircuitShots::new(1000).with_mitigation(errors);
/// assert_eq!(shots.n_shots, 1000);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CircuitShots {
    /// The number of shots of each circuit, 2 or more.
    pub n_shots: usize,
    /// The errors of the read-out to take out of expectation values.
    pub mitigation: Option<ReadoutErrors>,
}

impl CircuitShots {
    /// Without mitigation.
    pub fn new(n_shots: usize) -> Self {
        Self { n_shots, mitigation: None }
    }

    /// The same, with these errors of the read-out taken out.
    pub fn with_mitigation(self, errors: ReadoutErrors) -> Self {
        Self { mitigation: Some(errors), ..self }
    }

    /// The signs of qubits in a parity, checked to suffice.
    fn signs(&self, n_qubits: usize) -> Result<Option<Vec<[f64; 2]>>, Error> {
        check_shots(self.n_shots)?;
        let Some(errors) = &self.mitigation else { return Ok(None) };
        if errors.flips().len() < n_qubits {
            let (expected, actual) = (n_qubits, errors.flips().len());
            let what = "the list of read-out errors, one for each qubit,";
            return Err(ErrorKind::WrongLength { what, expected, actual }.into());
        }
        errors.signs().map(Some)
    }
}

/// Refuses numbers of shots that have no spread.
pub(crate) fn check_shots(shots: usize) -> Result<(), Error> {
    if shots >= 2 {
        return Ok(());
    }
    let (what, value) = ("the number of shots".into(), shots as f64);
    Err(ErrorKind::OutOfRange { what, value, range: "2 or more" }.into())
}

/// A circuit with its observables, ready to be measured by any [`CircuitSampler`].
///
/// The Pauli strings of all observables are collected, in order, into groups that commute qubit by
/// qubit. Each group is a circuit of its own, with the rotation of its basis onto `Z` appended, and
/// all its strings come from the same shots.
///
/// ```
/// use burn_quantum::circuit::{Angle, Circuit, CircuitShots, MeasuredCircuit, Observable};
/// use burn_quantum::statevector::ShotSimulator;
///
/// let mut circuit = Circuit::new(2);
/// circuit.ry(Angle::Input(0), 0).cnot(0, 1);
/// let energy = Observable::new([(1.0, "X0 X1".parse()?), (0.5, "Z0".parse()?)])?;
/// let measured = MeasuredCircuit::new(&circuit, &[energy])?;
/// assert_eq!(measured.n_measurement_bases(), 2);
///
/// let (device, shots) = (ShotSimulator::new(2026), CircuitShots::new(10_000));
/// let estimate = measured.estimate(&device, 1, &[0.3], &[], &shots)?;
/// let exact = 0.3f64.sin() + 0.5 * 0.3f64.cos();
/// assert!((estimate.values[0] - exact).abs() < 5.0 * estimate.standard_errors[0]);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MeasuredCircuit {
    circuit: Circuit,
    groups: Vec<Group>,
    n_observables: usize,
}

impl MeasuredCircuit {
    /// Groups the observables.
    ///
    /// # Errors
    ///
    /// When an observable acts on a qubit that the circuit does not have, or the circuit has more
    /// qubits than a basis index has bits.
    pub fn new(circuit: &Circuit, observables: &[Observable]) -> Result<Self, Error> {
        let n_qubits = circuit.n_qubits();
        if n_qubits > MAX_QUBITS {
            let qubit = n_qubits - 1;
            return Err(ErrorKind::QubitOutOfRange { qubit, n_qubits: MAX_QUBITS }.into());
        }
        if let Some(o) = observables.iter().find(|o| o.n_qubits() > n_qubits) {
            let qubit = o.n_qubits() - 1;
            return Err(ErrorKind::QubitOutOfRange { qubit, n_qubits }.into());
        }
        let (circuit, groups) = (circuit.clone(), groups(observables));
        Ok(Self { circuit, groups, n_observables: observables.len() })
    }

    /// The circuit, without rotations.
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// The number of observables.
    pub fn n_observables(&self) -> usize {
        self.n_observables
    }

    /// The number of groups, so of circuits that one sample takes.
    pub fn n_measurement_bases(&self) -> usize {
        self.groups.len()
    }

    /// Whether a sampler takes the circuit and can measure so, found out without a run.
    ///
    /// # Errors
    ///
    /// When the circuit has more qubits than the sampler takes, there are fewer than 2 shots, and
    /// when the mitigation lacks a qubit or would divide by a number close to 0.
    pub fn check(&self, sampler: &dyn CircuitSampler, shots: &CircuitShots) -> Result<(), Error> {
        check_qubits(sampler, self.circuit.n_qubits())?;
        shots.signs(self.circuit.n_qubits()).map(|_| ())
    }

    /// Expectation values and their standard errors, `[batch, n_observables]`, in one call of
    /// [`CircuitSampler::run`] with `batch * n_measurement_bases` circuits.
    ///
    /// Unbiased; with mitigation, up to the errors of the calibration, which the standard errors do
    /// not contain.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), when a slice has the wrong length or holds NaN or infinity, and
    /// where the sampler fails.
    pub fn estimate(
        &self,
        sampler: &dyn CircuitSampler,
        batch: usize,
        inputs: &[f64],
        weights: &[f64],
        shots: &CircuitShots,
    ) -> Result<Estimate<f64>, Error> {
        let bound = self.bind_batch(batch, inputs, weights)?;
        Ok(Estimate::of_moments(self.moments(sampler, &bound, shots)?.into_iter()))
    }

    /// The circuit of each sample of a batch.
    pub(crate) fn bind_batch(
        &self,
        batch: usize,
        inputs: &[f64],
        weights: &[f64],
    ) -> Result<Vec<Circuit>, Error> {
        let width = self.circuit.n_inputs();
        length("inputs", batch * width, inputs.len())?;
        (0..batch).map(|b| self.circuit.bind(&inputs[b * width..][..width], weights)).collect()
    }

    /// `(mean, square of its standard error)` of each observable for each of these circuits,
    /// `[n_circuits, n_observables]`, in one run.
    pub(crate) fn moments(
        &self,
        sampler: &dyn CircuitSampler,
        bound: &[Circuit],
        shots: &CircuitShots,
    ) -> Result<Vec<(f64, f64)>, Error> {
        self.check(sampler, shots)?;
        let signs = shots.signs(self.circuit.n_qubits())?;
        let mut total = vec![(0.0, 0.0); bound.len() * self.n_observables];
        if bound.is_empty() || self.groups.is_empty() {
            return Ok(total);
        }
        let circuits: Vec<Circuit> = bound.iter().flat_map(|c| self.in_each_basis(c)).collect();
        let counts = counts(sampler, &circuits, shots.n_shots)?;
        let rows = total.chunks_mut(self.n_observables).zip(counts.chunks(self.groups.len()));
        for (row, counts) in rows {
            for (group, counts) in self.groups.iter().zip(counts) {
                group.add_moments(&outcomes(counts), signs.as_deref(), row);
            }
        }
        Ok(total)
    }

    fn in_each_basis<'a>(&'a self, bound: &'a Circuit) -> impl Iterator<Item = Circuit> + 'a {
        self.groups.iter().map(|group| {
            let mut circuit = bound.clone();
            group.append_rotations(&mut circuit);
            circuit
        })
    }
}

fn outcomes(counts: &BTreeMap<usize, usize>) -> Vec<(usize, usize)> {
    counts.iter().map(|(&bits, &count)| (bits, count)).collect()
}
