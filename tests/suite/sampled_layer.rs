//! Samplers behind tensors and layers.

use crate::common::*;
use crate::devices::*;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use burn_quantum::annealing::{
    BatchSampleSet, Exact, GibbsSampler, IsingSampler, SampleSet, SimulatedAnnealing,
};
use burn_quantum::gradient::{
    Alpha, HybridGradient, IsingEstimator, SampledModels, SpinStatistics,
};
use burn_quantum::ising::{BatchedIsing, Ising};
use burn_quantum::nn::{
    AnnealingLayer, AnnealingLayerConfig, AnnealingReadout, AnnealingSampler, AnnealingSchedule,
    AnnealingStart, SampleTemperature, Shots,
};
use burn_quantum::ops::{SpinSamples, sample_ising, spin_statistics};
use std::sync::Arc;

const N: usize = 3;

fn hybrid(alpha: f64, classical: IsingEstimator) -> HybridGradient {
    HybridGradient { alpha: Alpha::Fixed(alpha), classical }
}

fn single(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&x| x as f32).collect()
}

#[test]
fn tensors_are_sampled_like_slices() {
    let mut rng = rng(1);
    let sampler = SimulatedAnnealing::default().with_n_sweeps(5).with_seed(3);
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        for rows in [1, 4] {
            let (h, j) = (uniform(&mut rng, 4 * N, 1.0), uniform(&mut rng, rows * N * N, 1.0));
            let models = BatchedIsing::new(4, N, single(&h), single(&j)).unwrap();
            let expected = sampler.sample_batch(&models, 6).unwrap();
            let h = tensor(&h, [4, N], &device, dtype);
            let j = tensor(&j, [rows, N, N], &device, dtype);
            let set = sample_ising(&h, &j, &sampler, 6).unwrap();
            assert_eq!(set.spins(), expected.spins(), "{name}");
        }
    }
}

#[test]
fn a_nan_coefficient_is_an_error() {
    let (_, device) = devices().remove(0);
    let h = Tensor::from_floats([[0.0, f32::NAN, 0.0]], &device);
    let error = sample_ising(&h, &Tensor::zeros([1, N, N], &device), &GibbsSampler::new(1.0), 2);
    assert!(error.unwrap_err().to_string().contains("field [0, 1] is NaN"));
}

/// Every estimator, plain and under gradient checkpointing, beside a classical term: what arrives
/// at both leaves is what the slice API gives.
#[test]
fn gradients_of_statistics_reach_both_tensors() {
    let mut rng = rng(2);
    use IsingEstimator::*;
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        for rows in [1, 4] {
            let (h, j) = (uniform(&mut rng, 4 * N, 1.0), uniform(&mut rng, rows * N * N, 1.0));
            let (h, j) = (single(&h), single(&j));
            let models = BatchedIsing::new(4, N, &h[..], &j[..]).unwrap();
            let samples = GibbsSampler::new(0.8).with_n_sweeps(5).sample_batch(&models, 6).unwrap();
            let statistics = SpinStatistics::spins_and_pairs(N);
            let c = uniform(&mut rng, 4 * statistics.len(), 1.0);
            for (alpha, classical) in [(0.0, MeanField), (1.0, MeanField), (0.3, StraightThrough)] {
                let sampled = SampledModels {
                    models: &models,
                    samples: &samples,
                    beta: 0.8,
                    statistics: &statistics,
                };
                let gradient = hybrid(alpha, classical);
                let expected = gradient.gradient(&sampled, &c, &Default::default()).unwrap();
                let plain = device.clone().autodiff();
                for device in [plain.clone(), plain.gradient_checkpointing()] {
                    let wide = |x: &[f32]| x.iter().map(|&x| x.into()).collect::<Vec<f64>>();
                    let fields = tensor(&wide(&h), [4, N], &device, dtype).require_grad();
                    let couplings = tensor(&wide(&j), [rows, N, N], &device, dtype).require_grad();
                    let drawn = Arc::new(SpinSamples {
                        samples: samples.clone(),
                        beta: 0.8,
                        statistics,
                        gradient,
                        state: Default::default(),
                    });
                    let out = spin_statistics(fields.clone(), couplings.clone(), drawn);
                    assert!(
                        max_difference(&values(out.clone()), &statistics.means(&samples)) < 1e-6
                    );
                    let weights = tensor(&c, out.dims(), &device, dtype);
                    let loss = (out * weights).sum()
                        + fields.clone().powi_scalar(2).sum()
                        + couplings.clone().sum() * 2.0;
                    let grads = loss.backward();
                    let by_h = values(fields.grad(&grads).unwrap());
                    let by_j = values(couplings.grad(&grads).unwrap());
                    let classical_h: Vec<f64> = h.iter().map(|&h| 2.0 * f64::from(h)).collect();
                    for k in 0..by_h.len() {
                        let expected = expected.fields[k] + classical_h[k];
                        assert!((by_h[k] - expected).abs() < 1e-5, "{name}");
                    }
                    for (by_j, expected) in by_j.iter().zip(&expected.couplings) {
                        assert!((by_j - expected - 2.0).abs() < 1e-5, "{name}");
                    }
                }
            }
        }
    }
}

fn layer(config: AnnealingLayerConfig, device: &Device) -> AnnealingLayer {
    config.with_readout(AnnealingReadout::SpinsAndPairs).init(device)
}

/// Many reads through the whole layer against the exact Boltzmann distribution, by central
/// differences of every parameter.
#[test]
fn a_gibbs_layer_has_the_gradient_of_the_boltzmann_distribution() {
    let (beta, x) = (0.9, uniform(&mut rng(4), 2 * N, 1.0));
    let device = device().autodiff();
    let config = AnnealingLayerConfig::new(N)
        .with_sampler(AnnealingSampler::Gibbs { beta })
        .with_n_steps(30)
        .with_n_reads(40_000);
    let layer = layer(config, &device);
    let params = [
        values(layer.fields.val()),
        values(layer.couplings.val()),
        values(layer.field_weights.as_ref().unwrap().val()),
    ];
    let c = uniform(&mut rng(5), 2 * layer.n_outputs(), 1.0);
    let exact = |at: &[f64]| -> f64 {
        let (h, rest) = at.split_at(N);
        let (j, w) = rest.split_at(N);
        let mut sum = 0.0;
        for (b, x) in x.chunks(N).enumerate() {
            let field = |i: usize| h[i] + (0..N).map(|k| w[i * N + k] * x[k]).sum::<f64>();
            let pairs = [(0, 1, j[0]), (0, 2, j[1]), (1, 2, j[2])];
            let model = Ising::sparse((0..N).map(field).collect(), pairs, 0.0).unwrap();
            let moments = Exact::moments(&model, beta).unwrap();
            let mut r = moments.mean_spins.clone();
            r.extend([(0, 1), (0, 2), (1, 2)].map(|(i, k)| moments.correlations[i * N + k]));
            sum += r.iter().zip(&c[b * r.len()..]).map(|(r, c)| r * c).sum::<f64>();
        }
        sum
    };
    let input = Tensor::<2>::from_data(burn::tensor::TensorData::new(single(&x), [2, N]), &device);
    let out = layer.forward(input);
    let weights = burn::tensor::TensorData::new(single(&c), out.dims());
    let grads = (out * Tensor::from_data(weights, &device)).sum().backward();
    let measured = [
        values(layer.fields.val().grad(&grads).unwrap()),
        values(layer.couplings.val().grad(&grads).unwrap()),
        values(layer.field_weights.as_ref().unwrap().val().grad(&grads).unwrap()),
    ]
    .concat();
    let at = params.concat();
    for k in 0..at.len() {
        let moved = |step: f64| {
            let mut at = at.clone();
            at[k] += step;
            exact(&at)
        };
        let numeric = (moved(1e-4) - moved(-1e-4)) / 2e-4;
        // A covariance of 40,000 reads of values of order one.
        assert!((measured[k] - numeric).abs() < 0.08, "{k}: {} {numeric}", measured[k]);
    }
}

#[test]
fn training_draws_anew_and_inference_repeats_itself() {
    let device = device();
    for sampler in [
        AnnealingSampler::Gibbs { beta: 0.5 },
        AnnealingSampler::SimulatedAnnealing { beta: 1.0 },
        AnnealingSampler::PathIntegral { beta: 1.0 },
    ] {
        let config = AnnealingLayerConfig::new(8).with_sampler(sampler).with_n_steps(2);
        let layer = layer(config, &device.clone().autodiff());
        let x = Tensor::<2>::ones([4, 8], &device.clone().autodiff());
        let [a, b] = [0, 1].map(|_| values(layer.forward(x.clone())));
        assert_ne!(a, b, "{sampler:?}");
        let valid = layer.valid();
        let [a, b] = [0, 1].map(|_| values(valid.forward(x.clone().inner())));
        assert_eq!(a, b, "{sampler:?}");
        assert!(a.iter().all(|v| v.abs() <= 1.0));
    }
}

#[test]
fn further_fields_are_added_to_the_layers_own() {
    let device = device();
    let samplers = [AnnealingSampler::Schroedinger, AnnealingSampler::Gibbs { beta: 1.0 }];
    for sampler in samplers {
        let config = AnnealingLayerConfig::new(N).with_sampler(sampler).with_data_fields(false);
        let mut one = layer(config, &device);
        let x = Tensor::<2>::ones([2, N], &device) * 0.4;
        let more = Tensor::<2>::from_floats([[0.5, -0.25, 1.0]; 2], &device);
        let added = values(one.forward_with_fields(x.clone(), more.clone()));
        let moved = one.fields.val() + more.narrow(0, 0, 1).squeeze_dim(0);
        one.fields = Param::from_tensor(moved);
        assert_eq!(values(one.forward(x)), added, "{sampler:?}");
    }
}

/// A device that is out of order.
#[derive(Debug)]
struct Broken;

impl IsingSampler for Broken {
    fn sample(&self, _: &Ising, _: usize) -> Result<SampleSet, burn_quantum::Error> {
        GibbsSampler::new(f64::NAN).sample(&Ising::sparse(vec![0.0], [], 0.0)?, 1)
    }
}

/// A device that knows one answer.
#[derive(Debug)]
struct Constant;

impl IsingSampler for Constant {
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, burn_quantum::Error> {
        SampleSet::new(model, vec![1; n_reads * model.n_spins()])
    }
}

fn of_device(sampler: impl IsingSampler + 'static, device: &Device) -> AnnealingLayer {
    let config = AnnealingLayerConfig::new(N);
    config.init_with_sampler(device, Arc::new(sampler), SampleTemperature::Estimated)
}

#[test]
fn a_failing_device_is_an_error_of_try_forward() {
    let device = device();
    let layer = of_device(Broken, &device);
    let error = layer.try_forward(Tensor::zeros([1, N], &device), None).unwrap_err();
    assert!(error.to_string().contains("NaN"), "{error}");
}

#[test]
#[should_panic(expected = "AnnealingLayer: ")]
fn a_failing_device_is_a_panic_of_forward() {
    let device = device();
    of_device(Broken, &device).forward(Tensor::zeros([1, N], &device));
}

#[test]
fn frozen_samples_serve_inference_but_have_no_temperature() {
    let device = device();
    let mut layer = of_device(Constant, &device.clone().autodiff());
    // Every spin follows its field.
    layer.fields = Param::from_tensor(Tensor::from_floats([-9.0; N], &device.clone().autodiff()));
    let x = Tensor::<2>::zeros([2, N], &device);
    let valid = layer.valid();
    assert_eq!(values(valid.forward(x.clone())), [1.0; 2 * N]);
    let error = layer.try_forward(x.autodiff(), None).unwrap_err().to_string();
    assert!(error.contains("inverse temperature of the samples is inf"), "{error}");
}

#[test]
fn samples_of_other_tensors_are_refused() {
    let device = device();
    let zeros = |p| Tensor::<2>::zeros([p, N], &device);
    let j = Tensor::zeros([1, N, N], &device);
    let samples: BatchSampleSet =
        sample_ising(&zeros(2), &j, &GibbsSampler::new(1.0).with_n_sweeps(1), 2).unwrap();
    let statistics = SpinStatistics::spins(N);
    let samples = Arc::new(SpinSamples {
        samples,
        beta: 1.0,
        statistics,
        gradient: Default::default(),
        state: Default::default(),
    });
    let panic = std::panic::catch_unwind(|| spin_statistics(zeros(3), j, samples)).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(
        text.contains("samples are of [2, 3] problems and spins, the fields of [3, 3]"),
        "{text}"
    );
}

#[test]
#[should_panic(expected = "couplings of 2 groups cannot be shared by 3 models: use a divisor")]
fn couplings_that_cannot_be_shared_out() {
    let device = device();
    let (h, j) = (Tensor::zeros([3, N], &device), Tensor::zeros([2, N, N], &device));
    let _ = sample_ising(&h, &j, &GibbsSampler::new(1.0), 1);
}

fn linear_table() -> Vec<[f64; 3]> {
    use std::f64::consts::FRAC_1_PI;
    vec![[0.0, FRAC_1_PI, 0.0], [0.25, 0.75 * FRAC_1_PI, 0.25 * FRAC_1_PI], [1.0, 0.0, FRAC_1_PI]]
}

#[test]
fn a_table_is_interpolated_in_angular_frequencies() {
    let device = device();
    let run = |schedule: AnnealingSchedule| {
        let config = AnnealingLayerConfig::new(N)
            .with_schedule(schedule)
            .with_initializer(burn::nn::Initializer::Constant { value: 0.3 });
        values(config.init(&device).forward(Tensor::ones([1, N], &device)))
    };
    let (table, linear) =
        (run(AnnealingSchedule::Table(linear_table())), run(AnnealingSchedule::Linear));
    assert!(max_difference(&table, &linear) < 1e-6);
}

fn init(config: AnnealingLayerConfig) {
    config.init(&device());
}

fn with_table(change: impl Fn(&mut Vec<[f64; 3]>)) {
    let mut rows = linear_table();
    change(&mut rows);
    init(AnnealingLayerConfig::new(N).with_schedule(AnnealingSchedule::Table(rows)));
}

#[test]
#[should_panic(expected = "row 1 of the table of the schedule is [0.25, NaN")]
fn a_table_with_nan() {
    with_table(|rows| rows[1][1] = f64::NAN);
}

#[test]
#[should_panic(expected = "rows 0 and 1 of the schedule: s and B must rise and A fall")]
fn a_table_whose_field_rises() {
    with_table(|rows| rows[1][1] = 1.0);
}

#[test]
#[should_panic(expected = "runs from [0.0, 0.25]: it must from 0 to 1")]
fn a_table_that_ends_early() {
    with_table(|rows| rows.truncate(2));
}

#[test]
#[should_panic(expected = "time, schedule, start and shots belong to the Schroedinger equation")]
fn a_schedule_for_a_stochastic_sampler() {
    let config = AnnealingLayerConfig::new(N).with_start(AnnealingStart::Plus);
    init(config.with_sampler(AnnealingSampler::SimulatedAnnealing { beta: 1.0 }));
}

#[test]
#[should_panic(expected = "n_reads and gradient belong to stochastic samplers")]
fn reads_of_the_schroedinger_equation() {
    init(AnnealingLayerConfig::new(N).with_n_reads(7));
}

#[test]
#[should_panic(expected = "n_reads is 1: this gradient needs 2 or more")]
fn a_covariance_of_one_read() {
    init(
        AnnealingLayerConfig::new(N)
            .with_sampler(AnnealingSampler::Gibbs { beta: 1.0 })
            .with_n_reads(1),
    );
}

#[test]
fn the_report_names_the_share_of_the_last_backward_pass() {
    let device = device().autodiff();
    let config = AnnealingLayerConfig::new(N)
        .with_sampler(AnnealingSampler::Gibbs { beta: 1.0 })
        .with_gradient(hybrid(0.25, IsingEstimator::StraightThrough));
    let layer = layer(config, &device);
    assert!(layer.gradient_report().is_none());
    layer.forward(Tensor::ones([2, N], &device)).sum().backward();
    assert_eq!(layer.gradient_report().unwrap().alpha, 0.25);
}

/// Values within 5 standard errors of the expectation, another draw in each call, and the gradient
/// of the expectation itself.
#[test]
fn shots_are_means_of_measurements_with_the_exact_gradient() {
    let n_shots = 400;
    for (name, device) in devices() {
        let ad = device.clone().autodiff();
        let config = AnnealingLayerConfig::new(N)
            .with_readout(AnnealingReadout::SpinsAndPairs)
            .with_schedule(AnnealingSchedule::Learned);
        let exact = drawn(1, config.clone().init(&ad));
        let bytes = exact.clone().into_record().into_bytes().unwrap();
        let with = |shots| {
            let layer = config.clone().with_shots(Some(shots)).init(&ad);
            layer.load_record(burn::store::ModuleRecord::from_bytes(bytes.clone()).unwrap())
        };
        let measured = with(Shots::new(n_shots));
        let x = Tensor::<2>::from_floats([[0.3, -0.8, 1.4], [2.0, 0.1, -1.0]], &ad);
        let (e, m) = (exact.forward(x.clone()), measured.forward(x.clone()));
        let again = values(measured.forward(x.clone()));
        assert_ne!(values(m.clone()), again, "{name}");
        for (e, m) in values(e.clone()).iter().zip(values(m.clone())) {
            let error = ((1.0 - e * e).max(0.0) / n_shots as f64).sqrt();
            assert!((m - e).abs() < 5.0 * error + 1e-6, "{name}: {m} {e}");
            let counts = 0.5 * (m + 1.0) * n_shots as f64;
            assert!((counts - counts.round()).abs() < 1e-2, "{name}: {m} is a mean of shots");
        }
        let gradient = |layer: &AnnealingLayer, out: Tensor<2>| {
            let grads = out.sum().backward();
            let learned = layer.learned.as_ref().unwrap();
            [
                values(layer.couplings.val().grad(&grads).unwrap()),
                values(learned.log_time.val().grad(&grads).unwrap()),
            ]
            .concat()
        };
        let difference = max_difference(&gradient(&exact, e), &gradient(&measured, m));
        assert!(difference < 1e-5, "{name}: {difference}");

        let plain = x.without_autodiff();
        let exact = values(exact.valid().forward(plain.clone()));
        assert_eq!(values(measured.valid().forward(plain.clone())), exact, "{name}");
        let always = with(Shots::new(n_shots).with_in_evaluation(true)).valid();
        let [a, b] = [0, 1].map(|_| values(always.forward(plain.clone())));
        assert!(a == b && a != exact, "{name}");
    }
}

#[test]
#[should_panic(expected = "n_shots is 0: use at least 1")]
fn no_shots() {
    init(AnnealingLayerConfig::new(N).with_shots(Some(Shots::new(0))));
}

#[test]
#[should_panic(expected = "`sampler` and `n_steps` of the config would be ignored: leave them out")]
fn steps_beside_a_sampler_that_is_given() {
    let sampler = Arc::new(GibbsSampler::new(1.0));
    let config = AnnealingLayerConfig::new(N).with_n_steps(9);
    config.init_with_sampler(&device(), sampler, SampleTemperature::Known(1.0));
}
