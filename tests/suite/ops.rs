//! The tensor operations on every backend of this build.

use crate::common::*;
use crate::devices::*;
use burn::tensor::Tensor;
use burn_quantum::circuit::PauliString;
use burn_quantum::ops::{anneal_expectation, circuit_expectation};
use burn_quantum::statevector::{Evolution, EvolutionInput, Program};
use std::sync::Arc;

const N: usize = 3;

fn program() -> Arc<Program> {
    let mut rng = rng(4);
    let circuit = random_circuit(&mut rng, N, 15);
    Arc::new(Program::new(&circuit, &random_observables(&mut rng, N)).unwrap())
}

fn evolution() -> Arc<Evolution> {
    let z = PauliString::z;
    Arc::new(Evolution::new(N, &[z(0), z(1), z(2), z(0) * z(2)]).unwrap())
}

/// Fixed weights, so that errors in different outputs do not cancel.
fn project(out: Tensor<2>) -> Tensor<1> {
    let c = uniform(&mut rng(8), out.shape().num_elements(), 1.0);
    let c = tensor(&c, out.dims(), &out.device(), out.dtype());
    (out * c).sum()
}

#[test]
fn circuit_values_are_those_of_the_slice_api() {
    let (program, mut rng) = (program(), rng(1));
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        for batch in [0, 1, 2, 19] {
            let (x, w) = (uniform(&mut rng, batch * N, 3.0), uniform(&mut rng, N, 3.0));
            let expected = program.expectation(batch, &x, &w).unwrap();
            let (x, w) = (tensor(&x, [batch, N], &device, dtype), tensor(&w, [N], &device, dtype));
            let out = circuit_expectation(x, w, &program);
            assert_eq!(out.dims(), [batch, program.n_observables()]);
            assert!(max_difference(&values(out), &expected) < 1e-5, "{name}");
        }
    }
}

/// Inputs and weights in one leaf; the gradient of each is checked, beside a classical term.
#[test]
fn circuit_gradients_agree_with_central_differences() {
    let program = program();
    for (name, device) in devices() {
        for batch in [1, 4] {
            let at = uniform(&mut rng(2), (batch + 1) * N, 3.0);
            let split = |leaf: Tensor<1>| {
                let x: Tensor<2> = leaf.clone().narrow(0, 0, batch * N).reshape([batch, N]);
                (x, leaf.narrow(0, batch * N, N))
            };
            check_gradient(name, &device, &at, |leaf| {
                let (x, w) = split(leaf);
                project(circuit_expectation(x, w, &program))
            });
            check_gradient(name, &device, &at, |leaf| {
                let (x, w) = split(leaf);
                let classical = x.clone().sin().mul(w.clone().unsqueeze()).sum();
                let doubled = circuit_expectation(x.sin() * 2.0, w.clone(), &program);
                project(doubled.tanh()) + classical + w.powi_scalar(2).sum()
            });
        }
    }
}

/// The same for fields, couplings, start angles and schedule.
#[test]
fn annealing_gradients_agree_with_central_differences() {
    let evolution = evolution();
    for (name, device) in devices() {
        for (batch, rows) in [(1, 1), (4, 1), (3, 3)] {
            let steps = 4;
            let sizes = [batch * N, rows * N * N, batch * N, steps * 2];
            let at = uniform(&mut rng(3), sizes.iter().sum(), 0.9);
            let run = |leaf: Tensor<1>| {
                let mut first = 0;
                let mut next = |size: usize| {
                    first += size;
                    leaf.clone().narrow(0, first - size, size)
                };
                let fields: Tensor<2> = next(sizes[0]).reshape([batch, N]);
                let couplings = next(sizes[1]).reshape([rows, N, N]);
                let start = next(sizes[2]).reshape([batch, N]);
                let schedule = next(sizes[3]).reshape([steps, 2]);
                let out =
                    anneal_expectation(fields.clone(), couplings, start, schedule, &evolution);
                project(out) + (fields.cos() * 0.3).sum()
            };
            check_gradient(name, &device, &at, run);
        }
    }
}

#[test]
fn annealing_values_are_those_of_the_slice_api() {
    let (evolution, mut rng) = (evolution(), rng(6));
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        for batch in [0, 1, 5, 20] {
            let [h, j, x, t] =
                [batch * N, N * N, batch * N, 10].map(|len| uniform(&mut rng, len, 1.0));
            let input =
                EvolutionInput { batch, fields: &h, couplings: &j, start: &x, schedule: &t };
            let expected = evolution.expectation(&input).unwrap();
            let out = anneal_expectation(
                tensor(&h, [batch, N], &device, dtype),
                tensor(&j, [1, N, N], &device, dtype),
                tensor(&x, [batch, N], &device, dtype),
                tensor(&t, [5, 2], &device, dtype),
                &evolution,
            );
            assert_eq!(out.dims(), [batch, 4]);
            assert!(max_difference(&values(out), &expected) < 1e-5, "{name}");
        }
    }
}

#[test]
fn views_are_read_in_their_own_order() {
    let program = program();
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        let x = tensor(&uniform(&mut rng(7), 6 * 6, 3.0), [6, 6], &device, dtype);
        let w = tensor(&uniform(&mut rng(8), 2 * N, 3.0), [2 * N], &device, dtype);
        let views = [
            x.clone().transpose().narrow(1, 1, N),
            x.clone().narrow(1, 2, N),
            x.clone().flip([0, 1]).narrow(1, 0, N),
            x.clone().narrow(0, 2, 1).narrow(1, 0, N).expand([5, N]),
        ];
        for view in views {
            let copy = tensor(&values(view.clone()), view.dims(), &device, dtype);
            let odd = w.clone().slice(burn::tensor::s![1..;2]);
            let odd_copy = tensor(&values(odd.clone()), [N], &device, dtype);
            let a = circuit_expectation(view, odd, &program);
            let b = circuit_expectation(copy, odd_copy, &program);
            assert_eq!(values(a), values(b), "{name}");
        }
    }
}

/// Fields and start angles as columns of one tensor, couplings transposed, a schedule backwards.
#[test]
fn annealing_reads_views_in_their_own_order() {
    let evolution = evolution();
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        let random = |seed, len| uniform(&mut rng(seed), len, 1.0);
        let x = tensor(&random(1, 4 * 2 * N), [4, 2 * N], &device, dtype);
        let j = tensor(&random(2, N * N), [1, N, N], &device, dtype).transpose();
        let t = tensor(&random(3, 10), [5, 2], &device, dtype).flip([0]);
        let (fields, start) = (x.clone().narrow(1, 0, N), x.narrow(1, N, N));
        let run = |f: Tensor<2>, j: Tensor<3>, s: Tensor<2>, t: Tensor<2>| {
            values(anneal_expectation(f, j, s, t, &evolution))
        };
        let copy = |t: &Tensor<2>| tensor(&values(t.clone()), t.dims(), &device, dtype);
        let j_copy = tensor(&values(j.clone()), j.dims(), &device, dtype);
        let copies = run(copy(&fields), j_copy, copy(&start), copy(&t));
        assert_eq!(run(fields, j, start, t), copies, "{name}");
    }
}

#[test]
fn only_tracked_parents_get_a_gradient_and_a_leaf_used_twice_gets_the_sum() {
    let program = program();
    for (name, device) in devices() {
        let (dtype, _, tolerance) = precision(name);
        let ad = device.clone().autodiff();
        let (x, w) = (uniform(&mut rng(1), 2 * N, 3.0), uniform(&mut rng(2), N, 3.0));
        let plain_x = tensor(&x, [2, N], &device, dtype);
        let weights = tensor(&w, [N], &ad, dtype).require_grad();
        let out = circuit_expectation(plain_x, weights.clone(), &program);
        let once = values(weights.grad(&project(out).backward()).unwrap());

        let x = tensor(&x, [2, N], &ad, dtype);
        let run = || project(circuit_expectation(x.clone(), weights.clone(), &program));
        let twice = values(weights.grad(&(run() + run()).backward()).unwrap());
        let doubled: Vec<f64> = once.iter().map(|g| 2.0 * g).collect();
        assert!(max_difference(&twice, &doubled) < tolerance, "{name}");

        let untracked =
            circuit_expectation(x.clone(), weights.clone().without_autodiff().autodiff(), &program);
        assert!(!untracked.is_tracked(), "{name}");
    }
}

#[test]
fn an_empty_batch_has_zero_gradients() {
    let program = program();
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        let ad = device.autodiff();
        let w = tensor(&[0.1; N], [N], &ad, dtype).require_grad();
        let out = circuit_expectation(tensor(&[], [0, N], &ad, dtype), w.clone(), &program);
        let g = w.grad(&out.sum().backward()).unwrap();
        assert_eq!(values(g), [0.0; N], "{name}");

        let none = || tensor::<2>(&[], [0, N], &ad, dtype);
        let j = tensor(&[0.5; N * N], [1, N, N], &ad, dtype).require_grad();
        let t = tensor(&[0.1; 4], [2, 2], &ad, dtype).require_grad();
        let out = anneal_expectation(none(), j.clone(), none(), t.clone(), &evolution());
        let grads = out.sum().backward();
        assert_eq!(values(j.grad(&grads).unwrap()), [0.0; N * N], "{name}");
        assert_eq!(values(t.grad(&grads).unwrap()), [0.0; 4], "{name}");
    }
}

#[cfg(feature = "flex")]
mod misuse {
    use super::*;

    fn run(x: Tensor<2>, w: Tensor<1>) {
        circuit_expectation(x, w, &program());
    }

    fn zeros(batch: usize, n: usize) -> Tensor<2> {
        Tensor::zeros([batch, n], &device())
    }

    #[test]
    #[should_panic(
        expected = "assert_shape!(inputs, [_, program.n_inputs()]): axis 1 expected 3, got 4"
    )]
    fn a_wrong_number_of_inputs() {
        run(zeros(2, 4), zeros(1, 3).reshape([3]));
    }

    #[test]
    #[should_panic(expected = "circuit_expectation: inputs[1, 2] is NaN: it must be finite")]
    fn a_nan_input() {
        let x = Tensor::from_floats([[0.0, 0.0, 0.0], [0.0, 0.0, f32::NAN]], &device());
        run(x, zeros(1, 3).reshape([3]));
    }

    #[test]
    #[should_panic(expected = "circuit_expectation: dtypes differ (F32, F64): cast one")]
    fn mixed_dtypes() {
        run(zeros(1, 3), zeros(1, 3).reshape([3]).cast(burn::tensor::FloatDType::F64));
    }

    #[test]
    #[should_panic(expected = "axis 0 expected 2, got 3")]
    fn couplings_of_another_batch() {
        let (h, t) = (zeros(2, N), zeros(4, 2));
        anneal_expectation(h.clone(), Tensor::zeros([3, N, N], &device()), h, t, &evolution());
    }

    /// Half precision is computed in single precision and given back as it came.
    #[test]
    fn half_precision_keeps_its_dtype() {
        let half = burn::tensor::FloatDType::F16;
        let out = circuit_expectation(
            zeros(2, 3).cast(half),
            zeros(1, 3).reshape([3]).cast(half),
            &program(),
        );
        assert_eq!(out.dtype(), burn::tensor::DType::F16);
    }
}
