//! Probabilities, variances and shots against the dense oracle; what is random, within k sigma.

use crate::common::*;
use burn_quantum::circuit::{Circuit, Observable, PauliString, ansatz};
use burn_quantum::statevector::{Program, dense};
use num_complex::Complex64;

struct Case {
    n: usize,
    batch: usize,
    circuit: Circuit,
    observables: Vec<Observable>,
    x: Vec<f64>,
    w: Vec<f64>,
}

impl Case {
    fn random(seed: u64, n: usize, batch: usize) -> Self {
        let mut rng = rng(seed);
        let circuit = random_circuit(&mut rng, n, 20);
        let observables = random_observables(&mut rng, n);
        let (x, w) = (uniform(&mut rng, batch * n, 3.0), uniform(&mut rng, n, 3.0));
        Self { n, batch, circuit, observables, x, w }
    }

    fn program(&self) -> Program {
        Program::new(&self.circuit, &self.observables).unwrap()
    }

    fn state(&self, b: usize) -> Vec<Complex64> {
        dense::state(&self.circuit, &self.x[b * self.n..][..self.n], &self.w).unwrap()
    }
}

#[test]
fn probabilities_are_those_of_the_dense_oracle() {
    for (seed, n) in (1..=5).enumerate() {
        let case = Case::random(seed as u64, n, 3);
        let fast = case.program().probabilities(3, &case.x, &case.w).unwrap();
        let slow: Vec<f64> =
            (0..3).flat_map(|b| case.state(b)).map(|z: Complex64| z.norm_sqr()).collect();
        assert!(max_difference(&fast, &slow) < 1e-14);
        let (x, w) = (to_f32(&case.x), to_f32(&case.w));
        let single = case.program().probabilities(3, &x, &w).unwrap();
        assert!(max_difference(&to_f64(&single), &slow) < 1e-6);
    }
}

#[test]
fn variances_are_those_of_dense_matrices() {
    for (seed, n) in (1..=5).enumerate() {
        let case = Case::random(10 + seed as u64, n, 3);
        let fast = case.program().variance(3, &case.x, &case.w).unwrap();
        let slow: Vec<f64> = (0..3)
            .flat_map(|b| {
                let state = case.state(b);
                let variance = |o: &Observable| {
                    let square = o.product(o).unwrap();
                    let mean = dense::expectation(o, &state);
                    dense::expectation(&square, &state) - mean * mean
                };
                case.observables.iter().map(variance).collect::<Vec<_>>()
            })
            .collect();
        assert!(max_difference(&fast, &slow) < 1e-13, "n {n}");
    }
}

/// On an eigenstate `<O^2> - <O>^2` would leave rounding of either sign, times the scale of `O`.
#[test]
fn variances_of_eigenstates_are_zero_and_never_negative() {
    let circuit = ansatz::real_amplitudes(3, ansatz::Entanglement::Linear, 0);
    let large = 1e6 * Observable::from(PauliString::z(1)) + PauliString::IDENTITY.into();
    let program = Program::new(&circuit, &[large]).unwrap();
    assert!(program.variance(1, &[], &[0.0f64; 3]).unwrap()[0].abs() < 1e-12);
    let single = program.variance(1, &[], &[0.3f32, 0.0, 1e-4]).unwrap()[0];
    assert!((0.0..1e-2).contains(&single), "{single}");
}

/// Frequencies against probabilities: a chi-square of `2^n - 1` degrees of freedom has the mean
/// `2^n - 1` and the variance `2 (2^n - 1)`.
#[test]
fn samples_have_the_probabilities_of_the_state() {
    let (case, shots) = (Case::random(20, 3, 2), 20_000);
    let counts = case.program().counts(2, &case.x, &case.w, shots, 2026).unwrap();
    for (b, counts) in counts.iter().enumerate() {
        let term = |(i, z): (usize, &Complex64)| {
            let expected = shots as f64 * z.norm_sqr();
            (counts.get(&i).copied().unwrap_or(0) as f64 - expected).powi(2) / expected
        };
        let chi_square: f64 = case.state(b).iter().enumerate().map(term).sum();
        assert!((chi_square - 7.0).abs() < 4.0 * 14f64.sqrt(), "{chi_square}");
        assert_eq!(counts.values().sum::<usize>(), shots);
    }
}

#[test]
fn impossible_outcomes_are_never_drawn() {
    let mut ghz = Circuit::new(3);
    ghz.h(0).cnot_chain();
    let samples = Program::new(&ghz, &[]).unwrap().samples(1, &[], &[0f32; 0], 5000, 7).unwrap();
    assert!(samples.iter().all(|&bits| bits == 0b000 || bits == 0b111));
    assert!(samples.contains(&0b000) && samples.contains(&0b111));
}

#[test]
fn samples_depend_on_the_seed_alone() {
    let case = Case::random(21, 3, 40);
    let (program, n) = (case.program(), case.n);
    let samples = |seed| program.samples(case.batch, &case.x, &case.w, 10, seed).unwrap();
    let estimate = || program.estimate(case.batch, &case.x, &case.w, 10, 1).unwrap();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (samples(1), estimate()))
    };
    assert_eq!(on(1), on(3));
    assert_ne!(samples(1), samples(2));
    let first = program.samples(2, &case.x[..2 * n], &case.w, 10, 1).unwrap();
    assert_eq!(first, samples(1)[..20]);
}

/// Strings of X, Y and Z on shared qubits, so that several bases are needed.
#[test]
fn estimates_are_unbiased_with_honest_standard_errors() {
    let (batch, shots) = (4, 4000);
    for seed in 30..34 {
        let case = Case::random(seed, 3, batch);
        let program = case.program();
        assert!(program.n_measurement_bases() > 1);
        let exact = program.expectation(batch, &case.x, &case.w).unwrap();
        let estimate = program.estimate(batch, &case.x, &case.w, shots, seed).unwrap();
        for (k, value) in exact.iter().enumerate() {
            let (error, sigma) = (estimate.values[k] - value, estimate.standard_errors[k]);
            assert!(error.abs() < 4.5 * sigma + 1e-12, "{error} with sigma {sigma}");
        }
        // A single string is measured in one basis, with the variance of the observable itself.
        let variance = program.variance(batch, &case.x, &case.w).unwrap();
        let width = case.observables.len();
        for (b, q) in (0..batch).flat_map(|b| (0..case.n).map(move |q| (b, q))) {
            let (s, v) = (estimate.standard_errors[b * width + q], variance[b * width + q]);
            assert!((s * s * shots as f64 - v).abs() < 0.15, "{s}, variance {v}");
        }
    }
}

/// The mean of many estimates from few shots: a bias would not average out.
#[test]
fn estimates_from_two_shots_are_unbiased() {
    let mut circuit = Circuit::new(2);
    circuit.ry(0.7, 0).rx(1.1, 1).cnot(0, 1);
    let terms = [(0.3, "I"), (1.0, "X0 X1"), (-0.5, "Y0 Y1"), (0.8, "Z1")];
    let terms = terms.map(|(c, p)| (c, p.parse().unwrap()));
    let program = Program::new(&circuit, &[Observable::new(terms).unwrap()]).unwrap();
    assert_eq!(program.n_measurement_bases(), 3);
    let n = 4000;
    let one = |seed| program.estimate::<f64>(1, &[], &[], 2, seed).unwrap().values[0];
    let values: Vec<f64> = (0..n).map(one).collect();
    let mean = values.iter().sum::<f64>() / n as f64;
    let spread: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let sigma = spread.sqrt() / n as f64;
    let exact = program.expectation::<f64>(1, &[], &[]).unwrap()[0];
    assert!((mean - exact).abs() < 4.0 * sigma, "{mean} against {exact} +- {sigma}");
}

#[test]
fn observables_without_randomness_are_estimated_exactly() {
    let constant = Observable::new([(2.5, PauliString::IDENTITY)]).unwrap();
    let program = Program::new(&Circuit::new(1), &[constant, PauliString::z(0).into()]).unwrap();
    let estimate = program.estimate::<f64>(1, &[], &[], 2, 0).unwrap();
    assert_eq!((estimate.values, estimate.standard_errors), (vec![2.5, 1.0], vec![0.0, 0.0]));
    let none = Program::new(&Circuit::new(1), &[]).unwrap();
    assert!(none.estimate::<f64>(3, &[], &[], 2, 0).unwrap().values.is_empty());
}

#[test]
fn bad_input_is_refused() {
    let case = Case::random(40, 2, 1);
    let program = case.program();
    let few = program.estimate(1, &case.x, &case.w, 1, 0).unwrap_err();
    assert_eq!(few.to_string(), "the number of shots is 1: use 2 or more");
    let nan = program.samples(2, &[0.0, 0.0, f64::NAN, 0.0], &case.w, 5, 0).unwrap_err();
    assert_eq!(nan.to_string(), "inputs[1, 0] is NaN: it must be finite");
    assert!(program.probabilities(1, &case.x[..1], &case.w).is_err());
    assert!(program.variance(0, &[], &case.w).unwrap().is_empty());
}
