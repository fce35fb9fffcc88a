//! The slow, obvious oracle: whole matrices in double precision.
//!
//! Everything fast in this crate is compared with it. Cost `O(4^n_qubits)` per gate: for tests,
//! and for at most [`MAX_QUBITS`] qubits.

use crate::circuit::{Circuit, Observable, Operation};
use crate::error::{Error, ErrorKind};
use num_complex::Complex64;

/// The largest number of qubits for dense matrices.
pub const MAX_QUBITS: usize = 12;

/// The state of a circuit whose angles are `inputs` and `weights`, by its gates' definitions.
///
/// # Errors
///
/// When there are more than [`MAX_QUBITS`] qubits, or an angle is missing or not finite.
///
/// ```
/// use burn_quantum::{circuit::Circuit, statevector::dense};
///
/// let mut bell = Circuit::new(2);
/// bell.h(0).cnot(0, 1);
/// let state = dense::state(&bell, &[], &[])?;
/// assert!((state[0b11].re - 0.5f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn state(circuit: &Circuit, inputs: &[f64], weights: &[f64]) -> Result<Vec<Complex64>, Error> {
    check_size(circuit.n_qubits())?;
    let bound = circuit.bind(inputs, weights)?;
    let mut state = vec![Complex64::ZERO; 1 << circuit.n_qubits()];
    state[0] = Complex64::ONE;
    for operation in bound.operations() {
        let matrix = matrix(operation, circuit.n_qubits());
        state = apply(&matrix, &state);
    }
    Ok(state)
}

/// The matrix of one operation with constant angles on all qubits, row by row.
///
/// # Panics
///
/// Panics if an angle is not constant.
pub fn matrix(operation: &Operation, n_qubits: usize) -> Vec<Vec<Complex64>> {
    let angles: Vec<f64> = operation.angles().iter().map(|a| a.resolve(&[], &[])).collect();
    let small = operation.gate().info().target_matrix(&angles);
    let (dim, width) = (1usize << n_qubits, 1 << operation.targets().len());
    let targets: usize = operation.targets().iter().map(|q| 1 << q).sum();
    let local = |i: usize| -> usize {
        let bits = operation.targets().iter().enumerate();
        bits.map(|(k, q)| (i >> q & 1) << k).sum()
    };
    let entry = |i: usize, j: usize| {
        let active = operation.controls().iter().all(|q| i >> q & 1 == 1);
        if i & !targets != j & !targets {
            Complex64::ZERO
        } else if active {
            small[local(i) * width + local(j)]
        } else {
            Complex64::new((i == j) as u8 as f64, 0.0)
        }
    };
    (0..dim).map(|i| (0..dim).map(|j| entry(i, j)).collect()).collect()
}

/// The matrix of an observable on all qubits, row by row.
pub fn observable_matrix(observable: &Observable, n_qubits: usize) -> Vec<Vec<Complex64>> {
    let mut matrix = vec![vec![Complex64::ZERO; 1 << n_qubits]; 1 << n_qubits];
    for &(c, p) in observable.terms() {
        (0..1usize << n_qubits).for_each(|i| matrix[i ^ p.x][i] += c * p.phase(i));
    }
    matrix
}

/// The product of two matrices.
pub fn multiply(a: &[Vec<Complex64>], b: &[Vec<Complex64>]) -> Vec<Vec<Complex64>> {
    let entry = |row: &[Complex64], j: usize| row.iter().zip(b).map(|(x, b)| x * b[j]).sum();
    a.iter().map(|row| (0..b[0].len()).map(|j| entry(row, j)).collect()).collect()
}

/// `<state|O|state>`.
pub fn expectation(observable: &Observable, state: &[Complex64]) -> f64 {
    let term = |&(c, p): &(f64, crate::circuit::PauliString)| {
        let amplitude = |i: usize| state[i ^ p.x].conj() * p.phase(i) * state[i];
        c * (0..state.len()).map(amplitude).sum::<Complex64>().re
    };
    observable.terms().iter().map(term).sum()
}

/// `matrix * state`.
pub fn apply(matrix: &[Vec<Complex64>], state: &[Complex64]) -> Vec<Complex64> {
    let row = |row: &Vec<Complex64>| row.iter().zip(state).map(|(m, a)| m * a).sum();
    matrix.iter().map(row).collect()
}

/// `exp(-i t H)` applied to a state, by the Taylor series on intervals with `|H| t <= 1/2`.
pub fn expm_apply(hamiltonian: &[Vec<Complex64>], t: f64, state: &[Complex64]) -> Vec<Complex64> {
    let row_sum = |row: &Vec<Complex64>| row.iter().map(|z| z.norm()).sum::<f64>();
    let norm = hamiltonian.iter().map(row_sum).fold(0.0, f64::max);
    let steps = (2.0 * norm * t.abs()).ceil().max(1.0);
    let mut state = state.to_vec();
    for _ in 0..steps as usize {
        let mut term = state.clone();
        for k in 1..=20 {
            let factor = Complex64::new(0.0, -t / steps / k as f64);
            term = apply(hamiltonian, &term).iter().map(|z| z * factor).collect();
            state.iter_mut().zip(&term).for_each(|(a, b)| *a += b);
        }
    }
    state
}

fn check_size(given: usize) -> Result<(), Error> {
    if given <= MAX_QUBITS {
        return Ok(());
    }
    Err(ErrorKind::TooManyQubits {
        given,
        limit: MAX_QUBITS,
        method: "dense matrices",
        log2_bytes: 2 * given + 4,
        remedy: "use `statevector::Program`",
    }
    .into())
}
