//! The tensor operations on every backend of this build.

use crate::common::*;
use crate::devices::*;
use burn::tensor::Tensor;
use burn_quantum::circuit::PauliString;
use burn_quantum::ops::{anneal_expectation, circuit_expectation, mean_field};
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

/// `sigmoid(theta + m W)`, number by number.
fn mean_field_by_loops(
    theta: &[f64],
    w: &[f64],
    dims: [usize; 4],
    n_iterations: usize,
) -> Vec<f64> {
    let [_, heads, rows, n] = dims;
    let n_matrices = w.len() / (n * n);
    let coupling = |k: usize, i: usize, j: usize| {
        let k = if n_matrices == heads { k % heads } else { k };
        w[(k * n + i) * n + j]
    };
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let start: Vec<f64> = theta.iter().map(|&x| sigmoid(x)).collect();
    (0..=n_iterations).fold(start, |m, _| {
        let step = |at: usize| {
            let pull = |i: usize| m[at / n * n + i] * coupling(at / n / rows, i, at % n);
            sigmoid(theta[at] + (0..n).map(pull).sum::<f64>())
        };
        (0..theta.len()).map(step).collect()
    })
}

#[test]
fn mean_fields_are_those_of_the_obvious_loops() {
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        for (seed, n) in [1, 2, 7, 16, 33].into_iter().enumerate() {
            for matrices in [1, 3] {
                let dims = [3, 2, 5, n];
                let mut rng = rng(seed as u64);
                let theta = uniform(&mut rng, dims.iter().product(), 3.0);
                let w = uniform(&mut rng, matrices * 2 * n * n, 2.0 / n as f64);
                let expected = mean_field_by_loops(&theta, &w, dims, 4);
                let theta = tensor(&theta, dims, &device, dtype);
                let w = tensor(&w, [matrices, 2, n, n], &device, dtype);
                let m = mean_field(theta.clone(), w.clone(), 4);
                assert_eq!(m.dims(), dims);
                assert!(max_difference(&values(m.clone()), &expected) < 1e-5, "{name}");
                // Rows in another order, from a view.
                let turned = mean_field(theta.flip([2]), w, 4).flip([2]);
                assert!(max_difference(&values(turned), &expected) < 1e-5, "{name}");
            }
        }
    }
}

/// Fields and couplings, of any symmetry and with a diagonal.
#[test]
fn gradients_of_the_mean_field_agree_with_central_differences() {
    for (name, device) in devices() {
        for (batch, matrices) in [(1, 1), (5, 1), (2, 2)] {
            let (dims, w_dims) = ([batch, 2, 3, 4], [matrices, 2, 4, 4]);
            let n_theta = dims.iter().product();
            let mut at = uniform(&mut rng(5), n_theta, 2.0);
            at.extend(uniform(&mut rng(6), w_dims.iter().product(), 0.5));
            let split = |leaf: &Tensor<1>| {
                let theta: Tensor<4> = leaf.clone().narrow(0, 0, n_theta).reshape(dims);
                let w = leaf.clone().narrow(0, n_theta, w_dims.iter().product());
                (theta, w.reshape::<4, _>(w_dims))
            };
            check_gradient(name, &device, &at, |leaf| {
                let (theta, w) = split(&leaf);
                project(mean_field(theta, w, 100).reshape([batch, 24]))
            });
            check_gradient(name, &device, &at, |leaf| {
                let (theta, w) = split(&leaf);
                let m = mean_field(theta.clone().sin() * 2.0, w.clone().tanh(), 100);
                let classical = theta.cos().sum() + w.powi_scalar(2).sum();
                project(m.powi_scalar(2).reshape([batch, 24])) + classical
            });
        }
    }
}

/// As an attention hides keys: no value, no pull, no gradient, whatever the couplings.
#[test]
fn a_bit_far_below_zero_is_not_there() {
    for (name, device) in devices() {
        let dtype = burn::tensor::DType::F32;
        let ad = device.clone().autodiff();
        let all = uniform(&mut rng(9), 2 * 3 * 5, 2.0);
        let w = uniform(&mut rng(10), 25, 0.5);
        let theta = tensor(&all, [1, 2, 3, 5], &ad, dtype).require_grad();
        let pinned = tensor(&[0.0, 0.0, 0.0, -1e4, -1e4], [1, 1, 1, 5], &ad, dtype);
        let couplings = tensor(&w, [1, 1, 5, 5], &ad, dtype).repeat_dim(1, 2).require_grad();
        let m = mean_field(theta.clone() + pinned, couplings.clone(), 4);
        let few = |t: Tensor<4>| t.narrow(3, 0, 3);
        let small = mean_field(few(theta.clone()), few(couplings.clone()).narrow(2, 0, 3), 4);
        assert!(max_difference(&values(few(m.clone())), &values(small)) < 1e-6, "{name}");
        assert_eq!(values(m.clone().narrow(3, 3, 2)), [0.0; 12], "{name}");
        let grads = project(m.reshape([3, 10])).backward();
        let by_theta = values(theta.grad(&grads).unwrap());
        assert!((0..30).all(|k| (by_theta[k] == 0.0) == (k % 5 > 2)), "{name}: {by_theta:?}");
        let by_w = values(couplings.grad(&grads).unwrap());
        let hidden = |k: usize| k % 5 > 2 || k / 5 % 5 > 2;
        assert!((0..50).all(|k| (by_w[k] == 0.0) == hidden(k)), "{name}: {by_w:?}");
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
        let fields = tensor::<4>(&[], [0, 1, 2, N], &ad, dtype);
        let m = mean_field(fields, j.clone().reshape([1, 1, N, N]), 2);
        let g = j.grad(&m.sum().backward()).unwrap();
        assert_eq!(values(g), [0.0; N * N], "{name}");

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

    #[test]
    #[should_panic(expected = "mean_field: theta[0, 1, 0, 2] is NaN: it must be finite")]
    fn a_nan_field() {
        let theta = [[[[0.0, 0.0, 0.0]], [[0.0, 0.0, f32::NAN]]]];
        let w = Tensor::zeros([1, 2, 3, 3], &device());
        mean_field(Tensor::from_floats(theta, &device()), w, 1);
    }

    #[test]
    #[should_panic(expected = "axis 0 expected 2, got 3")]
    fn matrices_of_another_batch() {
        let theta = Tensor::zeros([2, 1, 1, 3], &device());
        mean_field(theta, Tensor::zeros([3, 1, 3, 3], &device()), 1);
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
