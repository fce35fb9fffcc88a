//! Circuit layers behind a sampler: against the exact layer within 5 sigma, at the promised number
//! of runs, and with devices that fail.

use crate::circuit_samplers::*;
use crate::common::*;
use crate::devices::{devices, drawn, values};
use burn::module::{Module, Param};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor, TensorData};
use burn_quantum::circuit::{Angle, Circuit, CircuitShots, Observable, ReadoutErrors, ansatz};
use burn_quantum::nn::{CircuitLayer, CircuitLayerConfig};
use burn_quantum::statevector::ShotSimulator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

fn config() -> CircuitLayerConfig {
    CircuitLayerConfig::new(circuit(), observables())
}

fn with(mut layer: CircuitLayer, weights: &Tensor<1>) -> CircuitLayer {
    layer.weights = Param::from_tensor(weights.clone());
    layer
}

fn tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(to_f32(values), shape), device)
}

/// Each backend, plain and under gradient checkpointing.
fn differentiating() -> Vec<(String, Device)> {
    let modes = |(name, device): (&str, Device)| {
        let plain = device.autodiff();
        let checkpointed = plain.clone().gradient_checkpointing();
        [(format!("{name}, plain"), plain), (format!("{name}, checkpointed"), checkpointed)]
    };
    devices().into_iter().flat_map(modes).collect()
}

/// Value, gradient by inputs and gradient by weights of `sum(c * layer(x)) + classical`.
fn loss(layer: &CircuitLayer, x: &Tensor<2>) -> [Vec<f64>; 3] {
    let device = x.device();
    let c = tensor(&[1.0, -0.5, 0.8, 2.0, 0.3, 0.6, -1.2, 0.4], [2, 4], &device);
    let out = layer.forward(x.clone().tanh());
    let weights = layer.weights.val();
    let classical = weights.clone().powi_scalar(2).sum() + x.clone().exp().sum();
    let grads = ((out.clone() * c).sum() + classical).backward();
    [values(out), values(x.grad(&grads).unwrap()), values(weights.grad(&grads).unwrap())]
}

/// Through a classical layer before and beside a classical loss, with and without checkpointing,
/// and with errors of the read-out taken out.
#[test]
fn the_layer_has_the_gradient_of_the_exact_one() {
    let (x, w) = point();
    let errors = ReadoutErrors::new([[0.03, 0.06], [0.02, 0.05], [0.04, 0.04]]).unwrap();
    for (name, device) in differentiating() {
        let x = tensor(&x, [2, N], &device).require_grad();
        let w = tensor(&w, [5], &device).require_grad();
        let exact = loss(&with(config().init(&device), &w), &x);
        let run = |simulator, shots: CircuitShots| {
            let sampler = Metered::new(simulator, usize::MAX);
            let layer = config().init_with_sampler(&device, sampler.clone(), shots);
            let found = loss(&with(layer, &w), &x);
            assert_eq!(sampler.calls().len(), 1, "{name}");
            let pairs = found.concat().into_iter().zip(exact.concat());
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let shots = CircuitShots::new(40_000);
        let noisy = || ShotSimulator::new(8).with_readout_errors(errors.clone());
        // Sums of at most 8 cotangents times derivatives of standard error 1 / 200.
        assert!(run(ShotSimulator::new(8), shots.clone()) < 0.08, "{name}");
        assert!(run(noisy(), shots.clone().with_mitigation(errors.clone())) < 0.1, "{name}");
        assert!(run(noisy(), shots) > 0.1, "{name}: errors of the read-out show");
    }
}

#[test]
fn what_is_not_tracked_is_not_measured() {
    let (_, device) = devices().remove(0);
    let ad = device.clone().autodiff();
    let sampler = Metered::new(ShotSimulator::new(1), usize::MAX);
    let layer = config().init_with_sampler(&ad, sampler.clone(), CircuitShots::new(2));
    let x = Tensor::<2>::zeros([3, N], &ad);
    layer.forward(x.clone());
    assert_eq!(sampler.calls(), [3 * 2 * (1 + 5 * 2 + 4)], "by weights alone");
    layer.forward(x.clone().require_grad());
    assert_eq!(sampler.calls(), [3 * 2 * (1 + 4 * 2 + 4 + 5 * 2 + 4)]);
    let valid = layer.valid();
    valid.forward(x.clone().inner());
    assert_eq!(sampler.calls(), [3 * 2]);
    valid.forward(x.inner().autodiff().require_grad());
    assert_eq!(sampler.calls(), [3 * 2 * (1 + 4 * 2 + 4)], "by inputs alone");
    assert_eq!(valid.forward(Tensor::zeros([0, N], &device)).dims(), [0, 4]);
    assert_eq!(sampler.calls(), [] as [usize; 0], "no rows, no run");
}

#[test]
fn circuits_without_inputs_or_weights_are_layers_too() {
    let device = devices().remove(0).1.autodiff();
    let sampler = || Metered::new(ShotSimulator::new(1), usize::MAX);
    let init = |circuit: &Circuit| {
        let config = CircuitLayerConfig::new(circuit.clone(), Observable::each_z(1));
        config.init_with_sampler(&device, sampler(), CircuitShots::new(10_000))
    };
    let mut circuit = Circuit::new(1);
    circuit.ry(Angle::Input(0), 0);
    let x = Tensor::<2>::from_floats([[0.5], [1.5]], &device).require_grad();
    let grads = init(&circuit).forward(x.clone()).sum().backward();
    let by_x = values(x.grad(&grads).unwrap());
    assert!(max_difference(&by_x, &[-0.5f64.sin(), -1.5f64.sin()]) < 0.05);

    let mut circuit = Circuit::new(1);
    circuit.ry(Angle::Weight(0), 0);
    let w = Tensor::<1>::from_floats([0.5], &device).require_grad();
    let out = with(init(&circuit), &w).forward(Tensor::zeros([2, 0], &device));
    let by_w = values(w.grad(&out.sum().backward()).unwrap());
    assert!((by_w[0] + 2.0 * 0.5f64.sin()).abs() < 0.1);
}

#[test]
fn a_failing_device_is_an_error_of_try_forward_and_a_panic_of_forward() {
    let device = devices().remove(0).1.autodiff();
    let sampler = Metered::new(ShotSimulator::new(1), 1);
    let layer = config().init_with_sampler(&device, sampler.clone(), CircuitShots::new(10));
    let x = Tensor::<2>::zeros([2, N], &device);
    let out = layer.try_forward(x.clone()).unwrap();
    let error = layer.try_forward(x.clone()).unwrap_err().to_string();
    assert!(error.starts_with("the number of shots for the shot simulator is 0"), "{error}");
    let panic = catch_unwind(AssertUnwindSafe(|| layer.forward(x.clone()))).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("CircuitLayer: the number of shots"), "{text}");
    // Nothing is left to measure for the first call's gradient.
    assert_eq!(sampler.calls().len(), 3);
    let grads = out.sum().backward();
    assert!(layer.weights.val().grad(&grads).is_some() && sampler.calls().is_empty());
    let error = layer.try_forward(x * f32::NAN).unwrap_err().to_string();
    assert_eq!(error, "inputs[0] is NaN: it must be finite");
}

fn init_with(simulator: ShotSimulator, shots: CircuitShots) {
    config().init_with_sampler(&devices()[0].1, Arc::new(simulator), shots);
}

#[test]
#[should_panic(expected = "CircuitLayerConfig: 3 qubits do not fit the shot simulator")]
fn a_device_that_is_too_small() {
    let errors = ReadoutErrors::new([[0.0; 2]; 2]).unwrap();
    init_with(ShotSimulator::new(0).with_readout_errors(errors), CircuitShots::new(10));
}

#[test]
#[should_panic(expected = "CircuitLayerConfig: the number of shots is 1: use 2 or more")]
fn a_single_shot() {
    init_with(ShotSimulator::new(0), CircuitShots::new(1));
}

/// Trained in simulation, evaluated on a device.
#[test]
fn records_move_between_simulation_and_device() {
    let (_, device) = devices().remove(0);
    let trained = drawn(1, config().init(&device));
    let bytes = trained.clone().into_record().into_bytes().unwrap();
    let sampler = Metered::new(ShotSimulator::new(2), usize::MAX);
    let on_device = config().init_with_sampler(&device, sampler, CircuitShots::new(40_000));
    let on_device = on_device.load_record(ModuleRecord::from_bytes(bytes).unwrap());
    let x = tensor(&point().0, [2, N], &device);
    let (a, b) = (values(trained.forward(x.clone())), values(on_device.forward(x)));
    assert!(max_difference(&a, &b) < 0.04);
}

/// Gradient descent on 50 shots with errors of the read-out, whose noise does not keep it from the
/// ground state: `E = Z0 Z1 + (X0 + X1) / 2` has the least energy `-sqrt 2`.
#[test]
fn a_variational_circuit_finds_a_ground_state_from_few_shots() {
    let device = devices().remove(0).1.autodiff();
    let terms = [(1.0, "Z0 Z1"), (0.5, "X0"), (0.5, "X1")];
    let energy = Observable::new(terms.map(|(c, p)| (c, p.parse().unwrap()))).unwrap();
    let mut circuit = ansatz::hardware_efficient(2, 1);
    circuit.append_with_fresh_weights(&ansatz::hardware_efficient(2, 1)).unwrap();
    let n_weights = circuit.n_weights();
    let config = CircuitLayerConfig::new(circuit, vec![energy]);
    let errors = ReadoutErrors::new([[0.02, 0.05]; 2]).unwrap();
    let simulator = ShotSimulator::new(17).with_readout_errors(errors.clone());
    let shots = CircuitShots::new(50).with_mitigation(errors);
    let layer = config.init_with_sampler(&device, Arc::new(simulator), shots);
    let x = Tensor::<2>::zeros([1, 0], &device);
    let start: Vec<f64> = (0..n_weights).map(|i| 0.3 + 0.1 * i as f64).collect();
    let mut weights = tensor(&start, [n_weights], &device).require_grad();
    for step in 0..120 {
        let out = with(layer.clone(), &weights).forward(x.clone()).sum();
        let gradient = weights.grad(&out.backward()).unwrap();
        let rate = 0.4 / (1.0 + step as f64 / 20.0);
        weights = Tensor::from_inner(weights.inner() - gradient * rate).require_grad();
    }
    let exact = with(config.init(&device), &weights).forward(x);
    let reached = values(exact)[0];
    assert!(reached < -0.98 * 2f64.sqrt(), "{reached}");
}
