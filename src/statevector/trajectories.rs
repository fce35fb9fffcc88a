//! Quantum trajectories: circuits with noise, by sampling pure states.

use super::density::check_observable;
use super::{amplitudes, program};
use crate::circuit::{Estimate, Noise, NoisyCircuit, Observable, Step, mean_and_square_error};
use crate::error::{Error, ErrorKind};
use crate::random::Stream;
use num_complex::Complex64;
use rayon::prelude::*;

/// The expectation values of a noisy circuit for one sample, as means over random pure states.
///
/// In each trajectory a channel becomes one of its Kraus operators, `K_k psi / |K_k psi|` with
/// probability `|K_k psi|^2`; the mean of `|psi><psi|` is the density matrix. Each trajectory takes
/// `O(2^n_qubits)` for a gate or channel and has its own stream of random numbers: the same seed
/// gives the same result on any number of threads. The shape of values and standard errors is
/// `[n_observables]`.
///
/// # Errors
///
/// When there are more than [`MAX_QUBITS`](super::MAX_QUBITS) qubits or fewer than 2 trajectories,
/// an observable acts on a qubit that the circuit does not have, a slice has the wrong length, or
/// holds NaN or infinity.
///
/// # References
///
/// - [Dalibard, Castin and Molmer (1992)](https://doi.org/10.1103/PhysRevLett.68.580), who take
///   small steps of time where we have channels.
///
/// ```
/// use burn_quantum::circuit::{Channel, Circuit, NoisyCircuit, Observable};
/// use burn_quantum::statevector::trajectories;
///
/// let mut circuit = Circuit::new(1);
/// circuit.x(0);
/// let decayed = NoisyCircuit::after_every_gate(circuit, &Channel::amplitude_damping(0.1)?);
/// let z = trajectories(&decayed, &Observable::each_z(1), &[], &[], 1000, 2026)?;
/// assert!((z.values[0] + 0.8).abs() < 4.0 * z.standard_errors[0]);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn trajectories(
    circuit: &NoisyCircuit,
    observables: &[Observable],
    inputs: &[f64],
    weights: &[f64],
    n_trajectories: usize,
    seed: u64,
) -> Result<Estimate<f64>, Error> {
    let n_qubits = circuit.circuit().n_qubits();
    program::check_size(n_qubits)?;
    observables.iter().try_for_each(|o| check_observable(o, n_qubits))?;
    if n_trajectories < 2 {
        let (what, value) = ("the number of trajectories".into(), n_trajectories as f64);
        return Err(ErrorKind::OutOfRange { what, value, range: "2 or more" }.into());
    }
    let bound = circuit.bind(inputs, weights)?;
    let steps = bound.steps();
    let first = steps.iter().position(|step| matches!(step, Step::Noise(_)));
    let (shared, random) = steps.split_at(first.unwrap_or(steps.len()));
    let mut start = amplitudes::zero_state(n_qubits);
    run(&mut start, shared, &mut Stream::new(seed, 0)); // no channel, so nothing is drawn
    let one = |k: usize| -> Vec<f64> {
        let mut state = start.clone();
        run(&mut state, random, &mut Stream::new(seed, k as u64));
        observables.iter().map(|o| amplitudes::expectation(o, &state)).collect()
    };
    let values: Vec<Vec<f64>> = (0..n_trajectories).into_par_iter().map(one).collect();
    Ok(averaged(&values, observables.len()))
}

fn averaged(values: &[Vec<f64>], n_observables: usize) -> Estimate<f64> {
    let of = |o: usize| values.iter().map(|row| (row[o], 1.0)).collect::<Vec<_>>();
    let moments = (0..n_observables).map(|o| mean_and_square_error(&of(o)));
    Estimate::of_moments(moments)
}

fn run(state: &mut [Complex64], steps: &[Step], stream: &mut Stream) {
    for step in steps {
        match step {
            Step::Operation(operation) => amplitudes::apply_operation(state, operation),
            Step::Noise(noise) => jump(state, noise, stream),
        }
    }
}

/// Replaces the state by `K_k psi / |K_k psi|`. The new norm is 1 whatever the old one was, so
/// rounding does not add up.
fn jump(state: &mut [Complex64], noise: &Noise, stream: &mut Stream) {
    let reduced = amplitudes::reduced(state, &noise.qubits);
    let kraus = noise.channel.kraus();
    let weights: Vec<f64> = kraus.iter().map(|k| weight(k, &reduced)).collect();
    let mut rest = stream.uniform() * weights.iter().sum::<f64>();
    let below = |w: &f64| {
        rest -= w;
        rest < 0.0
    };
    // Rounding can leave a rest above 0 behind the last operator: then take the likeliest.
    let likeliest = (0..weights.len()).max_by(|&a, &b| weights[a].total_cmp(&weights[b]));
    let chosen = weights.iter().position(below).or(likeliest).expect("a channel has an operator");
    let scale = 1.0 / weights[chosen].sqrt();
    let operator: Vec<_> = kraus[chosen].iter().map(|z| z * scale).collect();
    amplitudes::apply(state, &operator, &noise.qubits, 0);
}

/// `tr(K rho K^dagger)`.
fn weight(kraus: &[Complex64], rho: &[Complex64]) -> f64 {
    let dim = rho.len().isqrt();
    let row = |k: &[Complex64]| -> f64 {
        let entries = (0..dim).flat_map(|i| (0..dim).map(move |j| (i, j)));
        entries.map(|(i, j)| (k[i] * rho[i * dim + j] * k[j].conj()).re).sum()
    };
    kraus.chunks_exact(dim).map(row).sum()
}
