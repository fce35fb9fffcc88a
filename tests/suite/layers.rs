//! The layers as modules: gradients through them, records, misuse.

use crate::common::*;
use crate::devices::*;
use burn::module::{Module, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, Tensor};
use burn_quantum::circuit::{Angle, Circuit, Observable, ansatz};
use burn_quantum::nn::*;
use burn_quantum::statevector::dense;

fn input(shape: [usize; 2], device: &Device) -> Tensor<2> {
    tensor(&uniform(&mut rng(6), shape[0] * shape[1], 2.0), shape, device, DType::F32)
}

#[test]
fn the_encoding_is_the_circuit_of_the_paper() {
    let (_, device) = devices().remove(0);
    let encoding = QuantumEncodingConfig::new(3).with_n_layers(2).with_reupload(true);
    let encoding = drawn(1, encoding.init(&device));
    let x = input([4, 3], &device);
    let (out, w) = (values(encoding.forward(x.clone())), values(encoding.circuit.weights.val()));
    for (b, x) in values(x).chunks(3).enumerate() {
        let state = dense::state(&ansatz::qhon_encoding(3, 2, true), x, &w).unwrap();
        let slow: Vec<f64> =
            Observable::each_z(3).iter().map(|o| dense::expectation(o, &state)).collect();
        assert!(max_difference(&out[b * 3..][..3], &slow) < 1e-5);
    }
}

fn annealers() -> Vec<AnnealingLayerConfig> {
    let schedules = [
        AnnealingSchedule::Linear,
        AnnealingSchedule::Exponential { rate: 2.0 },
        AnnealingSchedule::Learned,
    ];
    let with = |schedule| AnnealingLayerConfig::new(3).with_n_steps(5).with_schedule(schedule);
    let mut configs: Vec<_> = schedules.into_iter().map(with).collect();
    configs.push(
        with(AnnealingSchedule::Learned).with_start(AnnealingStart::Plus).with_data_fields(false),
    );
    configs.push(with(AnnealingSchedule::Linear).with_readout(AnnealingReadout::SpinsAndPairs));
    configs
}

#[test]
fn schedules_meet_both_ends_and_a_learned_one_starts_linear() {
    let (_, device) = devices().remove(0);
    for schedule in [AnnealingSchedule::Linear, AnnealingSchedule::Exponential { rate: 5.0 }] {
        assert_eq!(schedule.at(0.0), (1.0, 0.0));
        assert_eq!(schedule.at(1.0), (0.0, 1.0));
    }
    let config =
        AnnealingLayerConfig::new(2).with_n_steps(4).with_schedule(AnnealingSchedule::Learned);
    let learned = config.with_time(2.0).init(&device).learned.unwrap();
    let expected = [0.875, 0.125, 0.625, 0.375, 0.375, 0.625, 0.125, 0.875].map(|x| x * 0.5);
    assert!(max_difference(&values(learned.pulses()), &expected) < 1e-6);
}

#[test]
fn couplings_stand_above_the_diagonal() {
    let (_, device) = devices().remove(0);
    let mut layer = AnnealingLayerConfig::new(3).init(&device);
    layer.couplings = Param::from_tensor(Tensor::from_floats([1.0, 2.0, 3.0], &device));
    assert_eq!(values(layer.coupling_matrix()), [0.0, 1.0, 2.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0]);
}

/// Every parameter and the input, by central differences through the whole layer.
#[test]
fn gradients_reach_every_parameter_of_the_annealing_layer() {
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        for config in annealers() {
            let layer = drawn(1, config.init(&device));
            let x = uniform(&mut rng(1), 2 * 3, 2.0);
            let params = [
                values(layer.fields.val()),
                values(layer.couplings.val()),
                layer.field_weights.as_ref().map(|w| values(w.val())).unwrap_or_default(),
                layer.learned.as_ref().map(|l| values(l.logits.val())).unwrap_or_default(),
                layer.learned.as_ref().map(|l| values(l.log_time.val())).unwrap_or_default(),
                x,
            ];
            let at = params.concat();
            check_gradient(name, &device, &at, |leaf| {
                let mut first = 0;
                let mut next = |size: usize| {
                    first += size;
                    leaf.clone().narrow(0, first - size, size)
                };
                let mut layer = layer.clone();
                layer.fields = param(next(params[0].len()));
                layer.couplings = param(next(params[1].len()));
                if layer.field_weights.is_some() {
                    layer.field_weights = Some(param(next(params[2].len()).reshape([3, 3])));
                }
                if let Some(learned) = &mut layer.learned {
                    learned.logits = param(next(params[3].len()));
                    learned.log_time = param(next(params[4].len()));
                }
                let out = layer.forward(next(6).reshape([2, 3]));
                let c = uniform(&mut rng(9), out.shape().num_elements(), 1.0);
                (out.clone() * tensor(&c, out.dims(), &device, dtype)).sum()
                    + out.tanh().sum() * 0.1
            });
        }
    }
}

/// A parameter that stays part of the graph it comes from.
fn param<const D: usize>(tensor: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(burn::module::ParamId::new(), tensor)
}

#[test]
fn records_give_back_identical_outputs() {
    let (_, device) = devices().remove(0);
    let x = input([5, 3], &device);
    let mut circuit = Circuit::new(3);
    circuit.rx(Angle::Input(0), 0).ry(Angle::Input(1), 1).rz(Angle::Input(2), 2);
    circuit.append(&ansatz::strongly_entangling(3, 2)).unwrap();
    let config = CircuitLayerConfig::new(circuit, Observable::each_z(3));
    round_trip(|| config.init(&device), |layer| layer.forward(x.clone()));
    for config in annealers() {
        round_trip(|| config.init(&device), |layer| layer.forward(x.clone()));
    }
    let encoding = QuantumEncodingConfig::new(3);
    round_trip(|| encoding.init(&device), |layer| layer.forward(x.clone()));
    let refinement = ClassicalRefinementConfig::new(3, 7);
    round_trip(|| refinement.init(&device), |layer| layer.forward(x.clone()));
    let memory = QuantumMemoryConfig::new(3, 4);
    round_trip(|| memory.init(&device), |memory| memory.forward(x.clone()));
    let reading = ClassicalRefinementConfig::new(3, 7).with_n_slots(4).with_n_heads(1);
    round_trip(|| reading.init(&device), |layer| layer.forward(x.clone()));
    let fusion = MultiScaleFusionConfig::new(1, 3);
    round_trip(|| fusion.init(&device), |layer| layer.forward(x.clone().unsqueeze_dim(2)));
}

fn round_trip<M: Module>(init: impl Fn() -> M, run: impl Fn(&M) -> Tensor<2>) {
    let trained = drawn(1, init());
    let expected = values(run(&trained));
    let bytes = trained.into_record().into_bytes().unwrap();
    let fresh = drawn(2, init());
    assert_ne!(values(run(&fresh)), expected, "another start");
    let loaded = fresh.load_record(ModuleRecord::from_bytes(bytes).unwrap());
    assert_eq!(values(run(&loaded)), expected);
}

#[test]
fn configs_survive_json() {
    use burn::config::Config;
    let mut circuit = Circuit::new(2);
    circuit.ry(Angle::Input(0), 0).cnot(0, 1);
    let config = CircuitLayerConfig::new(circuit, Observable::each_z(2)).with_small_angles(0.1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    config.save(&path).unwrap();
    let loaded = CircuitLayerConfig::load(&path).unwrap();
    assert_eq!((loaded.circuit, loaded.observables), (config.circuit, config.observables));
    let memory = QuantumMemoryConfig::new(3, 4).with_overlap(StateOverlap::MeanFidelity);
    memory.save(&path).unwrap();
    assert_eq!(QuantumMemoryConfig::load(&path).unwrap().to_string(), memory.to_string());
    let loss = MultiScaleLossConfig::new(2).with_weights(LossWeights::Fixed(vec![1.0, 0.5]));
    loss.save(&path).unwrap();
    assert_eq!(MultiScaleLossConfig::load(&path).unwrap().to_string(), loss.to_string());
    for config in annealers() {
        config.save(&path).unwrap();
        assert_eq!(AnnealingLayerConfig::load(&path).unwrap().to_string(), config.to_string());
    }
}

/// Gate by gate, an optimiser finds the state in which `<Z>` is -1.
#[test]
fn a_circuit_layer_trains() {
    let (_, device) = devices().remove(0);
    let device = device.autodiff();
    let circuit = ansatz::hardware_efficient(2, 2);
    let config = CircuitLayerConfig::new(circuit, Observable::each_z(2));
    let mut layer = drawn(1, config.init(&device));
    let mut adam = AdamConfig::new().init();
    let input = Tensor::<2>::zeros([1, 0], &device);
    let first = values(layer.forward(input.clone()).sum())[0];
    for _ in 0..150 {
        let grads = layer.forward(input.clone()).sum().backward();
        let grads = GradientsParams::from_grads(grads, &layer);
        layer = adam.step(0.05, layer, grads);
    }
    let last = values(layer.forward(input).sum())[0];
    assert!(first > -1.0 && last < -1.99, "{first} -> {last}");
}

#[test]
#[should_panic(expected = "assert_shape!(input, [_, n]): axis 1 expected 3, got 4")]
fn an_annealing_input_of_another_width() {
    let device = devices().remove(0).1;
    AnnealingLayerConfig::new(3).init(&device).forward(input([2, 4], &device));
}

#[test]
#[should_panic(expected = "time is -1: use a positive number")]
fn a_negative_time() {
    AnnealingLayerConfig::new(3).with_time(-1.0).init(&devices().remove(0).1);
}

#[test]
#[should_panic(expected = "CircuitLayerConfig: qubit 2 is out of range for 2 qubits: use 0 to 1")]
fn an_observable_outside_the_circuit() {
    CircuitLayerConfig::new(Circuit::new(2), Observable::each_z(3)).init(&devices().remove(0).1);
}

#[test]
fn dtypes_are_those_of_the_parameters() {
    let (_, device) = devices().remove(0);
    let out = AnnealingLayerConfig::new(2).init(&device).forward(input([1, 2], &device));
    assert_eq!(out.dtype(), DType::F32);
}
