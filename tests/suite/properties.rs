//! Properties that hold for every circuit, and the corners: no gates, one qubit, repeated
//! parameters, unused inputs.

use crate::common::*;
use burn_quantum::circuit::{Angle, Circuit, Observable, PauliString, ansatz};
use burn_quantum::gradient::GradientMethod;
use burn_quantum::statevector::{Gradient, Program, dense};
use num_complex::Complex64;

const METHODS: [GradientMethod; 3] = [
    GradientMethod::Adjoint,
    GradientMethod::ParameterShift,
    GradientMethod::FiniteDifference { step: 1e-5 },
];

fn by_all_methods(circuit: &Circuit, batch: usize, x: &[f64], w: &[f64]) -> Vec<Gradient<f64>> {
    let z = Observable::each_z(circuit.n_qubits());
    let c = vec![1.0; batch * z.len()];
    METHODS.map(|method| method.gradient(circuit, &z, batch, x, w, &c).unwrap()).into()
}

#[test]
fn a_circuit_without_gates_leaves_the_start() {
    for (n, batch) in [(1, 1), (1, 5), (3, 2)] {
        let circuit = Circuit::new(n);
        for gradient in by_all_methods(&circuit, batch, &[], &[]) {
            assert_eq!(gradient.values, vec![1.0; batch * n]);
            assert!(gradient.inputs.is_empty() && gradient.weights.is_empty());
        }
        let program = Program::new(&circuit, &[PauliString::x(0).into()]).unwrap();
        assert_eq!(program.expectation::<f32>(batch, &[], &[]).unwrap(), vec![0.0; batch]);
        assert_eq!(program.state::<f64>(&[], &[]).unwrap()[0], Complex64::ONE);
    }
}

#[test]
fn a_circuit_on_one_qubit_has_the_textbook_values() {
    let mut circuit = Circuit::new(1);
    circuit.h(0).rz(Angle::Input(0), 0).ry(Angle::Weight(0), 0);
    let (x, w) = (0.4f64, 0.9f64);
    for gradient in by_all_methods(&circuit, 1, &[x], &[w]) {
        assert!((gradient.values[0] + w.sin() * x.cos()).abs() < 1e-15);
        assert!((gradient.inputs[0] - w.sin() * x.sin()).abs() < 1e-9);
        assert!((gradient.weights[0] + w.cos() * x.cos()).abs() < 1e-9);
    }
}

/// One number as three angles of one gate and again in others: the derivatives add up.
#[test]
fn a_repeated_parameter_gets_the_sum_of_its_uses() {
    let angle = Angle::Weight(0);
    let mut circuit = Circuit::new(2);
    circuit.h(0).gate(burn_quantum::circuit::Gate::U, &[0], &[angle; 3]);
    circuit.gate(burn_quantum::circuit::Gate::CRX, &[0, 1], &[angle]).ry(angle, 1).ry(angle, 1);
    let gradients = by_all_methods(&circuit, 3, &[], &[0.6]);
    for other in &gradients[1..] {
        assert!((gradients[0].weights[0] - other.weights[0]).abs() < 1e-8);
    }
    let mut twice = Circuit::new(1);
    twice.rx(Angle::Weight(0), 0).rx(Angle::Weight(0), 0);
    let slope = by_all_methods(&twice, 1, &[], &[0.3])[0].weights[0];
    assert!((slope + 2.0 * 0.6f64.sin()).abs() < 1e-15);
}

#[test]
fn unused_inputs_and_weights_have_no_gradient() {
    let mut circuit = Circuit::new(2);
    circuit.rx(Angle::Input(2), 0).ry(Angle::Weight(1), 1);
    assert_eq!((circuit.n_inputs(), circuit.n_weights()), (3, 2));
    let x = [9.0, -9.0, 0.4, 7.0, 5.0, 0.8];
    for gradient in by_all_methods(&circuit, 2, &x, &[3.0, 0.5]) {
        assert!([0, 1, 3, 4].iter().all(|&i| gradient.inputs[i] == 0.0));
        assert!((gradient.inputs[2] + 0.4f64.sin()).abs() < 1e-9);
        assert!((gradient.inputs[5] + 0.8f64.sin()).abs() < 1e-9);
        assert_eq!(gradient.weights[0], 0.0);
    }
}

fn norm_error(circuit: &Circuit, x: &[f64], w: &[f64]) -> f64 {
    let (x, w) = (to_f32(x), to_f32(w));
    let state = Program::new(circuit, &[]).unwrap().state(&x, &w).unwrap();
    let norm: f64 = state.iter().map(|z| (z.re as f64).powi(2) + (z.im as f64).powi(2)).sum();
    (norm.sqrt() - 1.0).abs()
}

/// With angles that differ, which round at random, and with few angles used a thousand times each,
/// which round the same way each time.
#[test]
fn the_norm_survives_ten_thousand_gates_in_single_precision() {
    for (seed, n) in [1, 2, 4, 6, 13].into_iter().enumerate() {
        let mut rng = rng(seed as u64);
        let fresh = ansatz::strongly_entangling(n, 10_000 / (2 * n));
        let w = uniform(&mut rng, fresh.n_weights(), 3.0);
        let error = norm_error(&fresh, &[], &w);
        assert!(error < 1e-6, "{n} qubits, fresh angles: {error:e}");
        let shared = random_circuit(&mut rng, n, 10_000 - 2 * n);
        let (x, w) = (uniform(&mut rng, n, 3.0), uniform(&mut rng, n, 3.0));
        let error = norm_error(&shared, &x, &w);
        assert!(error < 1e-6, "{n} qubits, shared angles: {error:e}");
    }
}

#[test]
fn a_circuit_and_its_inverse_return_the_start() {
    for (seed, n) in [1, 2, 4, 6, 13].into_iter().enumerate() {
        let mut rng = rng(40 + seed as u64);
        let (x, w) = (uniform(&mut rng, n, 3.0), uniform(&mut rng, n, 3.0));
        let mut circuit = random_circuit(&mut rng, n, 200).bind(&x, &w).unwrap();
        let inverse = circuit.inverse();
        circuit.append(&inverse).unwrap();
        let state = Program::new(&circuit, &[]).unwrap().state::<f64>(&[], &[]).unwrap();
        assert!((state[0] - Complex64::ONE).norm() < 1e-12, "{n} qubits: {}", state[0]);
    }
}

#[test]
fn states_and_expectations_are_the_same_on_any_number_of_threads() {
    let circuit = ansatz::strongly_entangling(5, 3);
    let mut rng = rng(60);
    let observables = random_observables(&mut rng, 5);
    let program = Program::new(&circuit, &observables).unwrap();
    let w = uniform(&mut rng, circuit.n_weights(), 3.0);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let values = program.expectation(33, &[], &w).unwrap();
            let spread = program.variance(33, &[], &w).unwrap();
            (values, spread, program.probabilities(33, &[], &w).unwrap())
        })
    };
    assert_eq!(on(1), on(2));
    assert_eq!(on(1), on(5));
    let state = dense::state(&circuit, &[], &w).unwrap();
    let slow: Vec<f64> = observables.iter().map(|o| dense::expectation(o, &state)).collect();
    assert!(max_difference(&on(2).0[..slow.len()], &slow) < 1e-13);
}
