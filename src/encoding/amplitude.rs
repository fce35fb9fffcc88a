//! Amplitude encoding: state preparation by uniformly controlled rotations.

use crate::circuit::{Angle, Circuit, Gate};
use crate::error::{Error, ErrorKind, finite};
use num_complex::Complex64;

/// The circuit whose state is `sum_i a_i |i> / |a|`, global phase and signs included.
///
/// `a` is real or complex; it is divided by its Euclidean norm, and padded with zeros to a length
/// of `2^n_qubits` (at least one qubit). The angles are constants of the circuit: `2^n - 1`
/// rotations about Y and as many CNOTs less one; a vector that is not real takes as many about Z,
/// and a global phase.
///
/// # Errors
///
/// When an entry is NaN or infinite, or all are zero.
///
/// # References
///
/// - [Mottonen et al. (2004)](https://arxiv.org/abs/quant-ph/0407010), who rotate the state to
///   `|0...0>`: ours is the inverse, the most significant qubit first. Their `alpha` is our
///   `angles`, their `theta` the Gray-code transform of it.
///
/// ```
/// use burn_quantum::{encoding, statevector::dense};
///
/// let state = dense::state(&encoding::amplitude(&[3.0, 0.0, 0.0, -4.0])?, &[], &[])?;
/// assert!((state[0].re - 0.6).abs() < 1e-15 && (state[3].re + 0.8).abs() < 1e-15);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn amplitude<A: Into<Complex64> + Copy>(amplitudes: &[A]) -> Result<Circuit, Error> {
    let a = scaled(amplitudes)?;
    let mut circuit = Circuit::new(a.len().trailing_zeros() as usize);
    if a.iter().all(|z| z.im == 0.0) {
        magnitudes(&mut circuit, a.iter().map(|z| z.re).collect());
    } else {
        magnitudes(&mut circuit, a.iter().map(|z| z.norm()).collect());
        phases(&mut circuit, a.iter().map(|z| z.arg()).collect());
    }
    Ok(circuit)
}

/// The checked and padded vector, its largest entry about 1, so that squares neither overflow nor
/// vanish.
fn scaled<A: Into<Complex64> + Copy>(amplitudes: &[A]) -> Result<Vec<Complex64>, Error> {
    let mut a: Vec<Complex64> = amplitudes.iter().map(|&z| z.into()).collect();
    for (i, z) in a.iter().enumerate() {
        finite(|| format!("amplitudes[{i}]"), z.re)?;
        finite(|| format!("the imaginary part of amplitudes[{i}]"), z.im)?;
    }
    let largest = a.iter().map(|z| z.re.abs().max(z.im.abs())).fold(0.0, f64::max);
    if largest == 0.0 {
        let what = "the norm of the amplitudes".into();
        let range = "a vector with an entry other than 0";
        return Err(ErrorKind::OutOfRange { what, value: 0.0, range }.into());
    }
    a.iter_mut().for_each(|z| *z /= largest);
    a.resize(a.len().next_power_of_two().max(2), Complex64::ZERO);
    Ok(a)
}

/// Rotations about Y to the real amplitudes `r`. Only the leaves have signs: above them stand
/// norms.
fn magnitudes(circuit: &mut Circuit, mut r: Vec<f64>) {
    let mut levels = Vec::new();
    while r.len() > 1 {
        levels.push(r.chunks_exact(2).map(|pair| 2.0 * pair[1].atan2(pair[0])).collect::<Vec<_>>());
        r = r.chunks_exact(2).map(|pair| pair[0].hypot(pair[1])).collect();
    }
    for (target, angles) in levels.into_iter().enumerate().rev() {
        uniformly_controlled(circuit, Gate::RY, target, &angles);
    }
}

/// The diagonal `exp(i phase)`: differences of pairs become rotations about Z, and their means are
/// the phases of one qubit less, down to a global phase.
fn phases(circuit: &mut Circuit, mut phases: Vec<f64>) {
    for target in 0..circuit.n_qubits() {
        let angles: Vec<f64> = phases.chunks_exact(2).map(|pair| pair[1] - pair[0]).collect();
        uniformly_controlled(circuit, Gate::RZ, target, &angles);
        phases = phases.chunks_exact(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
    }
    let phase = [Angle::Constant(phases[0])];
    circuit.gate(Gate::P, &[0], &phase).x(0).gate(Gate::P, &[0], &phase).x(0);
}

/// Rotates `target` by `angles[j]` where the qubits above it read `j`.
///
/// The controls enter through CNOTs, each of which turns the later rotations backwards: rotation
/// `i` counts with the sign `(-1)^(j . gray(i))`, so its angle is the Walsh transform of `angles`
/// at `gray(i)`, over their number.
fn uniformly_controlled(circuit: &mut Circuit, gate: Gate, target: usize, angles: &[f64]) {
    let n = angles.len();
    let transform = walsh(angles.to_vec());
    for i in 0..n {
        let angle = transform[i ^ (i >> 1)] / n as f64;
        circuit.gate(gate, &[target], &[Angle::Constant(angle)]);
        if n > 1 {
            // The bit in which the next code differs; the last one closes the cycle.
            let bit = (i + 1).trailing_zeros().min(n.trailing_zeros() - 1);
            circuit.cnot(target + 1 + bit as usize, target);
        }
    }
}

/// `out[k] = sum_j (-1)^(j . k) values[j]`.
fn walsh(mut values: Vec<f64>) -> Vec<f64> {
    let mut stride = 1;
    while stride < values.len() {
        for block in values.chunks_exact_mut(2 * stride) {
            let (low, high) = block.split_at_mut(stride);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        stride *= 2;
    }
    values
}
