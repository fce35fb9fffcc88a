//! Stochastic gradients against the adjoint one, metrics against differences of dense states.

use crate::common::*;
use burn_quantum::circuit::{Angle, Circuit, Gate, Observable, PauliString};
use burn_quantum::gradient::{GradientMethod, metric_tensor, natural_gradient};
use burn_quantum::statevector::{Gradient, dense};
use num_complex::Complex64;

struct Problem {
    n: usize,
    batch: usize,
    circuit: Circuit,
    observables: Vec<Observable>,
    x: Vec<f64>,
    w: Vec<f64>,
    c: Vec<f64>,
}

impl Problem {
    fn random(seed: u64, n: usize, batch: usize) -> Self {
        let mut rng = rng(seed);
        let circuit = random_circuit(&mut rng, n, 15);
        let observables = random_observables(&mut rng, n);
        let (x, w) = (uniform(&mut rng, batch * n, 3.0), uniform(&mut rng, n, 3.0));
        let c = uniform(&mut rng, batch * observables.len(), 1.0);
        Self { n, batch, circuit, observables, x, w, c }
    }

    fn gradient(&self, method: GradientMethod) -> Gradient<f64> {
        let Self { circuit, observables, batch, x, w, c, .. } = self;
        method.gradient(circuit, observables, *batch, x, w, c).unwrap()
    }
}

fn flat(gradient: &Gradient<f64>) -> Vec<f64> {
    [&gradient.inputs[..], &gradient.weights].concat()
}

#[test]
fn all_methods_agree() {
    let problem = Problem::random(1, 3, 2);
    let exact = problem.gradient(GradientMethod::Adjoint);
    let spsa = GradientMethod::Spsa { step: 1e-4, n_samples: 40_000, seed: 1 };
    // The spread of one estimate is about the length of the gradient.
    let length = flat(&exact).iter().map(|g| g * g).sum::<f64>().sqrt();
    let methods = [
        (GradientMethod::ParameterShift, 1e-12),
        (GradientMethod::FiniteDifference { step: 1e-5 }, 1e-8),
        (spsa, 5.0 * length / 200.0),
    ];
    for (method, tolerance) in methods {
        let other = problem.gradient(method);
        assert!(max_difference(&other.values, &exact.values) < 1e-14, "{method:?}");
        assert!(max_difference(&flat(&other), &flat(&exact)) < tolerance, "{method:?}");
    }
}

#[test]
fn single_perturbations_are_unbiased() {
    for seed in 10..13 {
        let problem = Problem::random(seed, 3, 2);
        let exact = flat(&problem.gradient(GradientMethod::Adjoint));
        let n = 2000;
        let one =
            |seed| flat(&problem.gradient(GradientMethod::Spsa { step: 1e-4, n_samples: 1, seed }));
        let estimates: Vec<_> = (0..n).map(one).collect();
        for (i, exact) in exact.iter().enumerate() {
            let mean = estimates.iter().map(|g| g[i]).sum::<f64>() / n as f64;
            let spread: f64 = estimates.iter().map(|g| (g[i] - mean).powi(2)).sum();
            let sigma = spread.sqrt() / n as f64;
            assert!((mean - exact).abs() < 4.0 * sigma + 1e-7, "{mean}, {exact} +- {sigma}");
        }
    }
}

/// With one parameter the sign cancels: the perturbation is the central difference.
#[test]
fn a_perturbation_of_one_parameter_is_the_central_difference() {
    let mut circuit = Circuit::new(1);
    circuit.rx(Angle::Weight(0), 0);
    let by = |method: GradientMethod| {
        method.gradient(&circuit, &Observable::each_z(1), 1, &[], &[0.7], &[2.0]).unwrap().weights
    };
    let spsa = by(GradientMethod::Spsa { step: 0.1, n_samples: 7, seed: 3 });
    let central = by(GradientMethod::FiniteDifference { step: 0.1 });
    assert!((spsa[0] - central[0]).abs() < 1e-14);
}

#[test]
fn perturbations_depend_on_the_seed_alone() {
    let problem = Problem::random(20, 2, 3);
    let spsa = |seed| problem.gradient(GradientMethod::Spsa { step: 1e-3, n_samples: 5, seed });
    assert_eq!(spsa(1), spsa(1));
    assert_ne!(spsa(1), spsa(2));
    let text = serde_json::to_string(&GradientMethod::Spsa { step: 0.5, n_samples: 5, seed: 2 });
    assert_eq!(text.unwrap(), r#"{"spsa":{"step":0.5,"n_samples":5,"seed":2}}"#);
}

#[test]
fn bad_perturbations_are_refused() {
    let problem = Problem::random(21, 2, 1);
    let Problem { circuit, observables, x, w, c, .. } = &problem;
    let message = |step, n_samples, c: &[f64]| {
        let spsa = GradientMethod::Spsa { step, n_samples, seed: 0 };
        spsa.gradient(circuit, observables, 1, x, w, c).unwrap_err().to_string()
    };
    let step = "the step of the perturbation is 0: use a positive number";
    assert_eq!(message(0.0, 1, c), step);
    let none = "the number of samples of the gradient is 0: use 1 or more";
    assert_eq!(message(0.1, 0, c), none);
    assert_eq!(message(0.1, 1, &c[1..]), "cotangent has 3 values, expected 4");
    let nan = message(0.1, 1, &[0.0, 0.0, f64::NAN, 0.0]);
    assert_eq!(nan, "cotangent[2] is NaN: it must be finite");
}

/// The metric by central differences of dense states.
fn metric_oracle(circuit: &Circuit, x: &[f64], w: &[f64]) -> Vec<f64> {
    let (n, step) = (w.len(), 1e-5);
    let at = |i: usize, step: f64| {
        let mut w = w.to_vec();
        w[i] += step;
        dense::state(circuit, x, &w).unwrap()
    };
    let slope = |i: usize| -> Vec<Complex64> {
        let pairs = at(i, step).into_iter().zip(at(i, -step));
        pairs.map(|(plus, minus)| (plus - minus) / (2.0 * step)).collect()
    };
    let inner = |a: &[Complex64], b: &[Complex64]| -> Complex64 {
        a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
    };
    let (state, slopes) = (at(0, 0.0), (0..n).map(slope).collect::<Vec<_>>());
    let entry = |i: usize, j: usize| {
        let (a, b) = (&slopes[i], &slopes[j]);
        (inner(a, b) - inner(a, &state) * inner(&state, b)).re
    };
    (0..n * n).map(|k| entry(k / n, k % n)).collect()
}

/// Repeated weights, `U`, controlled rotations and further controls all occur.
#[test]
fn metrics_are_those_of_differences_of_dense_states() {
    for (seed, n) in [1, 2, 3, 4, 3, 4].into_iter().enumerate() {
        let problem = Problem::random(30 + seed as u64, n, 1);
        let fast = metric_tensor(&problem.circuit, &problem.x, &problem.w).unwrap();
        let slow = metric_oracle(&problem.circuit, &problem.x, &problem.w);
        assert!(max_difference(&fast, &slow) < 1e-8, "{}", max_difference(&fast, &slow));
    }
}

#[test]
fn every_gate_with_an_angle_has_its_metric() {
    for gate in Gate::all().filter(|gate| gate.info().n_angles > 0) {
        let mut circuit = Circuit::new(3);
        (0..3).for_each(|q| {
            circuit.ry(0.4 + q as f64, q).rz(0.9 * q as f64, q);
        });
        let angles: Vec<_> = (0..gate.info().n_angles).map(Angle::Weight).collect();
        circuit.gate(gate, &[2, 0][..gate.info().n_qubits()], &angles);
        let w = &[0.7, -1.3, 2.1][..gate.info().n_angles];
        let fast = metric_tensor(&circuit, &[], w).unwrap();
        assert!(max_difference(&fast, &metric_oracle(&circuit, &[], w)) < 1e-9, "{gate:?}");
        assert!(fast[0] > 1e-3, "{gate:?} moves the state");
    }
}

/// One rotation of `|0>` by each weight: the variances of `Y / 2`. A weight that is used twice on
/// the same qubit counts twice, so four times in the metric; one that is skipped, not at all.
#[test]
fn metrics_of_product_states_are_known() {
    let mut circuit = Circuit::new(3);
    circuit.ry(Angle::Weight(0), 0).ry(Angle::Weight(0), 0);
    circuit.ry(Angle::Weight(1), 1).ry(Angle::Weight(3), 2);
    let g = metric_tensor(&circuit, &[], &[0.3, 1.2, 0.0, -2.0]).unwrap();
    let expected: Vec<f64> =
        (0..16).map(|k| if k % 5 == 0 { [1.0, 0.25, 0.0, 0.25][k / 5] } else { 0.0 }).collect();
    assert!(max_difference(&g, &expected) < 1e-15);
    assert!(metric_tensor(&Circuit::new(2), &[], &[]).unwrap().is_empty());
}

#[test]
fn natural_gradients_solve_the_damped_system() {
    let problem = Problem::random(50, 4, 1);
    let g = metric_tensor(&problem.circuit, &problem.x, &problem.w).unwrap();
    let gradient = problem.gradient(GradientMethod::Adjoint).weights;
    let (n, damping) = (problem.n, 1e-3);
    let x = natural_gradient(&g, &gradient, damping).unwrap();
    let row = |i: usize| (0..n).map(|j| g[i * n + j] * x[j]).sum::<f64>() + damping * x[i];
    let back: Vec<f64> = (0..n).map(row).collect();
    assert!(max_difference(&back, &gradient) < 1e-13);
}

/// Longitude moves the state less than latitude, but the loss as well: the natural gradient of
/// `<X>` does not depend on which angle is which.
#[test]
fn natural_gradients_are_those_of_the_sphere() {
    let mut circuit = Circuit::new(1);
    circuit.ry(Angle::Weight(0), 0).rz(Angle::Weight(1), 0);
    let (theta, phi) = (0.8f64, 0.3f64);
    let (g, x) =
        (metric_tensor(&circuit, &[], &[theta, phi]).unwrap(), Observable::from(PauliString::x(0)));
    let adjoint = GradientMethod::Adjoint;
    let gradient = adjoint.gradient(&circuit, &[x], 1, &[], &[theta, phi], &[1.0]).unwrap();
    let natural = natural_gradient(&g, &gradient.weights, 0.0).unwrap();
    let expected = [4.0 * theta.cos() * phi.cos(), -4.0 * phi.sin() / theta.sin()];
    assert!(max_difference(&natural, &expected) < 1e-13);
}

#[test]
fn metrics_that_cannot_be_inverted_are_refused() {
    let message = |g: &[f64], damping: f64| {
        natural_gradient(g, &[1.0, 1.0], damping).unwrap_err().to_string()
    };
    let singular = message(&[0.25; 4], 0.0);
    assert!(singular.contains("pivot 0 at weight 1") && singular.contains("raise the damping"));
    assert!(natural_gradient(&[0.25; 4], &[1.0, 1.0], 1e-3).is_ok());
    assert_eq!(message(&[0.25; 3], 0.0), "the metric has 3 values, expected 4");
    assert_eq!(message(&[0.25; 4], -1.0), "the damping is -1: use a finite number, 0 or more");
    let nan = message(&[1.0, f64::NAN, 0.0, 1.0], 0.0);
    assert_eq!(nan, "metric[0, 1] is NaN: it must be finite");
    assert!(natural_gradient(&[], &[], 0.0).unwrap().is_empty());

    let mut large = Circuit::new(27);
    (0..27).for_each(|q| {
        large.ry(Angle::Weight(q), q);
    });
    let error = metric_tensor(&large, &[], &[0.0; 27]).unwrap_err();
    assert!(error.is_size_limit() && error.to_string().contains("64 GiB"), "{error}");
}
