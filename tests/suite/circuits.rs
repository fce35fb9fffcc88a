//! The simulator and its gradients against the dense oracle and each other.

use crate::common::*;
use burn_quantum::circuit::{Angle, Circuit, Gate, Observable, Operation, PauliString, ansatz};
use burn_quantum::gradient::GradientMethod;
use burn_quantum::statevector::{Gradient, MAX_QUBITS, Program, dense};

const SIZES: [(usize, usize); 7] = [(1, 1), (2, 3), (3, 2), (4, 9), (5, 40), (2, 17), (3, 0)];

#[test]
fn expectations_are_those_of_the_dense_oracle() {
    for (seed, (n, batch)) in SIZES.into_iter().enumerate() {
        let mut rng = rng(seed as u64);
        let circuit = random_circuit(&mut rng, n, 25);
        let observables = random_observables(&mut rng, n);
        let (x, w) = (uniform(&mut rng, batch * n, 3.0), uniform(&mut rng, n, 3.0));
        let program = Program::new(&circuit, &observables).unwrap();
        let fast = program.expectation(batch, &x, &w).unwrap();
        let single = program.expectation(batch, &to_f32(&x), &to_f32(&w)).unwrap();
        let slow: Vec<f64> = (0..batch)
            .flat_map(|b| {
                let state = dense::state(&circuit, &x[b * n..][..n], &w).unwrap();
                observables.iter().map(move |o| dense::expectation(o, &state)).collect::<Vec<_>>()
            })
            .collect();
        assert!(max_difference(&fast, &slow) < 1e-13, "n {n}, batch {batch}");
        assert!(max_difference(&to_f64(&single), &slow) < 1e-5, "n {n}, batch {batch}");
    }
}

/// All sizes to six qubits, in batches that fill tiles, leave a rest, or are too small for one.
#[test]
fn all_small_registers_agree_with_the_dense_oracle() {
    for n in 1..=6 {
        for (k, batch) in [1, 2, 8, 21].into_iter().enumerate() {
            for seed in 0..5 {
                let mut rng = rng(1000 * n as u64 + 10 * k as u64 + seed);
                let circuit = random_circuit(&mut rng, n, 30);
                let observables = random_observables(&mut rng, n);
                let (x, w) = (uniform(&mut rng, batch * n, 3.0), uniform(&mut rng, n, 3.0));
                let program = Program::new(&circuit, &observables).unwrap();
                let fast = program.expectation(batch, &x, &w).unwrap();
                let single = program.expectation(batch, &to_f32(&x), &to_f32(&w)).unwrap();
                for b in 0..batch {
                    let state = dense::state(&circuit, &x[b * n..][..n], &w).unwrap();
                    for (k, observable) in observables.iter().enumerate() {
                        let exact = dense::expectation(observable, &state);
                        let at = b * observables.len() + k;
                        assert!((fast[at] - exact).abs() < 1e-13, "{n} {batch} {seed}");
                        assert!((single[at] as f64 - exact).abs() < 1e-5, "{n} {batch} {seed}");
                    }
                }
            }
        }
    }
}

fn difference(a: &Gradient<f64>, b: &Gradient<f64>) -> f64 {
    let pairs = [(&a.values, &b.values), (&a.inputs, &b.inputs), (&a.weights, &b.weights)];
    pairs.into_iter().map(|(a, b)| max_difference(a, b)).fold(0.0, f64::max)
}

#[test]
fn adjoint_parameter_shift_and_central_differences_agree() {
    for (seed, (n, batch)) in SIZES.into_iter().enumerate() {
        let mut rng = rng(100 + seed as u64);
        let circuit = random_circuit(&mut rng, n, 20);
        let observables = random_observables(&mut rng, n);
        let (x, w) = (uniform(&mut rng, batch * n, 3.0), uniform(&mut rng, n, 3.0));
        let c = uniform(&mut rng, batch * observables.len(), 1.0);
        let by = |method: GradientMethod| {
            method.gradient(&circuit, &observables, batch, &x, &w, &c).unwrap()
        };
        let adjoint = by(GradientMethod::Adjoint);
        assert!(difference(&adjoint, &by(GradientMethod::ParameterShift)) < 1e-11, "n {n}");
        let step = GradientMethod::FiniteDifference { step: 1e-5 };
        assert!(difference(&adjoint, &by(step)) < 1e-7, "n {n}, batch {batch}");

        let program = Program::new(&circuit, &observables).unwrap();
        let single = program.gradient(batch, &to_f32(&x), &to_f32(&w), &to_f32(&c)).unwrap();
        let single = Gradient {
            values: to_f64(&single.values),
            inputs: to_f64(&single.inputs),
            weights: to_f64(&single.weights),
        };
        assert!(difference(&adjoint, &single) < 2e-4, "n {n}, batch {batch}");
    }
}

/// Runs of one-qubit gates become one matrix, whose angles still get a gradient each.
#[test]
fn fused_runs_have_the_values_and_gradients_of_their_gates() {
    for seed in 0..12 {
        let (mut rng, n, batch) = (rng(200 + seed), 1 + seed as usize % 3, 3);
        let circuit = random_runs(&mut rng, n, 30);
        let observables = random_observables(&mut rng, n);
        let program = Program::new(&circuit, &observables).unwrap();
        assert!(program.n_passes() < circuit.operations().len(), "something is fused");
        let (x, w) = (uniform(&mut rng, batch * n, 3.0), uniform(&mut rng, n, 3.0));
        let c = uniform(&mut rng, batch * observables.len(), 1.0);
        let by = |method: GradientMethod| {
            method.gradient(&circuit, &observables, batch, &x, &w, &c).unwrap()
        };
        let (adjoint, shift) = (by(GradientMethod::Adjoint), by(GradientMethod::ParameterShift));
        assert!(difference(&adjoint, &shift) < 1e-11, "{seed}: {}", difference(&adjoint, &shift));
        let state = dense::state(&circuit, &x[..n], &w).unwrap();
        for (o, value) in observables.iter().zip(&adjoint.values) {
            assert!((dense::expectation(o, &state) - value).abs() < 1e-13, "{seed}");
        }
    }
}

/// Large states have no tables and are cut into pieces: the same circuit on a few qubits of a large
/// register must give the same values and gradients.
#[test]
fn large_registers_agree_with_small_ones() {
    for (seed, place) in [[0, 3, 7, 11, 12], [15, 2, 9, 0, 14]].into_iter().enumerate() {
        large_register_agrees_with_small_one(seed as u64, place);
    }
}

fn large_register_agrees_with_small_one(seed: u64, place: [usize; 5]) {
    let (n, batch) = (5, 2);
    let mut rng = rng(31 + seed);
    let small = random_circuit(&mut rng, n, 40);
    let mut large = Circuit::new(place.into_iter().max().unwrap() + 1);
    for operation in small.operations() {
        let own = operation.gate().info().n_controls;
        let qubits: Vec<usize> = operation.qubits().map(|q| place[q]).collect();
        let (own, rest) = qubits.split_at(own);
        let (added, targets) = rest.split_at(rest.len() - operation.targets().len());
        let moved = Operation::new(operation.gate(), &[own, targets].concat(), operation.angles());
        large.push(moved.unwrap().with_controls(added).unwrap()).unwrap();
    }
    let z = |q: usize| Observable::from(PauliString::z(q));
    let of_large: Vec<_> = place.into_iter().map(z).collect();
    let (x, w) = (uniform(&mut rng, batch * n, 3.0), uniform(&mut rng, n, 3.0));
    let c = uniform(&mut rng, batch * n, 1.0);
    let run = |circuit: &Circuit, observables: &[Observable]| {
        Program::new(circuit, observables).unwrap().gradient(batch, &x, &w, &c).unwrap()
    };
    let (small, large) = (run(&small, &Observable::each_z(n)), run(&large, &of_large));
    assert!(difference(&small, &large) < 1e-12, "{}", difference(&small, &large));
}

/// The states of a forward run are those that the gradient would compute.
#[test]
fn kept_states_give_the_same_gradient() {
    for (n, batch) in [(1, 3), (4, 37), (6, 20), (6, 1), (13, 2)] {
        let mut rng = rng(400 + n as u64);
        let circuit = random_circuit(&mut rng, n, 30);
        let observables = random_observables(&mut rng, n);
        let program = Program::new(&circuit, &observables).unwrap();
        let (x, w) = (uniform(&mut rng, batch * n, 3.0), uniform(&mut rng, n, 3.0));
        let c = uniform(&mut rng, batch * observables.len(), 1.0);
        let whole = program.gradient(batch, &x, &w, &c).unwrap();
        for _ in 0..2 {
            let (values, states) = program.forward(batch, &x, &w).unwrap();
            let rest = program.gradient_from(states, &x, &w, &c).unwrap();
            assert_eq!(values, whole.values);
            assert_eq!((rest.inputs, rest.weights), (whole.inputs.clone(), whole.weights.clone()));
        }
        let (_, states) = program.forward(batch, &x, &w).unwrap();
        let error = program.gradient_from(states, &x, &w, &c[1..]).unwrap_err().to_string();
        assert!(error.starts_with("cotangent has"), "{error}");
        let other = Program::new(&Circuit::new(n + 1), &[]).unwrap();
        let (_, states) = other.forward::<f64>(batch, &[], &[]).unwrap();
        let error = program.gradient_from(states, &x, &w, &c).unwrap_err().to_string();
        assert!(error.contains(&format!("have {} qubits", n + 1)), "{error}");
    }
}

/// Threads share one large state; its sums are over pieces that do not depend on their number.
#[test]
fn threads_in_one_state_change_nothing() {
    let circuit = {
        let mut circuit = ansatz::strongly_entangling(16, 1);
        circuit.gate(Gate::RZZ, &[2, 15], &[Angle::Constant(0.3)]).h(3);
        circuit.append(&ansatz::hardware_efficient(16, 1)).unwrap();
        circuit
    };
    let program = Program::new(&circuit, &Observable::each_z(16)).unwrap();
    let mut rng = rng(77);
    let w = to_f32(&uniform(&mut rng, circuit.n_weights(), 3.0));
    let c = to_f32(&uniform(&mut rng, 16, 1.0));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| program.gradient(1, &[], &w, &c).unwrap())
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
    let wide = |v: &[f32]| to_f64(v);
    let exact = program.gradient(1, &[], &wide(&w), &wide(&c)).unwrap();
    assert!(max_difference(&to_f64(&one.values), &exact.values) < 1e-5);
    assert!(max_difference(&to_f64(&one.weights), &exact.weights) < 1e-4);
}

/// A state too large for lanes takes the one-sample path; it must be the same arithmetic.
#[test]
fn large_states_agree_with_small_batches() {
    let circuit = ansatz::hardware_efficient(13, 1);
    let program = Program::new(&circuit, &Observable::each_z(13)).unwrap();
    let w = uniform(&mut rng(5), circuit.n_weights(), 3.0);
    let (one, many) =
        (program.expectation(1, &[], &w).unwrap(), program.expectation(4, &[], &w).unwrap());
    assert_eq!(one.repeat(4), many);
    // CNOTs fan out: <Z_q> of this circuit is a product of cosines of the RY angles.
    let cosines: Vec<f64> = (0..13).map(|q| w[2 * q].cos()).collect();
    for q in 0..13 {
        assert!((one[q] - cosines[..=q].iter().product::<f64>()).abs() < 1e-13);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let mut rng = rng(9);
    let circuit = random_circuit(&mut rng, 4, 20);
    let program = Program::new(&circuit, &Observable::each_z(4)).unwrap();
    let (x, w) = (to_f32(&uniform(&mut rng, 400 * 4, 3.0)), to_f32(&uniform(&mut rng, 4, 3.0)));
    let c = to_f32(&uniform(&mut rng, 400 * 4, 1.0));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| program.gradient(400, &x, &w, &c).unwrap())
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(7));
}

#[test]
fn bad_input_is_named() {
    let mut circuit = Circuit::new(2);
    circuit.rx(Angle::Input(1), 0).rx(Angle::Weight(0), 1);
    let program = Program::new(&circuit, &Observable::each_z(2)).unwrap();
    let message = |x: &[f64], w: &[f64]| program.expectation(2, x, w).unwrap_err().to_string();
    assert_eq!(message(&[0.0; 3], &[0.0]), "inputs has 3 values, expected 4");
    assert_eq!(message(&[0.0; 4], &[]), "weights has 0 values, expected 1");
    let nan = message(&[0.0, 0.0, 0.0, f64::NAN], &[0.0]);
    assert_eq!(nan, "inputs[1, 1] is NaN: it must be finite");
    let infinite = message(&[0.0; 4], &[f64::INFINITY]);
    assert_eq!(infinite, "weights[0, 0] is inf: it must be finite");

    let large = Program::new(&Circuit::new(MAX_QUBITS + 1), &[]).unwrap_err();
    assert!(large.is_size_limit(), "{large}");
    let limits = "27 qubits exceed the limit of 26 for state-vector simulation, as they take 2 GiB";
    assert!(large.to_string().starts_with(limits), "{large}");
    let outside = Program::new(&Circuit::new(1), &Observable::each_z(2)).unwrap_err();
    assert_eq!(outside.to_string(), "qubit 1 is out of range for 1 qubits: use 0 to 0");
}
