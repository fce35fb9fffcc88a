//! The metric of a circuit's states.

use super::parameter_shift::is_phase;
use crate::circuit::{Angle, Circuit, Operation};
use crate::error::{Error, ErrorKind};
use crate::statevector::{Program, amplitudes};
use num_complex::Complex64;
use rayon::prelude::*;
use std::f64::consts::{FRAC_PI_2, PI};

/// At most `2^MAX_LOG2_AMPLITUDES` amplitudes in all derivative states, 4 GiB.
const MAX_LOG2_AMPLITUDES: usize = 28;

/// The Fubini-Study metric of the weights for one sample, row-major `[n_weights, n_weights]`:
/// `g_ij = Re(<d_i psi|d_j psi> - <d_i psi|psi><psi|d_j psi>)`.
///
/// It measures how far the state moves, whatever the observable: `1 - |<psi|psi'>|^2` is
/// `sum_ij g_ij dw_i dw_j` to second order. A quarter of the quantum Fisher information. Exact,
/// from one derivative state for each weight: time `O(n_weights * n_operations * 2^n_qubits)`,
/// memory `n_weights * 2^n_qubits` amplitudes.
///
/// # Errors
///
/// When the derivative states would take more than 4 GiB, a slice has the wrong length, or holds
/// NaN or infinity.
///
/// # References
///
/// - [Stokes et al. (2020)](https://arxiv.org/abs/1909.02108), who keep the blocks on the
///   diagonal; ours is the whole matrix.
///
/// ```
/// use burn_quantum::circuit::{Angle, Circuit};
/// use burn_quantum::gradient::metric_tensor;
///
/// let mut circuit = Circuit::new(1); // latitude and longitude on the Bloch sphere
/// circuit.rx(Angle::Weight(0), 0).rz(Angle::Weight(1), 0);
/// let g = metric_tensor(&circuit, &[], &[0.8, 0.3])?;
/// assert!((g[0] - 0.25).abs() < 1e-15 && (g[3] - 0.8f64.sin().powi(2) / 4.0).abs() < 1e-15);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn metric_tensor(
    circuit: &Circuit,
    inputs: &[f64],
    weights: &[f64],
) -> Result<Vec<f64>, Error> {
    let bound = circuit.bind(inputs, weights)?;
    let n = weights.len();
    check_memory(circuit.n_qubits(), n)?;
    let state = Program::new(&bound, &[])?.state::<f64>(&[], &[])?;
    let derivatives: Vec<Vec<Complex64>> =
        (0..n).into_par_iter().map(|i| derivative(circuit, &bound, Angle::Weight(i))).collect();
    let along: Vec<Complex64> =
        derivatives.par_iter().map(|d| amplitudes::inner(&state, d)).collect();
    let entry = |k: usize| {
        let (i, j) = (k / n, k % n);
        (amplitudes::inner(&derivatives[i], &derivatives[j]) - along[i].conj() * along[j]).re
    };
    Ok((0..n * n).into_par_iter().map(entry).collect())
}

/// `d psi / d angle`, by the product rule: each gate with the angle replaced by its derivative.
fn derivative(free: &Circuit, bound: &Circuit, angle: Angle) -> Vec<Complex64> {
    let mut state = amplitudes::zero_state(free.n_qubits());
    let mut sum = vec![Complex64::ZERO; state.len()];
    for (free, bound) in free.operations().iter().zip(bound.operations()) {
        amplitudes::apply_operation(&mut sum, bound);
        for (k, _) in free.angles().iter().enumerate().filter(|(_, a)| **a == angle) {
            let term = differentiated(bound, k, &state);
            sum.iter_mut().zip(&term).for_each(|(s, t)| *s += t);
        }
        amplitudes::apply_operation(&mut state, bound);
    }
    sum
}

/// The derivative of an operation by its angle `k`, applied to a state. Where a control is 0 the
/// operation is the identity, so nothing is left.
fn differentiated(operation: &Operation, k: usize, state: &[Complex64]) -> Vec<Complex64> {
    let controls = amplitudes::mask(operation.controls());
    let active = |(i, z): (usize, &Complex64)| match i & controls == controls {
        true => *z,
        false => Complex64::ZERO,
    };
    let mut out: Vec<Complex64> = state.iter().enumerate().map(active).collect();
    amplitudes::apply(&mut out, &matrix_derivative(operation, k), operation.targets(), controls);
    out
}

/// The entries are sines of the whole angle or of its half, for which a difference of shifted
/// values is the derivative itself: `(f(x + pi/2) - f(x - pi/2)) / 2`, or
/// `(f(x + pi) - f(x - pi)) / 4`. Constant entries cancel.
fn matrix_derivative(operation: &Operation, k: usize) -> Vec<Complex64> {
    let (shift, factor) = if is_phase(operation, k) { (FRAC_PI_2, 0.5) } else { (PI, 0.25) };
    let shifted = |shift: f64| {
        let values = operation.angles().iter().map(|a| a.resolve(&[], &[]));
        let mut angles: Vec<f64> = values.collect();
        angles[k] += shift;
        operation.gate().info().target_matrix(&angles)
    };
    let pairs = shifted(shift).into_iter().zip(shifted(-shift));
    pairs.map(|(plus, minus)| (plus - minus) * factor).collect()
}

fn check_memory(given: usize, n_weights: usize) -> Result<(), Error> {
    let states = n_weights.max(1).next_power_of_two().trailing_zeros() as usize;
    let limit = MAX_LOG2_AMPLITUDES.saturating_sub(states);
    if given <= limit {
        return Ok(());
    }
    Err(ErrorKind::TooManyQubits {
        given,
        limit,
        method: "the derivative states of these weights",
        log2_bytes: given + states + 4,
        remedy: "make some weights constants, or use fewer qubits",
    }
    .into())
}
