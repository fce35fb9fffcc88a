//! The memories: closed forms against states, gradients, reading by hand.

use crate::common::*;
use crate::devices::*;
use burn::module::Param;
use burn::tensor::{DType, Device, Tensor};
use burn_quantum::circuit::{Angle, Circuit};
use burn_quantum::nn::*;
use burn_quantum::statevector::dense;

/// A parameter that stays part of the graph it comes from.
fn param<const D: usize>(tensor: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(burn::module::ParamId::new(), tensor)
}

/// `|<prod RY(a)|prod RY(b)>|^2` from state vectors.
fn fidelity(a: &[f64], b: &[f64]) -> f64 {
    let mut circuit = Circuit::new(a.len());
    for q in 0..a.len() {
        circuit.ry(Angle::Input(q), q);
    }
    let state = |x| dense::state(&circuit, x, &[]).unwrap();
    let (a, b) = (state(a), state(b));
    a.iter().zip(&b).map(|(a, b)| a.conj() * b).sum::<num_complex::Complex64>().norm_sqr()
}

fn mean_fidelity(a: &[f64], b: &[f64]) -> f64 {
    let each = a.iter().zip(b).map(|(&a, &b)| fidelity(&[a], &[b]));
    each.sum::<f64>() / a.len() as f64
}

/// The precision of the first device.
fn dtype() -> DType {
    precision(devices()[0].0).0
}

/// A memory of the given angles and fields, `[n_slots, n_qubits]` each.
fn memory(
    config: &QuantumMemoryConfig,
    angles: &[f64],
    fields: &[f64],
    device: &Device,
) -> QuantumMemory {
    let shape = [config.n_slots, config.n_qubits];
    let dtype = dtype();
    let mut memory = config.init(device);
    memory.angles = param(tensor(angles, shape, device, dtype));
    memory.bias_fields = param(tensor(fields, shape, device, dtype));
    let beta = [config.inverse_temperature.ln()];
    memory.log_inverse_temperature = param(tensor(&beta, [1], device, dtype));
    memory
}

#[test]
fn overlaps_are_those_of_the_states() {
    let (_, device) = devices().remove(0);
    for n in [1, 2, 3, 5, 8] {
        let mut rng = rng(n as u64);
        let (x, m) = (uniform(&mut rng, 2 * n, 4.0), uniform(&mut rng, 3 * n, 4.0));
        for (overlap, slow) in [
            (StateOverlap::Fidelity, fidelity as fn(&[f64], &[f64]) -> f64),
            (StateOverlap::MeanFidelity, mean_fidelity),
        ] {
            let config = QuantumMemoryConfig::new(n, 3).with_overlap(overlap);
            let memory = memory(&config, &m, &m, &device);
            let fast = values(memory.overlaps(tensor(&x, [2, n], &device, dtype())));
            let pairs = x.chunks(n).flat_map(|x| m.chunks(n).map(move |m| (x, m)));
            let slow: Vec<f64> = pairs.map(|(x, m)| slow(x, m)).collect();
            assert!(max_difference(&fast, &slow) < rounding(), "{n} qubits, {overlap:?}");
        }
    }
}

/// A state of the memory recalls its own field, the more so the colder the softmax.
#[test]
fn recall_is_the_softmax_of_the_overlaps() {
    let (_, device) = devices().remove(0);
    let m = [0.3, -1.0, 2.0, 1.5];
    let fields = [1.0, -1.0, 0.5, 0.25];
    let expected = |beta: f64| {
        let other = (beta * (fidelity(&m[..2], &m[2..]) - 1.0)).exp();
        let weights = [1.0 / (1.0 + other), other / (1.0 + other)];
        [0, 1].map(|i| weights[0] * fields[i] + weights[1] * fields[2 + i])
    };
    for beta in [0.5, 4.0, 100.0] {
        let config = QuantumMemoryConfig::new(2, 2).with_inverse_temperature(beta);
        let memory = memory(&config, &m, &fields, &device);
        let out = values(memory.forward(tensor(&m[..2], [1, 2], &device, dtype())));
        assert!(max_difference(&out, &expected(beta)) < 10.0 * rounding(), "{beta}: {out:?}");
    }
    assert!(max_difference(&expected(100.0), &fields[..2]) < 1e-10);
}

/// Input, angles, fields and temperature; the first input is orthogonal to the first state on two
/// qubits, where a product by logarithms would divide zero by zero.
#[test]
fn gradients_of_the_quantum_memory() {
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        for overlap in [StateOverlap::Fidelity, StateOverlap::MeanFidelity] {
            let mut at = uniform(&mut rng(3), 2 * 5 + 2 * 15 + 1, 2.0);
            (at[0], at[1]) = (at[10] + std::f64::consts::PI, at[11] - std::f64::consts::PI);
            let config = QuantumMemoryConfig::new(5, 3).with_overlap(overlap);
            let memory = config.init(&device);
            let c = uniform(&mut rng(4), 10, 1.0);
            check_gradient(name, &device, &at, |leaf| {
                let mut memory = memory.clone();
                memory.angles = param(leaf.clone().narrow(0, 10, 15).reshape([3, 5]));
                memory.bias_fields = param(leaf.clone().narrow(0, 25, 15).reshape([3, 5]));
                memory.log_inverse_temperature = param(leaf.clone().narrow(0, 40, 1));
                let out = memory.forward(leaf.narrow(0, 0, 10).reshape([2, 5]));
                (out * tensor(&c, [2, 5], &device, dtype)).sum()
            });
        }
    }
}

#[test]
fn four_hundred_qubits_neither_overflow_nor_divide_by_zero() {
    let (_, device) = devices().remove(0);
    let device = device.autodiff();
    let memory = QuantumMemoryConfig::new(400, 3).init(&device);
    let x = tensor(&uniform(&mut rng(5), 800, 3.0), [2, 400], &device, DType::F32).require_grad();
    let out = memory.forward(x.clone());
    let gradient = values(x.grad(&out.clone().sum().backward()).unwrap());
    assert!(values(out).iter().chain(&gradient).all(|v| v.is_finite()));

    let itself = values(memory.overlaps(memory.angles.val()));
    assert!((0..3).all(|k| itself[4 * k] == 1.0), "{itself:?}");
    assert!(itself[1] < 1e-30, "random states are as good as orthogonal");
    let local = QuantumMemoryConfig::new(400, 3).with_overlap(StateOverlap::MeanFidelity);
    let random = values(local.init(&device).overlaps(x));
    assert!(random.iter().all(|&f| (f - 0.5).abs() < 0.1), "{random:?}");
}

/// The fields of the memory enter the annealing as fields do.
#[test]
fn extra_fields_add_to_the_fields_of_the_layer() {
    let (_, device) = devices().remove(0);
    let layer = drawn(1, AnnealingLayerConfig::new(3).init(&device));
    let x = tensor(&[0.4, -1.0, 2.0], [1, 3], &device, DType::F32);
    let extra = tensor(&[0.5, -0.25, 1.0], [1, 3], &device, DType::F32);
    let together = values(layer.forward_with_fields(x.clone(), extra.clone()));
    let mut moved = layer.clone();
    moved.fields = Param::from_tensor(layer.fields.val() + extra.squeeze_dim(0));
    // The sum of three numbers in another order.
    assert!(max_difference(&together, &values(moved.forward(x.clone()))) < 1e-6);
    assert!(max_difference(&together, &values(layer.forward(x))) > 1e-3);
}

/// Head by head, with loops.
#[test]
fn the_classical_memory_is_attention_over_its_slots() {
    let (_, device) = devices().remove(0);
    let (d, heads, slots) = (6, 2, 3);
    let memory = ClassicalMemoryConfig::new(d, slots).with_n_heads(heads);
    let memory = drawn(1, memory.init(&device));
    let x = tensor(&uniform(&mut rng(6), 2 * d, 1.0), [2, d], &device, DType::F32);
    let q = values(memory.query.forward(memory.norm.forward(x.clone())));
    let (keys, rows) = (values(memory.keys.val()), values(memory.values.val()));
    let mut read = vec![0.0; 2 * d];
    for (token, head) in (0..2).flat_map(|t| (0..heads).map(move |h| (t, h))) {
        let d_k = d / heads;
        let entry = |row: usize, k: usize| row * d + head * d_k + k;
        let score = |slot| {
            let dot: f64 = (0..d_k).map(|k| q[entry(token, k)] * keys[entry(slot, k)]).sum();
            (dot / (d_k as f64).sqrt()).exp()
        };
        let total: f64 = (0..slots).map(score).sum();
        for (slot, k) in (0..slots).flat_map(|s| (0..d_k).map(move |k| (s, k))) {
            read[entry(token, k)] += score(slot) / total * rows[entry(slot, k)];
        }
    }
    let read = tensor(&read, [2, d], &device, DType::F32);
    let expected = values(memory.output.forward(read));
    let out = values(memory.forward(x.clone()));
    assert!(max_difference(&out, &expected) < 1e-5);
    assert_eq!(values(memory.forward(x.reshape([1, 2, d]))), out);
}

#[test]
fn gradients_of_the_classical_memory() {
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        let memory = ClassicalMemoryConfig::new(4, 3).with_n_heads(2).with_dropout(0.0);
        let memory = memory.init(&device);
        let at = uniform(&mut rng(7), 2 * 4 + 2 * 12 + 2 * 16, 1.0);
        check_gradient(name, &device, &at, |leaf| {
            let mut memory = memory.clone();
            let part = |first, size| leaf.clone().narrow(0, first, size);
            memory.keys = param(part(8, 12).reshape([3, 4]));
            memory.values = param(part(20, 12).reshape([3, 4]));
            memory.query.weight = param(part(32, 16).reshape([4, 4]));
            memory.output.weight = param(part(48, 16).reshape([4, 4]));
            for bias in [&mut memory.query.bias, &mut memory.output.bias] {
                *bias = Some(param(tensor(&[0.1; 4], [4], &device, dtype)));
            }
            memory.norm.gamma = param(tensor(&[1.0; 4], [4], &device, dtype));
            memory.norm.beta = Some(param(tensor(&[0.0; 4], [4], &device, dtype)));
            memory.forward(part(0, 8).reshape([2, 4])).tanh().sum()
        });
    }
}

/// `refinement(x) = blocks(x + memory(x))`.
#[test]
fn the_refinement_reads_its_memory_before_its_blocks() {
    let (_, device) = devices().remove(0);
    let config = ClassicalRefinementConfig::new(4, 8).with_n_slots(5).with_n_heads(2);
    let mut refinement = drawn(1, config.init(&device));
    let x = tensor(&uniform(&mut rng(8), 12, 1.0), [3, 4], &device, DType::F32);
    let whole = values(refinement.forward(x.clone()));
    let memory = refinement.memory.take().expect("asked for");
    let read = x.clone() + memory.forward(x.clone());
    assert_eq!(values(refinement.forward(read)), whole);
    assert_ne!(values(refinement.forward(x)), whole);
    assert!(config.with_n_slots(0).init(&device).memory.is_none());
}

#[test]
#[should_panic(expected = "n_heads is 3: use a divisor of d_model, 4")]
fn heads_that_do_not_divide_the_features() {
    ClassicalMemoryConfig::new(4, 2).with_n_heads(3).init(&devices().remove(0).1);
}

#[test]
#[should_panic(expected = "inverse_temperature is 0: use a positive number")]
fn an_infinite_temperature() {
    QuantumMemoryConfig::new(4, 2).with_inverse_temperature(0.0).init(&devices().remove(0).1);
}

#[test]
#[should_panic(expected = "assert_shape!(input, [_, n_qubits]): axis 1 expected 4, got 3")]
fn an_input_of_another_width() {
    let device = devices().remove(0).1;
    QuantumMemoryConfig::new(4, 2).init(&device).forward(Tensor::zeros([1, 3], &device));
}
