//! Noise: density matrices against sums of whole Kraus matrices, trajectories against density
//! matrices, both against closed forms.

use crate::common::*;
use burn_quantum::circuit::{
    Channel, Circuit, Gate, NoisyCircuit, Observable, Operation, PauliString, ansatz,
};
use burn_quantum::statevector::{DensityMatrix, MAX_DENSITY_QUBITS, dense, trajectories};
use num_complex::Complex64;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

type Matrix = Vec<Vec<Complex64>>;

fn dagger(a: &Matrix) -> Matrix {
    (0..a.len()).map(|i| (0..a.len()).map(|j| a[j][i].conj()).collect()).collect()
}

fn conjugated(a: &Matrix, rho: &Matrix) -> Matrix {
    dense::multiply(&dense::multiply(a, rho), &dagger(a))
}

/// A small matrix as one on all qubits.
fn embedded(small: &[Complex64], qubits: &[usize], n: usize) -> Matrix {
    let dim = 1 << qubits.len();
    let local =
        |i: usize| -> usize { qubits.iter().enumerate().map(|(k, q)| (i >> q & 1) << k).sum() };
    let others = |i: usize| qubits.iter().fold(i, |i, q| i & !(1 << q));
    let entry = |i: usize, j: usize| match others(i) == others(j) {
        true => small[local(i) * dim + local(j)],
        false => Complex64::ZERO,
    };
    (0..1 << n).map(|i| (0..1 << n).map(|j| entry(i, j)).collect()).collect()
}

/// The density matrix by whole matrices.
fn oracle(noisy: &NoisyCircuit, x: &[f64], w: &[f64]) -> Matrix {
    let bound = noisy.bind(x, w).unwrap();
    let n = bound.circuit().n_qubits();
    let mut rho = vec![vec![Complex64::ZERO; 1 << n]; 1 << n];
    rho[0][0] = Complex64::ONE;
    let noise = |rho: Matrix, place: usize| {
        let here = bound.noise().iter().filter(|noise| noise.after == place);
        here.fold(rho, |rho, noise| {
            let kraus = noise.channel.kraus().iter();
            let terms = kraus.map(|k| conjugated(&embedded(k, &noise.qubits, n), &rho));
            let add = |a: Matrix, b: Matrix| -> Matrix {
                let rows = a.iter().zip(&b);
                rows.map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
            };
            terms.reduce(add).unwrap()
        })
    };
    rho = noise(rho, 0);
    for (k, operation) in bound.circuit().operations().iter().enumerate() {
        rho = conjugated(&dense::matrix(operation, n), &rho);
        rho = noise(rho, k + 1);
    }
    rho
}

/// A channel from a random isometry: Gram-Schmidt on the columns of the stacked operators.
fn random_channel(rng: &mut StdRng, n_qubits: usize, n_kraus: usize) -> Channel {
    let (dim, height) = (1usize << n_qubits, n_kraus << n_qubits);
    let mut columns: Matrix = Vec::new();
    while columns.len() < dim {
        let parts = uniform(rng, 2 * height, 1.0);
        let mut v: Vec<_> = parts.chunks(2).map(|p| Complex64::new(p[0], p[1])).collect();
        for u in columns.iter().chain(&columns) {
            let overlap: Complex64 = u.iter().zip(&v).map(|(u, v)| u.conj() * v).sum();
            v.iter_mut().zip(u).for_each(|(v, u)| *v -= overlap * u);
        }
        let norm = v.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt();
        columns.push(v.iter().map(|z| z / norm).collect());
    }
    let operator =
        |k: usize| (0..dim * dim).map(|e| columns[e % dim][k * dim + e / dim]).collect::<Vec<_>>();
    Channel::from_kraus(n_qubits, (0..n_kraus).map(operator).collect()).unwrap()
}

fn random_noisy(rng: &mut StdRng, n: usize, n_channels: usize) -> NoisyCircuit {
    let circuit = random_circuit(rng, n, 15);
    let length = circuit.operations().len();
    let mut noisy = NoisyCircuit::new(circuit);
    for _ in 0..n_channels {
        let width = rng.random_range(1..=n.min(2));
        let mut channels = vec![
            Channel::depolarizing(0.2).unwrap(),
            Channel::generalized_amplitude_damping(0.3, 0.8).unwrap(),
            random_channel(rng, 1, 2),
            random_channel(rng, 2, 3),
            Channel::two_qubit_depolarizing(0.1).unwrap(),
        ];
        channels.retain(|channel| channel.n_qubits() == width);
        let mut qubits: Vec<usize> = (0..n).collect();
        qubits.shuffle(rng);
        let channel = channels.choose(rng).unwrap();
        noisy.add_noise(rng.random_range(0..=length), channel, &qubits[..width]).unwrap();
    }
    noisy
}

fn distance(rho: &DensityMatrix, expected: &Matrix) -> f64 {
    let pairs = rho.entries().iter().zip(expected.iter().flatten());
    pairs.map(|(a, b)| (a - b).norm()).fold(0.0, f64::max)
}

#[test]
fn density_matrices_are_those_of_whole_kraus_matrices() {
    for (seed, n) in [1, 2, 3, 4, 2, 3].into_iter().enumerate() {
        let mut rng = rng(seed as u64);
        let noisy = random_noisy(&mut rng, n, 6);
        let (x, w) = (uniform(&mut rng, n, 3.0), uniform(&mut rng, n, 3.0));
        let (fast, slow) = (DensityMatrix::new(&noisy, &x, &w).unwrap(), oracle(&noisy, &x, &w));
        assert!(distance(&fast, &slow) < 1e-14, "{n} qubits: {}", distance(&fast, &slow));
        for observable in random_observables(&mut rng, n) {
            let product = dense::multiply(&dense::observable_matrix(&observable, n), &slow);
            let trace: f64 = (0..1 << n).map(|i| product[i][i].re).sum();
            assert!((fast.expectation(&observable).unwrap() - trace).abs() < 1e-13);
        }
    }
}

/// Large states go in pieces to the threads: a few qubits of a large register must fare as alone.
#[test]
fn large_density_matrices_agree_with_small_ones() {
    let (place, mut rng) = ([5, 0, 6], rng(50));
    let small = random_noisy(&mut rng, 3, 8);
    let mut circuit = Circuit::new(7);
    for operation in small.circuit().operations() {
        let own = operation.gate().info().n_controls;
        let qubits: Vec<usize> = operation.qubits().map(|q| place[q]).collect();
        let (controls, targets) = qubits.split_at(qubits.len() - operation.targets().len());
        let (own, added) = controls.split_at(own);
        let moved = Operation::new(operation.gate(), &[own, targets].concat(), operation.angles());
        circuit.push(moved.unwrap().with_controls(added).unwrap()).unwrap();
    }
    let mut large = NoisyCircuit::new(circuit);
    for noise in small.noise() {
        let qubits: Vec<usize> = noise.qubits.iter().map(|&q| place[q]).collect();
        large.add_noise(noise.after, &noise.channel, &qubits).unwrap();
    }
    let (x, w) = (uniform(&mut rng, 3, 3.0), uniform(&mut rng, 3, 3.0));
    let small = DensityMatrix::new(&small, &x, &w).unwrap();
    let large = DensityMatrix::new(&large, &x, &w).unwrap();
    let spread = |i: usize| (0..3).map(|q| (i >> q & 1) << place[q]).sum::<usize>();
    for (i, j) in (0..64).map(|k| (k / 8, k % 8)) {
        let (a, b) = (small.entries()[i * 8 + j], large.entries()[spread(i) * 128 + spread(j)]);
        assert!((a - b).norm() < 1e-14, "entry [{i}, {j}]");
    }
    assert!((small.purity() - large.purity()).abs() < 1e-13);
}

/// Cholesky's factorisation of `rho + shift` exists only if all eigenvalues exceed `-shift`.
fn has_no_eigenvalue_below(rho: &DensityMatrix, shift: f64) -> bool {
    let dim = 1 << rho.n_qubits();
    let mut l = vec![vec![Complex64::ZERO; dim]; dim];
    for i in 0..dim {
        for j in 0..=i {
            let unit = if i == j { shift } else { 0.0 };
            let sum: Complex64 = (0..j).map(|k| l[i][k] * l[j][k].conj()).sum();
            let rest = rho.entries()[i * dim + j] + unit - sum;
            if i == j && rest.re <= 0.0 {
                return false;
            }
            l[i][j] = if i == j { rest.re.sqrt().into() } else { rest / l[j][j].conj() };
        }
    }
    true
}

#[test]
fn noisy_states_are_states() {
    for seed in 10..16 {
        let mut rng = rng(seed);
        let noisy = random_noisy(&mut rng, 4, 10);
        let (x, w) = (uniform(&mut rng, 4, 3.0), uniform(&mut rng, 4, 3.0));
        let rho = DensityMatrix::new(&noisy, &x, &w).unwrap();
        assert!((rho.probabilities().iter().sum::<f64>() - 1.0).abs() < 1e-13);
        assert!(rho.purity() < 1.0 + 1e-13);
        let at = |i: usize, j: usize| rho.entries()[i * 16 + j];
        for (i, j) in (0..256).map(|k| (k / 16, k % 16)) {
            assert!((at(i, j) - at(j, i).conj()).norm() < 1e-14);
        }
        assert!(has_no_eigenvalue_below(&rho, 1e-13));
    }
}

#[test]
fn without_noise_all_simulators_agree() {
    let mut rng = rng(20);
    let circuit = random_circuit(&mut rng, 4, 30);
    let observables = random_observables(&mut rng, 4);
    let (x, w) = (uniform(&mut rng, 4, 3.0), uniform(&mut rng, 4, 3.0));
    let state = dense::state(&circuit, &x, &w).unwrap();
    let noisy = NoisyCircuit::new(circuit);
    let rho = DensityMatrix::new(&noisy, &x, &w).unwrap();
    assert!((rho.purity() - 1.0).abs() < 1e-13);
    let sampled = trajectories(&noisy, &observables, &x, &w, 2, 0).unwrap();
    for (k, observable) in observables.iter().enumerate() {
        let exact = dense::expectation(observable, &state);
        assert!((rho.expectation(observable).unwrap() - exact).abs() < 1e-13);
        assert!((sampled.values[k] - exact).abs() < 1e-13);
        assert!(sampled.standard_errors[k] < 1e-14);
    }
}

/// `(<X>, <Y>, <Z>)` of one qubit after a channel.
fn bloch(prepare: &Circuit, channel: Channel, times: usize) -> [f64; 3] {
    let mut noisy = NoisyCircuit::new(prepare.clone());
    for _ in 0..times {
        noisy.add_noise(prepare.operations().len(), &channel, &[0]).unwrap();
    }
    let rho = DensityMatrix::new(&noisy, &[], &[]).unwrap();
    [PauliString::x(0), PauliString::y(0), PauliString::z(0)]
        .map(|p| rho.expectation(&p.into()).unwrap())
}

#[test]
fn channels_move_the_bloch_vector_as_in_the_textbook() {
    let (p, gamma, eq) = (0.15, 0.3, 0.7);
    let mut prepare = Circuit::new(1);
    prepare.ry(0.8, 0).rz(0.5, 0);
    let polar = [0.8f64.sin() * 0.5f64.cos(), 0.8f64.sin() * 0.5f64.sin(), 0.8f64.cos()];
    let (flip, shrink, root) = (1.0 - 2.0 * p, 1.0 - 4.0 * p / 3.0, (1.0f64 - gamma).sqrt());
    let cases = [
        (Channel::bit_flip(p), [1.0, flip, flip], 0.0),
        (Channel::bit_phase_flip(p), [flip, 1.0, flip], 0.0),
        (Channel::phase_flip(p), [flip, flip, 1.0], 0.0),
        (Channel::depolarizing(p), [shrink; 3], 0.0),
        (Channel::phase_damping(gamma), [root, root, 1.0], 0.0),
        (Channel::amplitude_damping(gamma), [root, root, 1.0 - gamma], gamma),
        (
            Channel::generalized_amplitude_damping(gamma, eq),
            [root, root, 1.0 - gamma],
            gamma * (2.0 * eq - 1.0),
        ),
    ];
    for (channel, factors, shift) in cases {
        let channel = channel.unwrap();
        let moved = bloch(&prepare, channel.clone(), 1);
        for k in 0..3 {
            let expected = factors[k] * polar[k] + if k == 2 { shift } else { 0.0 };
            assert!((moved[k] - expected).abs() < 1e-15, "{channel:?}, axis {k}");
        }
    }
}

/// `<n>(t) = exp(-t / T1)`, in many small steps.
#[test]
fn an_excited_qubit_decays_exponentially() {
    let (t1, dt, steps) = (50.0, 0.5, 80);
    let mut excited = Circuit::new(1);
    excited.x(0);
    let damping = Channel::amplitude_damping(-f64::exp_m1(-dt / t1)).unwrap();
    let [_, _, z] = bloch(&excited, damping, steps);
    let expected = (-dt * steps as f64 / t1).exp();
    assert!(((1.0 - z) / 2.0 - expected).abs() < 1e-14);
}

#[test]
fn a_maximally_depolarized_pair_is_the_most_mixed_state() {
    let mut bell = Circuit::new(2);
    bell.h(0).cnot(0, 1);
    let mut noisy = NoisyCircuit::new(bell);
    noisy.add_noise(2, &Channel::two_qubit_depolarizing(15.0 / 16.0).unwrap(), &[1, 0]).unwrap();
    let rho = DensityMatrix::new(&noisy, &[], &[]).unwrap();
    assert!((rho.purity() - 0.25).abs() < 1e-15);
}

#[test]
fn trajectories_average_to_the_density_matrix() {
    for seed in 30..36 {
        let mut rng = rng(seed);
        let noisy = random_noisy(&mut rng, 3, 8);
        let observables = random_observables(&mut rng, 3);
        let (x, w) = (uniform(&mut rng, 3, 3.0), uniform(&mut rng, 3, 3.0));
        let rho = DensityMatrix::new(&noisy, &x, &w).unwrap();
        let estimate = trajectories(&noisy, &observables, &x, &w, 4000, seed).unwrap();
        for (k, observable) in observables.iter().enumerate() {
            let exact = rho.expectation(observable).unwrap();
            let (error, sigma) = (estimate.values[k] - exact, estimate.standard_errors[k]);
            assert!(error.abs() < 4.0 * sigma, "{error} with sigma {sigma}");
            assert!(sigma < 0.05, "{sigma}");
        }
    }
}

#[test]
fn trajectories_depend_on_the_seed_alone() {
    let noisy = random_noisy(&mut rng(40), 3, 5);
    let angles = [0.3; 3];
    let run =
        |seed| trajectories(&noisy, &Observable::each_z(3), &angles, &angles, 200, seed).unwrap();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(1))
    };
    assert_eq!(on(1), on(3));
    assert_ne!(run(1), run(2));
}

/// More qubits than a density matrix holds: noise on a product state has a closed form.
#[test]
fn trajectories_reach_beyond_density_matrices() {
    let n = MAX_DENSITY_QUBITS + 1;
    let mut circuit = Circuit::new(n);
    (0..n).for_each(|q| {
        circuit.ry(0.2 * q as f64, q);
    });
    let noisy = NoisyCircuit::after_every_gate(circuit, &Channel::depolarizing(0.3).unwrap());
    let error = DensityMatrix::new(&noisy, &[], &[]).unwrap_err();
    assert!(error.is_size_limit());
    assert_eq!(
        error.to_string(),
        "14 qubits exceed the limit of 13 for density matrices, as they take 4 GiB: use \
         `statevector::trajectories`"
    );
    let estimate = trajectories(&noisy, &Observable::each_z(n), &[], &[], 100, 3).unwrap();
    for q in 0..n {
        let error = estimate.values[q] - 0.6 * (0.2 * q as f64).cos();
        assert!(error.abs() < 4.0 * estimate.standard_errors[q] + 1e-12, "qubit {q}: {error}");
    }
}

#[test]
fn bad_input_is_refused() {
    let noisy = NoisyCircuit::new(ansatz::hardware_efficient(2, 1));
    let z = Observable::each_z(3);
    let message = |n: usize, o: &[Observable], w: &[f64]| {
        trajectories(&noisy, o, &[], w, n, 0).unwrap_err().to_string()
    };
    assert_eq!(message(1, &z[..2], &[0.0; 4]), "the number of trajectories is 1: use 2 or more");
    assert_eq!(message(2, &z, &[0.0; 4]), "qubit 2 is out of range for 2 qubits: use 0 to 1");
    assert_eq!(message(2, &z[..2], &[0.0; 3]), "weights has 3 values, expected 4");
    let rho = DensityMatrix::new(&noisy, &[], &[0.0; 4]).unwrap();
    assert!(rho.expectation(&z[2]).is_err());
    assert!(DensityMatrix::new(&noisy, &[], &[f64::NAN; 4]).is_err());
    let many = NoisyCircuit::new(Circuit::new(200));
    assert!(DensityMatrix::new(&many, &[], &[]).unwrap_err().to_string().contains("2^404 bytes"));
    assert!(trajectories(&many, &[], &[], &[], 2, 0).unwrap_err().is_size_limit());
}

/// Noise follows gates on the qubits that they touch, controls included.
#[test]
fn noise_after_every_gate_touches_controls_too() {
    let mut circuit = Circuit::new(3);
    circuit.h(2).gate(Gate::CCX, &[0, 1, 2], &[]);
    circuit.push(Operation::new(Gate::CNOT, &[1, 0], &[]).unwrap()).unwrap();
    let one = NoisyCircuit::after_every_gate(circuit.clone(), &Channel::bit_flip(0.1).unwrap());
    let places: Vec<_> = one.noise().iter().map(|n| (n.after, n.qubits[0])).collect();
    assert_eq!(places, [(1, 2), (2, 0), (2, 1), (2, 2), (3, 1), (3, 0)]);
}
