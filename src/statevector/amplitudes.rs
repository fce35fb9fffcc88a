//! Small matrices applied in place to amplitudes in double precision, one state at a time.
//!
//! Density matrices, trajectories and metric tensors run on these; circuits without noise have the
//! faster passes of [`Program`](super::Program).

use crate::circuit::{Observable, Operation, PauliString};
use num_complex::Complex64;
use rayon::prelude::*;

/// `|0...0>`.
pub(crate) fn zero_state(n_bits: usize) -> Vec<Complex64> {
    let mut state = vec![Complex64::ZERO; 1 << n_bits];
    state[0] = Complex64::ONE;
    state
}

/// Pieces of the state for the threads, in amplitudes.
const PIECE: usize = 1 << 13;

/// Applies a `2^k x 2^k` matrix, row-major, to the bits `targets` of the index, the first the
/// matrix's least significant, where all bits of `controls` are 1.
///
/// # Panics
///
/// Panics unless `k` is 1, 2 or 4.
pub(crate) fn apply(
    state: &mut [Complex64],
    matrix: &[Complex64],
    targets: &[usize],
    controls: usize,
) {
    match targets {
        &[target] => apply_to_one(state, matrix, target, controls),
        &[a, b] if a < b => apply_to_two(state, matrix, a, b, controls),
        &[a, b] => {
            let swapped = [0, 2, 1, 3].map(|row| [0, 2, 1, 3].map(|column| 4 * row + column));
            let swapped: Vec<_> = swapped.as_flattened().iter().map(|&k| matrix[k]).collect();
            apply_to_two(state, &swapped, b, a, controls);
        }
        [_, _, _, _] => apply_to_four(state, matrix, targets, controls),
        _ => panic!("no kernel for {} targets", targets.len()),
    }
}

/// Calls `f` with the halves of the state in which `bit` is 0 and 1, piece by piece, and the index
/// at which a piece of the first begins. Pieces are powers of two, of `width` at least.
fn each_half(
    state: &mut [Complex64],
    bit: usize,
    width: usize,
    f: impl Fn(usize, &mut [Complex64], &mut [Complex64]) + Sync,
) {
    let stride = 1 << bit;
    let blocks = |first: usize, state: &mut [Complex64]| {
        for (k, block) in state.chunks_exact_mut(2 * stride).enumerate() {
            let (zeros, ones) = block.split_at_mut(stride);
            f(first + 2 * k * stride, zeros, ones);
        }
    };
    if state.len() <= PIECE {
        blocks(0, state);
    } else if 2 * stride <= PIECE {
        let pieces = state.par_chunks_mut(PIECE).enumerate();
        pieces.for_each(|(k, piece)| blocks(k * PIECE, piece));
    } else {
        let width = stride.min(width.max(PIECE));
        for (k, block) in state.chunks_exact_mut(2 * stride).enumerate() {
            let (zeros, ones) = block.split_at_mut(stride);
            let pieces = zeros.par_chunks_mut(width).zip(ones.par_chunks_mut(width)).enumerate();
            pieces.for_each(|(j, (zeros, ones))| f(2 * k * stride + j * width, zeros, ones));
        }
    }
}

fn apply_to_one(state: &mut [Complex64], m: &[Complex64], target: usize, controls: usize) {
    let m: [Complex64; 4] = m.try_into().expect("a matrix on one qubit");
    each_half(state, target, 1, |first, zeros, ones| {
        for (j, (a, b)) in zeros.iter_mut().zip(ones).enumerate() {
            if (first + j) & controls == controls {
                (*a, *b) = (m[0] * *a + m[1] * *b, m[2] * *a + m[3] * *b);
            }
        }
    });
}

fn apply_to_two(
    state: &mut [Complex64],
    m: &[Complex64],
    low: usize,
    high: usize,
    controls: usize,
) {
    let m: [Complex64; 16] = m.try_into().expect("a matrix on two qubits");
    let width = 1 << low;
    each_half(state, high, 2 * width, |first, zeros, ones| {
        let blocks = zeros.chunks_exact_mut(2 * width).zip(ones.chunks_exact_mut(2 * width));
        for (k, (zeros, ones)) in blocks.enumerate() {
            let ((a, b), (c, d)) = (zeros.split_at_mut(width), ones.split_at_mut(width));
            let quads = a.iter_mut().zip(b).zip(c.iter_mut().zip(d));
            for (j, ((a, b), (c, d))) in quads.enumerate() {
                if (first + 2 * k * width + j) & controls == controls {
                    let old = [*a, *b, *c, *d];
                    let row =
                        |r: usize| -> Complex64 { (0..4).map(|k| m[4 * r + k] * old[k]).sum() };
                    (*a, *b, *c, *d) = (row(0), row(1), row(2), row(3));
                }
            }
        }
    });
}

/// The channels on two qubits of a density matrix, rare enough to go without threads.
fn apply_to_four(
    state: &mut [Complex64],
    matrix: &[Complex64],
    targets: &[usize],
    controls: usize,
) {
    let offsets: [usize; 16] = std::array::from_fn(|local| spread(local, targets));
    for base in bases(state.len(), targets).filter(|base| base & controls == controls) {
        let old = offsets.map(|offset| state[base + offset]);
        for (row, offset) in matrix.chunks_exact(16).zip(offsets) {
            state[base + offset] = row.iter().zip(&old).map(|(m, a)| m * a).sum();
        }
    }
}

/// The reduced density matrix of some qubits, row-major.
pub(crate) fn reduced(state: &[Complex64], qubits: &[usize]) -> Vec<Complex64> {
    let dim = 1 << qubits.len();
    let offsets: Vec<usize> = (0..dim).map(|local| spread(local, qubits)).collect();
    let mut rho = vec![Complex64::ZERO; dim * dim];
    for base in bases(state.len(), qubits) {
        for (k, entry) in rho.iter_mut().enumerate() {
            *entry += state[base + offsets[k / dim]] * state[base + offsets[k % dim]].conj();
        }
    }
    rho
}

/// The indices below `len` in which all bits of `targets` are 0.
fn bases(len: usize, targets: &[usize]) -> impl Iterator<Item = usize> {
    let mut sorted = targets.to_vec();
    sorted.sort_unstable();
    let base = move |rest| sorted.iter().fold(rest, |index, &t| insert_zero(index, t));
    (0..len >> targets.len()).map(base)
}

/// Bit `k` of `local` at place `targets[k]`.
fn spread(local: usize, targets: &[usize]) -> usize {
    targets.iter().enumerate().map(|(k, &t)| (local >> k & 1) << t).sum()
}

/// Moves the bits from `place` up by one and puts a 0 there.
fn insert_zero(index: usize, place: usize) -> usize {
    let low = index & ((1 << place) - 1);
    (index - low) << 1 | low
}

/// The bits of a list of qubits.
pub(crate) fn mask(qubits: &[usize]) -> usize {
    qubits.iter().map(|q| 1 << q).sum()
}

/// The matrix of an operation with constant angles on its targets.
pub(crate) fn target_matrix(operation: &Operation) -> Vec<Complex64> {
    let angles: Vec<f64> = operation.angles().iter().map(|a| a.resolve(&[], &[])).collect();
    operation.gate().info().target_matrix(&angles)
}

/// Applies an operation with constant angles.
pub(crate) fn apply_operation(state: &mut [Complex64], operation: &Operation) {
    let matrix = target_matrix(operation);
    apply(state, &matrix, operation.targets(), mask(operation.controls()));
}

/// `O |state>`.
pub(crate) fn observe(observable: &Observable, state: &[Complex64]) -> Vec<Complex64> {
    let mut out = vec![Complex64::ZERO; state.len()];
    for &(c, p) in observable.terms() {
        let factors = [c * p.phase(0), -c * p.phase(0)];
        for (i, z) in state.iter().enumerate() {
            out[i ^ p.x] += factors[(i & p.z).count_ones() as usize % 2] * z;
        }
    }
    out
}

/// `<state|O|state>`.
pub(crate) fn expectation(observable: &Observable, state: &[Complex64]) -> f64 {
    let term = |&(c, p): &(f64, PauliString)| {
        let sign = |i: usize| if (i & p.z).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
        let amplitude = |i: usize| state[i ^ p.x].conj() * state[i] * sign(i);
        c * (p.phase(0) * (0..state.len()).map(amplitude).sum::<Complex64>()).re
    };
    observable.terms().iter().map(term).sum()
}

/// `<a|b>`.
pub(crate) fn inner(a: &[Complex64], b: &[Complex64]) -> Complex64 {
    a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::{Circuit, Gate};
    use crate::statevector::dense;

    /// Large states go in pieces to the threads; each piece must know where it lies.
    #[test]
    fn large_states_are_products_of_small_ones() {
        let (n, cos, sin) = (16, 0.6, 0.8);
        let turn = [cos, -sin, sin, cos].map(Complex64::from);
        for (a, b) in [(0, 1), (3, 15), (15, 3), (14, 15), (12, 13), (2, 0)] {
            let mut state = zero_state(n);
            apply(&mut state, &turn, &[a], 0);
            apply(&mut state, &turn, &[b], 1 << a);
            let pair = [0, 1, 2, 3]
                .map(|k| [0, 1, 2, 3].map(|j| turn[k / 2 * 2 + j / 2] * turn[k % 2 * 2 + j % 2]));
            apply(&mut state, pair.as_flattened(), &[a, b], 0);
            let mut small = zero_state(2);
            apply(&mut small, &turn, &[0], 0);
            apply(&mut small, &turn, &[1], 1);
            apply(&mut small, pair.as_flattened(), &[0, 1], 0);
            for (k, z) in small.iter().enumerate() {
                assert!((state[spread(k, &[a, b])] - z).norm() < 1e-15, "{a}, {b}");
            }
            assert!((inner(&state, &state).re - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn every_gate_is_its_matrix() {
        for gate in Gate::all() {
            let mut circuit = Circuit::new(4);
            (0..4).for_each(|q| {
                circuit.ry(0.3 + q as f64, q).rz(1.1 * q as f64, q);
            });
            let (mut state, angles) = (zero_state(4), [0.7, -1.3, 2.1].map(Into::into));
            let qubits = &[2, 0, 3][..gate.info().n_qubits()];
            let operation = Operation::new(gate, qubits, &angles[..gate.info().n_angles]).unwrap();
            circuit.push(operation.with_controls(&[1]).unwrap()).unwrap();
            circuit.operations().iter().for_each(|op| apply_operation(&mut state, op));
            let slow = dense::state(&circuit, &[], &[]).unwrap();
            let difference = state.iter().zip(&slow).map(|(a, b)| (a - b).norm());
            assert!(difference.fold(0.0, f64::max) < 1e-15, "{gate:?}");
        }
    }
}
