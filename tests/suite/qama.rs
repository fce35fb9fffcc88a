//! The attention by annealing: limits, masks, gradients, samples.

use crate::common::*;
use crate::devices::*;
use burn::module::{Module, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig};
use burn::store::ModuleRecord;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Bool, DType::F32, Device, Tensor, TensorData};
use burn_quantum::annealing::{
    AllOn, Exact, GibbsSampler, IsingSampler, Random, SampleSet, SimulatedAnnealing,
};
use burn_quantum::gradient::{Alpha, HybridGradient, IsingEstimator};
use burn_quantum::ising::Ising;
use burn_quantum::nn::SampleTemperature;
use burn_quantum::nn::attention::*;

const D: usize = 8;
const HEADS: usize = 2;
const BETA: f64 = 0.9;

fn config() -> QamaConfig {
    QamaConfig::new(D, HEADS).with_dropout(0.0).with_beta(BETA)
}

fn f64s(seed: u64, dims: [usize; 3], device: &Device) -> Tensor<3> {
    let values = uniform(&mut rng(seed), dims.iter().product(), 1.0);
    tensor(&values, dims, device, F32)
}

fn mask<const R: usize>(values: Vec<bool>, dims: [usize; R], device: &Device) -> Tensor<R, Bool> {
    Tensor::from_data(TensorData::new(values, dims), device)
}

fn causal(batch: usize, n: usize, device: &Device) -> Tensor<3, Bool> {
    let hidden = (0..batch * n * n).map(|k| k % n > k / n % n).collect();
    mask(hidden, [batch, n, n], device)
}

/// `Q K^T / sqrt(d_k)`, `[batch, heads, n, n]`.
fn scores(layer: &Qama, x: &Tensor<3>) -> Tensor<4> {
    let [batch, n, _] = x.dims();
    let heads = |y: Tensor<3>| y.reshape([batch, n, HEADS, D / HEADS]).swap_dims(1, 2);
    let (q, k) = (heads(layer.query.forward(x.clone())), heads(layer.key.forward(x.clone())));
    q.matmul(k.transpose()) * (HEADS as f64 / D as f64).sqrt()
}

/// The fields by the formulas of [`QamaField`], one row at a time; `visible(b, q, j)`.
fn theta(
    layer: &Qama,
    field: QamaField,
    x: &Tensor<3>,
    visible: impl Fn(usize, usize, usize) -> bool,
) -> Vec<f64> {
    let [_, n, _] = x.dims();
    let bias = values(layer.bias.as_ref().unwrap().val());
    let mut theta = values(scores(layer, x));
    for (row, theta) in theta.chunks_mut(n).enumerate() {
        let (b, h, q) = (row / n / HEADS, row / n % HEADS, row % n);
        let seen = (0..n).filter(|&j| visible(b, q, j));
        let sum: f64 = seen.map(|j| (BETA * theta[j]).exp()).sum();
        let origin = match field {
            QamaField::Score => 0.0,
            QamaField::Relative => sum.ln() / BETA,
        };
        theta.iter_mut().for_each(|theta| *theta += bias[h] - origin);
    }
    theta
}

#[test]
fn exactly_one_key_is_softmax_attention_with_the_parameters_of_burn() {
    for (name, device) in devices() {
        let mha = MultiHeadAttentionConfig::new(D, HEADS).with_dropout(0.0);
        let mha = drawn(1, mha.init(&device));
        let config = QamaConfig::new(D, HEADS)
            .with_selection(QamaSelection::ExactlyOne)
            .with_coupling(QamaCoupling::None);
        let bytes = mha.clone().into_record().into_bytes().unwrap();
        let qama =
            config.init(&device).load_record(ModuleRecord::from_bytes(bytes).unwrap()).valid();
        let x = f64s(1, [2, 5, D], &device);
        let pad = mask((0..10).map(|k| k % 5 > 2 + k / 5).collect(), [2, 5], &device);
        for masked in [false, true] {
            let (mut a, mut b) = (MhaInput::self_attn(x.clone()), QamaInput::self_attn(x.clone()));
            if masked {
                a = a.mask_pad(pad.clone()).mask_attn(causal(2, 5, &device));
                b = b.mask_pad(pad.clone()).mask_attn(causal(2, 5, &device));
            }
            let (a, b) = (mha.forward(a), qama.forward(b));
            assert!(max_difference(&values(a.weights), &values(b.weights)) < 1e-6, "{name}");
            assert!(max_difference(&values(a.context), &values(b.context)) < 1e-5, "{name}");
        }
    }
}

#[test]
fn without_couplings_it_is_sigmoid_attention() {
    for (name, device) in devices() {
        let config = config().with_coupling(QamaCoupling::None).with_normalise(false);
        let config = config.with_field(QamaField::Score).with_initial_bias(Some(-0.5));
        let layer = fixed(config.init(&device), &device);
        let x = f64s(2, [3, 4, D], &device);
        let out = layer.forward(QamaInput::self_attn(x.clone()));
        let expected = values(sigmoid((scores(&layer, &x) - 0.5) * BETA));
        assert!(max_difference(&values(out.weights), &expected) < 1e-6, "{name}");
    }
}

/// `p e / (1 + p e)` of the weights of burn-nn's attention, whose temperature is one.
#[test]
fn relative_fields_select_by_the_weights_of_softmax() {
    for (name, device) in devices() {
        let mha = MultiHeadAttentionConfig::new(D, HEADS).with_dropout(0.0);
        let mha = drawn(1, mha.init(&device));
        let bytes = mha.clone().into_record().into_bytes().unwrap();
        let x = f64s(1, [2, 5, D], &device) * 3.0;
        let pad = mask((0..10).map(|k| k % 5 > 2 + k / 5).collect(), [2, 5], &device);
        let input = MhaInput::self_attn(x.clone()).mask_pad(pad.clone());
        let softmax = values(mha.forward(input.mask_attn(causal(2, 5, &device))).weights);
        for bias in [-3.0, 0.4, 2.0] {
            let config = QamaConfig::new(D, HEADS).with_dropout(0.0).with_initial_bias(Some(bias));
            let config = config.with_coupling(QamaCoupling::None);
            let record = ModuleRecord::from_bytes(bytes.clone()).unwrap().allow_partial(true);
            let layer = config.init(&device).load_record(record).valid();
            let input = QamaInput::self_attn(x.clone()).mask_pad(pad.clone());
            let out = layer.forward(input.mask_attn(causal(2, 5, &device)));
            let odds = softmax.iter().map(|p| p * bias.exp());
            let expected: Vec<f64> = odds.map(|odds| odds / (1.0 + odds)).collect();
            assert!(max_difference(&values(out.selection), &expected) < 1e-6, "{name}");
        }
    }
}

#[test]
fn weights_of_a_burn_attention_load_and_the_rest_stays() {
    let device = device();
    let mha = MultiHeadAttentionConfig::new(D, HEADS).init(&device);
    let bytes = mha.clone().into_record().into_bytes().unwrap();
    let record = ModuleRecord::from_bytes(bytes).unwrap().allow_partial(true);
    let layer = config().with_initial_bias(Some(-0.5)).init(&device).load_record(record);
    assert_eq!(values(layer.key.weight.val()), values(mha.key.weight.val()));
    assert_eq!(values(layer.bias.unwrap().val()), [-0.5; HEADS]);
}

/// The same weights in every run, as large as the random ones.
fn fixed(mut layer: Qama, device: &Device) -> Qama {
    let mut rng = rng(2);
    for linear in [&mut layer.query, &mut layer.key, &mut layer.value, &mut layer.output] {
        let weight = uniform(&mut rng, D * D, (D as f64).powf(-0.5));
        linear.weight = Param::from_tensor(tensor(&weight, [D, D], device, F32));
        linear.bias = Some(Param::from_tensor(tensor(&weight[..D], [D], device, F32)));
    }
    if let Some(raw) = layer.coupling.as_mut().filter(|raw| raw.val().dims()[1] > 1) {
        let dims = raw.val().dims();
        let learned = uniform(&mut rng, dims.iter().product(), 0.15);
        *raw = Param::from_tensor(tensor(&learned, dims, device, F32));
    }
    layer
}

fn with_strong_couplings(config: &QamaConfig, device: &Device) -> Qama {
    let mut layer = fixed(config.init(device), device);
    if let Some(raw) = &mut layer.coupling {
        let dims = raw.val().dims();
        let strong = uniform(&mut rng(3), dims.iter().product(), 2.0);
        *raw = Param::from_tensor(tensor(&strong, dims, device, F32));
    }
    layer
}

fn with_couplings() -> [QamaConfig; 3] {
    let learned = QamaCoupling::Learned { max_keys: 6 };
    [
        (QamaCoupling::KeyKey, QamaField::Score, 0.2),
        (QamaCoupling::KeyKey, QamaField::Relative, 1.5),
        (learned, QamaField::Relative, 1.5),
    ]
    .map(|(coupling, field, bias)| {
        config().with_coupling(coupling).with_field(field).with_initial_bias(Some(bias))
    })
}

/// A query against all subsets of its keys.
#[test]
fn samples_have_the_boltzmann_means_of_the_energy_in_the_docs() {
    let device = device();
    for config in with_couplings() {
        let sampled = config
            .clone()
            .with_selection(QamaSelection::Gibbs)
            .with_n_iterations(40)
            .with_n_reads(20_000);
        let layer = with_strong_couplings(&sampled, &device);
        let x = f64s(4, [2, 5, D], &device);
        let pad = mask((0..10).map(|k| k == 9).collect(), [2, 5], &device);
        let input = QamaInput::self_attn(x.clone()).mask_pad(pad).mask_attn(causal(2, 5, &device));
        let selection = values(layer.forward(input).selection);
        let visible = |b: usize, q: usize, j: usize| j <= q && !(b == 1 && j == 4);
        let exact = exact_selection(&layer, &config, &x, visible);
        for (measured, exact) in selection.iter().zip(exact) {
            let error = (exact * (1.0 - exact) / 20_000.0).sqrt();
            assert!((measured - exact).abs() <= 5.0 * error, "{measured} {exact}");
        }
    }
}

/// `<z>` of two sequences of five keys, from all subsets of the keys that a query may select.
fn exact_selection(
    layer: &Qama,
    config: &QamaConfig,
    x: &Tensor<3>,
    visible: impl Fn(usize, usize, usize) -> bool,
) -> Vec<f64> {
    let theta = theta(layer, config.field, x, &visible);
    let w = couplings(layer, config, x);
    let mut means = Vec::new();
    for row in 0..2 * HEADS * 5 {
        let (b, q) = (row / 5 / HEADS, row % 5);
        let w = |i: usize, j: usize| w[(row / 5 * 5 + i) * 5 + j];
        let mut sums = [0.0; 6];
        for bits in 0..32usize {
            let on = |j: usize| bits >> j & 1 == 1;
            if (0..5).any(|j| on(j) && !visible(b, q, j)) {
                continue;
            }
            let mut energy = 0.0;
            for i in (0..5).filter(|&i| on(i)) {
                energy -= theta[row * 5 + i];
                energy -= (0..i).filter(|&j| on(j)).map(|j| w(i, j)).sum::<f64>();
            }
            let weight = (-BETA * energy).exp();
            sums[5] += weight;
            (0..5).filter(|&j| on(j)).for_each(|j| sums[j] += weight);
        }
        means.extend((0..5).map(|j| sums[j] / sums[5]));
    }
    means
}

/// `W` by the formulas of [`QamaCoupling`], one number at a time, `[batch, heads, 5, 5]`.
fn couplings(layer: &Qama, config: &QamaConfig, x: &Tensor<3>) -> Vec<f64> {
    let raw = values(layer.coupling.as_ref().unwrap().val());
    let (key, d) = (values(layer.key.forward(x.clone())), D / HEADS);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let of = |k: usize| {
        let (b, h, i, j) = (k / 25 / HEADS, k / 25 % HEADS, k / 5 % 5, k % 5);
        let bounded = match config.coupling {
            QamaCoupling::Learned { max_keys } => {
                let at = |i: usize, j: usize| raw[(h * max_keys + i) * max_keys + j];
                (0.5 * (at(i, j) + at(j, i))).tanh()
            }
            _ => {
                let of = |i: usize| &key[(b * 5 + i) * D + h * d..][..d];
                let (ki, kj) = (of(i), of(j));
                raw[h].tanh() * dot(ki, kj).powi(2) / (dot(ki, ki) * dot(kj, kj))
            }
        };
        // The last key of the second sequence is padding.
        let n = if b == 1 { 4.0 } else { 5.0 };
        2.0 * bounded / (BETA * n)
    };
    (0..x.dims()[0] * HEADS * 25).map(of).collect()
}

#[test]
fn the_mean_field_solves_its_equation() {
    let device = device();
    for config in with_couplings() {
        let layer = with_strong_couplings(&config.clone().with_n_iterations(200), &device);
        let x = f64s(5, [1, 5, D], &device);
        let m = values(layer.forward(QamaInput::self_attn(x.clone())).selection);
        let theta = theta(&layer, config.field, &x, |_, _, _| true);
        let w = couplings(&layer, &config, &x);
        for h in 0..HEADS {
            for q in 0..5 {
                let row = (h * 5 + q) * 5;
                for i in 0..5 {
                    let others = (0..5).filter(|&j| j != i);
                    let pull: f64 = others.map(|j| w[(h * 5 + i) * 5 + j] * m[row + j]).sum();
                    let expected = 1.0 / (1.0 + (-BETA * (theta[row + i] + pull)).exp());
                    assert!((m[row + i] - expected).abs() < 1e-5);
                }
            }
        }
    }
}

/// Input and every parameter through the whole layer; double precision on CPU backends.
#[test]
fn gradients_of_the_mean_field_agree_with_central_differences() {
    for (name, device) in devices() {
        let (dtype, _, _) = precision(name);
        for (config, masked) in
            with_couplings().into_iter().flat_map(|c| [(c.clone(), false), (c, true)])
        {
            let layer = with_strong_couplings(&config.with_n_iterations(120), &device);
            let raw = layer.coupling.as_ref().unwrap().val();
            let linears = [&layer.query, &layer.key, &layer.value, &layer.output];
            let mut at = uniform(&mut rng(6), 2 * 3 * D, 1.0);
            at.extend(values(raw.clone()));
            at.extend(values(layer.bias.as_ref().unwrap().val()));
            linears.iter().for_each(|linear| at.extend(values(linear.weight.val())));
            check_gradient(name, &device, &at, |leaf| {
                let mut first = 0;
                let mut next = |size: usize| {
                    first += size;
                    leaf.clone().narrow(0, first - size, size)
                };
                let x: Tensor<3> = next(2 * 3 * D).reshape([2, 3, D]);
                let mut layer = layer.clone();
                layer.coupling = Some(param(next(raw.shape().num_elements()).reshape(raw.dims())));
                layer.bias = Some(param(next(HEADS)));
                let linears =
                    [&mut layer.query, &mut layer.key, &mut layer.value, &mut layer.output];
                for linear in linears {
                    linear.weight = param(next(D * D).reshape([D, D]));
                    let bias = linear.bias.as_ref().unwrap().val().cast(dtype);
                    linear.bias = Some(param(bias));
                }
                let mut input = QamaInput::self_attn(x.clone());
                if masked {
                    let pad = mask(vec![false, false, false, false, false, true], [2, 3], &device);
                    input = input.mask_pad(pad).mask_attn(causal(2, 3, &device));
                }
                let context = layer.forward(input).context;
                let c = uniform(&mut rng(7), 2 * 3 * D, 1.0);
                (context * tensor(&c, [2, 3, D], &device, dtype)).sum() + x.sin().sum()
            });
        }
    }
}

/// One head, or one query: swapped axes of length one, behind which Burn's GPU kernels have erred.
#[test]
fn axes_of_length_one_have_the_gradient_of_central_differences() {
    for (name, device) in devices() {
        for (heads, n_queries) in [(1, 3), (2, 1), (1, 1)] {
            let config = QamaConfig::new(D, heads).with_dropout(0.0).with_initial_bias(Some(0.2));
            let layer = fixed(config.with_n_iterations(60).init(&device), &device);
            let n_leaves = 2 * (n_queries + 3) * D;
            let at = uniform(&mut rng(15), n_leaves, 1.0);
            let c = uniform(&mut rng(16), 2 * n_queries * D, 3.0);
            check_gradient_to((F32, 1e-2, 5e-3), name, &device, &at, |leaf| {
                let tokens = leaf.reshape([2, n_queries + 3, D]);
                let query = tokens.clone().narrow(1, 0, n_queries);
                let keys = tokens.narrow(1, n_queries, 3);
                let out = layer.forward(QamaInput::new(query, keys.clone(), keys));
                let c = tensor(&c, [2, n_queries, D], &device, F32);
                (out.context * c).sum()
            });
        }
    }
}

/// A parameter that stays part of the graph it comes from.
fn param<const R: usize>(tensor: Tensor<R>) -> Param<Tensor<R>> {
    Param::initialized(burn::module::ParamId::new(), tensor)
}

/// Neither later tokens nor padding move an output by a bit, also while a chain is not in equilibrium.
#[test]
fn nothing_masked_leaks() {
    for (name, device) in devices() {
        let gibbs = |config: QamaConfig, n: usize| {
            config.with_selection(QamaSelection::Gibbs).with_n_iterations(n)
        };
        let one_key = QamaConfig::new(D, HEADS).with_dropout(0.0);
        let one_key = one_key.with_selection(QamaSelection::ExactlyOne);
        let mut configs = vec![one_key.with_coupling(QamaCoupling::None)];
        for config in with_couplings() {
            configs.extend([gibbs(config.clone(), 1), gibbs(config.clone(), 4), config]);
        }
        // GPUs try out kernels, which round differently, while they run.
        let rounding = if name == "wgpu" { 1e-6 } else { 0.0 };
        for config in configs {
            let layer = with_strong_couplings(&config, &device);
            let x = f64s(8, [2, 5, D], &device);
            let run = |x: Tensor<3>| {
                let input = QamaInput::self_attn(x).mask_attn(causal(2, 5, &device));
                values(layer.forward(input).context.narrow(1, 0, 3))
            };
            let later = f64s(9, [2, 2, D], &device);
            let changed = Tensor::cat(vec![x.clone().narrow(1, 0, 3), later], 1);
            let error = max_difference(&run(x.clone()), &run(changed));
            assert!(error <= rounding, "{name}: {config}: {error}");

            let padded = |padding: Tensor<3>| {
                let long = Tensor::cat(vec![x.clone(), padding], 1);
                let pad = mask((0..12).map(|k| k % 6 == 5).collect(), [2, 6], &device);
                let out = layer.forward(QamaInput::self_attn(long).mask_pad(pad));
                values(out.context.narrow(1, 0, 5))
            };
            let padding = f64s(10, [2, 1, D], &device);
            let other = padded(padding.clone() * -1e6);
            let error = max_difference(&padded(padding), &other);
            assert!(error <= rounding, "{name}: {config}: {error}");
            // Other numbers of keys take other random numbers.
            if config.selection != QamaSelection::Gibbs {
                let short = values(layer.forward(QamaInput::self_attn(x.clone())).context);
                assert!(max_difference(&short, &other) < 1e-5, "{name}: {config}");
            }
        }
    }
}

/// A sampler that ignores the model must not select what is masked either.
#[test]
fn no_sampler_selects_a_masked_key() {
    for (_, device) in devices() {
        let layer = config().with_n_reads(2).init_with_sampler(
            &device,
            std::sync::Arc::new(AllOn),
            SampleTemperature::Known(1.0),
        );
        let pad = mask((0..8).map(|k| k % 4 == 3).collect(), [2, 4], &device);
        let x = QamaInput::self_attn(f64s(20, [2, 4, D], &device)).mask_pad(pad);
        let out = layer.forward(x.mask_attn(causal(2, 4, &device)));
        let visible = |k: usize| f64::from(k % 4 <= k / 4 % 4 && k % 4 != 3);
        let expected: Vec<f64> = (0..2 * HEADS * 16).map(visible).collect();
        assert_eq!(values(out.selection.clone()), expected);
        assert_eq!(values(out.selected_fraction()), [1.0; HEADS]);
    }
}

/// Samplers that set their schedule by the largest coefficients find the same model beside padding.
#[test]
fn padding_does_not_heat_an_annealer() {
    let device = device();
    for (field, bias) in [(QamaField::Score, 0.0), (QamaField::Relative, 2.0)] {
        let annealer = SimulatedAnnealing::default().with_n_sweeps(16).with_seed(3);
        let config = config().with_field(field).with_initial_bias(Some(bias));
        let layer = config.with_n_reads(4000).init_with_sampler(
            &device,
            std::sync::Arc::new(annealer),
            SampleTemperature::Known(1.0),
        );
        let layer = fixed(layer, &device);
        let x = f64s(21, [1, 6, D], &device) * 4.0;
        let short = values(layer.forward(QamaInput::self_attn(x.clone())).selection);
        let long = Tensor::cat(vec![x, f64s(22, [1, 1, D], &device)], 1);
        let pad = mask((0..7).map(|k| k == 6).collect(), [1, 7], &device);
        let padded = layer.forward(QamaInput::self_attn(long).mask_pad(pad)).selection;
        let padded = values(padded.narrow(2, 0, 6).narrow(3, 0, 6));
        // The unit of the schedule counts one more spin, which changes the last temperature a little.
        let error = max_difference(&short, &padded);
        assert!(error < 0.08, "{field:?}: {error}");
        assert!(short.iter().any(|p| *p > 0.9), "an annealer is cold: {short:?}");
    }
}

/// One call of the layer is one call of each head's estimator, however large the batch.
#[test]
fn a_schedule_of_the_gradient_counts_calls() {
    let device = device().autodiff();
    let alpha = Alpha::Scheduled { start: 0.0, end: 1.0, n_calls: 4 };
    let gradient = HybridGradient { alpha, classical: IsingEstimator::MeanField };
    let layer = config().with_selection(QamaSelection::Gibbs).with_gradient(gradient);
    let layer = fixed(layer.init(&device), &device);
    for call in 0..3 {
        let out = layer.forward(QamaInput::self_attn(f64s(23, [5, 4, D], &device)));
        out.context.sum().backward();
        let shares = layer.gradient_reports().into_iter().map(|report| report.unwrap().alpha);
        assert_eq!(shares.collect::<Vec<_>>(), [f64::from(call) / 4.0; HEADS]);
    }
}

/// Where no sample selects anything, the gradient must not be that of a division by nothing.
#[test]
fn a_query_without_selections_has_a_bounded_gradient() {
    let device = device().autodiff();
    for classical in [IsingEstimator::MeanField, IsingEstimator::StraightThrough] {
        let gradient = HybridGradient { alpha: Alpha::Fixed(1.0), classical };
        let config = config().with_selection(QamaSelection::Gibbs).with_gradient(gradient);
        let config = config.with_field(QamaField::Score).with_initial_bias(Some(-12.0));
        let layer = fixed(config.init(&device), &device);
        let x = f64s(24, [2, 4, D], &device).require_grad();
        let out = layer.forward(QamaInput::self_attn(x.clone()));
        assert_eq!(values(out.selection.clone().sum()), [0.0]);
        let gradient = values(x.grad(&out.context.sum().backward()).unwrap());
        assert!(gradient.iter().all(|g| g.abs() < 0.1), "{classical:?}: {gradient:?}");
        assert!(gradient.iter().any(|g| *g != 0.0), "{classical:?}: it knows the way");
    }
}

/// Of all parameters, the couplings' too, against central differences of exhaustive sums.
#[test]
fn the_covariance_gradient_of_fields_and_couplings_is_that_of_the_distribution() {
    let device = device().autodiff();
    for (k, config) in with_couplings().into_iter().enumerate() {
        let sampled = config.clone().with_normalise(false).with_selection(QamaSelection::Gibbs);
        let sampled = sampled.with_n_iterations(30).with_n_reads(40_000);
        let mut layer = with_strong_couplings(&sampled, &device);
        // Where the bound is not flat.
        layer.coupling =
            layer.coupling.map(|raw| raw.map(|raw| (raw * 0.3).detach().require_grad()));
        // The last key of the second sequence is padding, as `couplings` has it.
        let x = f64s(25 + k as u64, [2, 5, D], &device) * 2.0;
        let pad = mask((0..10).map(|k| k == 9).collect(), [2, 5], &device);
        let c: Vec<f64> =
            uniform(&mut rng(26), 2 * HEADS * 25, 1.0).iter().map(|c| c.abs()).collect();
        let weight = tensor(&c, [2, HEADS, 5, 5], &device, F32);
        let out = layer.forward(QamaInput::self_attn(x.clone()).mask_pad(pad));
        let grads = (out.selection * weight).sum().backward();
        let (bias, raw) = (layer.bias.as_ref().unwrap(), layer.coupling.as_ref().unwrap());
        let found = [bias.val().grad(&grads).map(values), raw.val().grad(&grads).map(values)];
        let found = found.map(Option::unwrap).concat();

        let mut at = values(bias.val());
        at.extend(values(raw.val()));
        let dims = raw.val().dims();
        let total = |at: &[f64]| {
            let mut layer = layer.clone().valid();
            let device = device.clone().without_autodiff();
            let dtype = burn::tensor::DType::F64;
            layer.bias = Some(param(tensor(&at[..HEADS], [HEADS], &device, dtype)));
            layer.coupling = Some(param(tensor(&at[HEADS..], dims, &device, dtype)));
            let x = x.clone().without_autodiff();
            let means = exact_selection(&layer, &config, &x, |b, _, j| b == 0 || j < 4);
            means.iter().zip(&c).map(|(m, c)| m * c).sum::<f64>()
        };
        let step = 1e-3;
        let expected: Vec<f64> = (0..at.len())
            .map(|k| {
                let moved = |by: f64| {
                    let mut at = at.clone();
                    at[k] += by;
                    total(&at)
                };
                (moved(step) - moved(-step)) / (2.0 * step)
            })
            .collect();
        let error = max_difference(&found, &expected);
        assert!(error < 0.05, "{k}: {error} {found:?} {expected:?}");
        assert!(expected[HEADS..].iter().any(|g| g.abs() > 0.15), "{k}: visible: {expected:?}");
    }
}

/// Hot spins are free, cold ones follow the ground state: couplings are bounded by `2 / (beta n)`.
#[test]
fn both_ends_of_the_temperature() {
    let device = device();
    let x = f64s(27, [1, 5, D], &device) * 4.0;
    for (selection, error) in [(QamaSelection::MeanField, 1e-4), (QamaSelection::Gibbs, 0.04)] {
        let config = config().with_field(QamaField::Score).with_initial_bias(Some(0.0));
        let config = match selection {
            QamaSelection::Gibbs => config.with_n_reads(4000),
            _ => config,
        };
        let config = config.with_selection(selection);
        let run = |layer: &Qama| values(layer.forward(QamaInput::self_attn(x.clone())).selection);
        let hot = config.clone().with_beta(1e-5).with_coupling(QamaCoupling::None).init(&device);
        let hot = fixed(hot, &device);
        assert!(run(&hot).iter().all(|p| (p - 0.5).abs() < error), "{selection:?}");

        let cold = fixed(config.with_beta(300.0).init(&device), &device);
        let fields = theta(&cold, QamaField::Score, &x, |_, _, _| true);
        let m = run(&cold);
        let sure: Vec<_> = fields.iter().zip(&m).filter(|(theta, _)| theta.abs() > 0.05).collect();
        let on = sure.iter().filter(|(theta, _)| **theta > 0.0).count();
        assert!(on > 5 && on < sure.len() - 5, "keys of both kinds: {on} of {}", sure.len());
        for (theta, p) in sure {
            assert!((p - f64::from(*theta > 0.0)).abs() < 1e-3, "{selection:?}: {theta} {p}");
        }
    }
}

/// Tokens in another order give the same outputs in that order, unless couplings are of places.
#[test]
fn the_order_of_tokens_does_not_matter() {
    let device = device();
    let order = [3, 0, 4, 1, 2];
    for config in with_couplings() {
        let layer = with_strong_couplings(&config, &device);
        if matches!(config.coupling, QamaCoupling::Learned { .. }) {
            continue; // Couplings of places.
        }
        let x = f64s(28, [2, 5, D], &device);
        let permuted =
            |x: &Tensor<3>| Tensor::cat(order.map(|i| x.clone().narrow(1, i, 1)).into(), 1);
        let out = layer.forward(QamaInput::self_attn(x.clone())).context;
        let other = layer.forward(QamaInput::self_attn(permuted(&x))).context;
        assert!(max_difference(&values(permuted(&out)), &values(other)) < 1e-5);
    }
}

#[test]
fn an_element_of_a_batch_does_not_depend_on_the_others() {
    let device = device();
    for config in with_couplings() {
        for selection in [QamaSelection::MeanField, QamaSelection::Gibbs] {
            let layer = with_strong_couplings(&config.clone().with_selection(selection), &device);
            let x = f64s(11, [8, 5, D], &device);
            let all = layer.forward(QamaInput::self_attn(x.clone())).selection;
            let alone = layer.forward(QamaInput::self_attn(x.narrow(0, 0, 1))).selection;
            let difference = max_difference(&values(all.narrow(0, 0, 1)), &values(alone));
            assert!(difference < 1e-6, "{selection:?}: {difference}");
        }
    }
}

#[test]
fn nothing_to_select_is_no_nan() {
    let device = device();
    let all = |selection| {
        let coupling = match selection {
            QamaSelection::ExactlyOne => QamaCoupling::None,
            _ => QamaCoupling::KeyKey,
        };
        config().with_selection(selection).with_coupling(coupling)
    };
    use QamaSelection::*;
    for config in [MeanField, Gibbs, ExactlyOne].map(all) {
        let layer = fixed(config.init(&device.clone().autodiff()), &device.clone().autodiff());
        for n in [1, 3] {
            let x = f64s(12, [2, n, D], &device.clone().autodiff()).require_grad();
            let hidden = mask(vec![true; 2 * n], [2, n], &device);
            let out = layer.forward(QamaInput::self_attn(x.clone()).mask_pad(hidden));
            assert_eq!(values(out.selected_fraction()), [0.0; HEADS]);
            let nothing = values(layer.output.forward(Tensor::<3>::zeros([2, n, D], &device)));
            assert_eq!(values(out.context.clone()), nothing);
            let grads = out.context.sum().backward();
            // Keys and queries are not used; whether they get zeros or nothing is up to Burn.
            let g = x.grad(&grads).map(values).unwrap_or_default();
            assert!(g.iter().all(|g| *g == 0.0), "{:?}, {n} keys: {g:?}", config.selection);
        }
    }
}

#[test]
fn a_query_of_another_length_attends_across() {
    let device = device();
    for selection in [QamaSelection::MeanField, QamaSelection::Gibbs] {
        let layer = fixed(config().with_selection(selection).init(&device), &device);
        let (q, k) = (f64s(13, [2, 3, D], &device), f64s(14, [2, 6, D], &device));
        let out = layer.forward(QamaInput::new(q, k.clone(), k));
        assert_eq!((out.context.dims(), out.weights.dims()), ([2, 3, D], [2, HEADS, 3, 6]));
        let rows = values(out.weights.sum_dim(3));
        assert!(rows.iter().all(|sum| *sum < 1.0 + 1e-5));
    }
}

/// Mean field where there are no couplings is exact, so the estimated gradient of many samples must
/// agree with its own.
#[test]
fn the_sampled_gradient_is_that_of_the_distribution() {
    let device = device().autodiff();
    let base = config().with_coupling(QamaCoupling::None).with_normalise(false);
    let base = base.with_initial_bias(Some(0.0));
    let exact = fixed(base.clone().init(&device), &device);
    let record = || ModuleRecord::from_bytes(exact.clone().into_record().into_bytes().unwrap());
    let sampled = base.with_selection(QamaSelection::Gibbs).with_n_reads(20_000);
    let sampled = sampled.init(&device).load_record(record().unwrap());
    let x = f64s(15, [1, 3, D], &device) * 2.0;
    let gradient = |layer: &Qama| {
        let out = layer.forward(QamaInput::self_attn(x.clone())).context;
        let c = uniform(&mut rng(16), 3 * D, 1.0);
        let c = tensor(&c, [1, 3, D], &device, F32);
        let grads = (out * c).sum().backward();
        [layer.query.weight.val(), layer.value.weight.val()]
            .map(|w| values(w.grad(&grads).unwrap()))
    };
    let ([q, v], [q_exact, v_exact]) = (gradient(&sampled), gradient(&exact));
    assert!(max_difference(&q, &q_exact) < 0.03, "{}", max_difference(&q, &q_exact));
    assert!(max_difference(&v, &v_exact) < 0.05, "{}", max_difference(&v, &v_exact));
    assert!(q_exact.iter().any(|g| g.abs() > 0.1), "a gradient that can be seen");
}

#[test]
fn any_sampler_serves() {
    let device = device();
    let random = std::sync::Arc::new(Random::default());
    let config = config().with_n_reads(400);
    let layer = config.init_with_sampler(&device, random, SampleTemperature::Estimated);
    let out = layer.forward(QamaInput::self_attn(f64s(17, [1, 4, D], &device)));
    // Spins that do not care for their fields.
    assert!(values(out.selection).iter().all(|p| (p - 0.5).abs() < 5.0 * 0.025));
}

/// The samples of a known temperature tell it, and the gradient is as large.
#[test]
fn an_estimated_temperature_gives_the_gradient_of_a_known_one() {
    let device = device().autodiff();
    let run = |layer: &Qama| {
        let x = (f64s(29, [2, 4, D], &device) * 2.0).detach().require_grad();
        let out = layer.forward(QamaInput::self_attn(x.clone()));
        let grads = out.context.square().sum().backward();
        let coupling = layer.coupling.as_ref().unwrap().val();
        [values(x.grad(&grads).unwrap()), values(coupling.grad(&grads).unwrap())]
    };
    let layer = |temperature| {
        let gibbs = std::sync::Arc::new(GibbsSampler::new(BETA).with_n_sweeps(20));
        let config = config().with_n_reads(2000).with_initial_bias(Some(0.0));
        fixed(config.init_with_sampler(&device, gibbs, temperature), &device)
    };
    let known = layer(SampleTemperature::Known(BETA));
    let bytes = known.clone().into_record().into_bytes().unwrap();
    let estimated = layer(SampleTemperature::Estimated);
    let estimated = estimated.load_record(ModuleRecord::from_bytes(bytes).unwrap());
    for (known, estimated) in run(&known).iter().zip(run(&estimated)) {
        let largest = known.iter().fold(0f64, |max, g| max.max(g.abs()));
        let error = max_difference(known, &estimated);
        assert!(error > 0.0 && error < 0.1 * largest, "{error} of {largest}");
    }
}

/// `E[z*]` of two keys, by sums over a grid of the noise of both fields and of the coupling.
fn smoothed_ground_state([first, second, w]: [f64; 3], epsilon: f64) -> [f64; 2] {
    let grid: Vec<(f64, f64)> = (-40..=40)
        .map(|k| f64::from(k) * 0.125 + 0.0625)
        .map(|z| (z, (-0.5 * z * z).exp()))
        .collect();
    let (mut means, mut total) = ([0.0; 2], 0.0);
    for &(za, pa) in &grid {
        for &(zb, pb) in &grid {
            // Between the places where the ground state changes, the coupling is integrated exactly.
            let (a, b) = (first + epsilon * za, second + epsilon * zb);
            let best = a.max(b).max(0.0);
            let both = normal_above((best - a - b - w) / (epsilon / 2f64.sqrt()));
            let (only_a, only_b) = (f64::from(best == a), f64::from(best == b));
            means[0] += pa * pb * (both + (1.0 - both) * only_a);
            means[1] += pa * pb * (both + (1.0 - both) * only_b);
            total += pa * pb;
        }
    }
    means.map(|mean| mean / total)
}

/// The probability that a normal number is larger.
fn normal_above(x: f64) -> f64 {
    let (n, width) = (200, 8.0);
    if x.abs() > 6.0 {
        return f64::from(x < 0.0);
    }
    let step = (width - x) / f64::from(n);
    let density = |k: i32| (-0.5 * (x + (f64::from(k) + 0.5) * step).powi(2)).exp();
    (0..n).map(density).sum::<f64>() * step / (2.0 * std::f64::consts::PI).sqrt()
}

/// Value and gradient, beside padding and a classical term, against differences of sums.
#[test]
fn perturbed_ground_states_have_the_gradient_of_their_smoothed_mean() {
    let device = device().autodiff();
    let (epsilon, n_samples) = (0.8, 20_000);
    let perturbed = QamaGroundStates::Perturbed { epsilon, n_samples };
    let config = config().with_coupling(QamaCoupling::Learned { max_keys: 3 });
    let config = config.with_normalise(false).with_field(QamaField::Score).with_n_reads(1);
    let config = config.with_initial_bias(Some(0.2));
    for padded in [false, true] {
        let exact = std::sync::Arc::new(Exact::default());
        let mut layer = fixed(config.init_with_annealer(&device, exact, perturbed), &device);
        let raw = uniform(&mut rng(30), HEADS * 9, 0.8);
        layer.coupling = Some(Param::from_tensor(tensor(&raw, [HEADS, 3, 3], &device, F32)));
        let n = if padded { 3 } else { 2 };
        let x = (f64s(31, [1, n, D], &device) * 2.0).detach().require_grad();
        let mut input = QamaInput::self_attn(x.clone());
        if padded {
            input = input.mask_pad(mask(vec![false, false, true], [1, 3], &device));
        }
        let out = layer.forward(input).selection.narrow(2, 0, 2).narrow(3, 0, 2);
        let c = uniform(&mut rng(32), HEADS * 4, 1.0);
        let (bias, raw) = (layer.bias.as_ref().unwrap(), layer.coupling.as_ref().unwrap());
        let classical = bias.val().square().sum();
        let weight = tensor(&c, [1, HEADS, 2, 2], &device, F32);
        let grads = ((out.clone() * weight).sum() + classical).backward();
        let mut found = values(bias.val().grad(&grads).unwrap());
        found.extend(values(raw.val().grad(&grads).unwrap()));
        found.extend(values(layer.query.weight.val().grad(&grads).unwrap()));

        let means = |at: &[f64]| -> Vec<f64> {
            let (mut layer, device) = (layer.clone().valid(), device.clone().without_autodiff());
            let part = |from: usize, to: usize| at[from..to].to_vec();
            let raw = part(HEADS, HEADS * 10);
            layer.bias = Some(param(tensor(&part(0, HEADS), [HEADS], &device, F32)));
            let weight = tensor(&part(HEADS * 10, at.len()), [D, D], &device, F32);
            layer.query.weight = param(weight);
            let x = x.clone().without_autodiff();
            let theta = theta(&layer, QamaField::Score, &x, |_, _, _| true);
            let row = |k: usize| {
                let (h, q) = (k / 2, k % 2);
                let theta = &theta[(h * n + q) * n..][..2];
                let w = (0.5 * (raw[h * 9 + 1] + raw[h * 9 + 3])).tanh() * 2.0 / (BETA * 2.0);
                smoothed_ground_state([theta[0], theta[1], w], epsilon)
            };
            (0..HEADS * 2).flat_map(row).collect()
        };
        let mut at = values(bias.val());
        at.extend(values(raw.val()));
        at.extend(values(layer.query.weight.val()));
        let expected = means(&at);
        let error = max_difference(&values(out), &expected);
        assert!(error < 5.0 * (0.25 / n_samples as f64).sqrt(), "{padded}: {error}");
        let of_loss = |at: &[f64]| {
            let means = means(at);
            let bias = at[..HEADS].iter().map(|b| b * b).sum::<f64>();
            means.iter().zip(&c).map(|(m, c)| m * c).sum::<f64>() + bias
        };
        let step = 0.05;
        // Biases, one coupling of each head, some weights.
        for k in [0, 1, HEADS + 1, HEADS + 9 + 3, HEADS * 10, HEADS * 10 + 13, HEADS * 10 + 37] {
            let moved = |by: f64| {
                let mut at = at.clone();
                at[k] += by;
                of_loss(&at)
            };
            let expected = (moved(step) - moved(-step)) / (2.0 * step);
            assert!((found[k] - expected).abs() < 0.05, "{padded}, {k}: {} {expected}", found[k]);
        }
        if padded {
            // Not even noise reaches what takes no part.
            let by_x = values(x.grad(&grads).unwrap());
            assert_eq!(by_x[2 * D..], [0.0; D]);
            assert!(by_x[..D].iter().all(|g| *g != 0.0));
            let of_padding = (0..HEADS * 9).filter(|k| k % 3 == 2 || k / 3 % 3 == 2);
            assert!(of_padding.into_iter().all(|k| found[HEADS + k] == 0.0));
        }
        assert!(
            found[HEADS + 1].abs() > 0.08,
            "a gradient of couplings that can be seen: {found:?}"
        );
    }
}

/// Of keys that nothing prefers, one of two samples selects each.
#[test]
fn noise_comes_in_pairs_of_opposite_sign() {
    let device = device();
    let config = config().with_coupling(QamaCoupling::None).with_initial_bias(Some(0.0));
    let mut layer = config.with_field(QamaField::Score).init_with_annealer(
        &device,
        std::sync::Arc::new(Exact::default()),
        QamaGroundStates::Perturbed { epsilon: 1.0, n_samples: 2 },
    );
    layer.query.weight = Param::from_tensor(Tensor::zeros([D, D], &device));
    layer.query.bias = None;
    let out = layer.forward(QamaInput::self_attn(f64s(34, [2, 4, D], &device)));
    assert_eq!(values(out.selection), [0.5; 2 * HEADS * 16]);
}

/// The ground state of each query, among the keys that it sees; only values are trained.
#[test]
fn frozen_ground_states_are_the_lowest_and_train_values_alone() {
    let device = device().autodiff();
    for (seed, config) in (0..9).flat_map(|k| with_couplings().map(|config| (33 + k, config))) {
        let annealer = SimulatedAnnealing::default().with_n_sweeps(60);
        let layer = config.clone().with_n_reads(8).init_with_annealer(
            &device,
            std::sync::Arc::new(annealer),
            QamaGroundStates::Frozen,
        );
        let layer = fixed(layer, &device);
        let x = f64s(seed, [2, 5, D], &device);
        let pad = mask((0..10).map(|k| k == 9).collect(), [2, 5], &device);
        let input = QamaInput::self_attn(x.clone()).mask_pad(pad).mask_attn(causal(2, 5, &device));
        let out = layer.forward(input);
        let plain = x.clone().without_autodiff();
        let (model, visible) =
            (layer.clone().valid(), |b: usize, q: usize, j: usize| j <= q && !(b == 1 && j == 4));
        let theta = theta(&model, config.field, &plain, visible);
        let w = couplings(&model, &config, &plain);
        for (row, z) in values(out.selection.clone()).chunks(5).enumerate() {
            let (b, q) = (row / 5 / HEADS, row % 5);
            let energy = |on: &dyn Fn(usize) -> bool| -> f64 {
                let on: Vec<usize> = (0..5).filter(|&j| on(j)).collect();
                let pairs = on.iter().flat_map(|&i| on.iter().map(move |&j| (i, j)));
                let pull = pairs.filter(|(i, j)| j < i).map(|(i, j)| w[(row / 5 * 5 + i) * 5 + j]);
                -on.iter().map(|&i| theta[row * 5 + i]).sum::<f64>() - pull.sum::<f64>()
            };
            let seen =
                (0..32usize).filter(|bits| (0..5).all(|j| bits >> j & 1 == 0 || visible(b, q, j)));
            let lowest = seen.map(|bits| energy(&|j| bits >> j & 1 == 1)).fold(0.0, f64::min);
            assert!((energy(&|j| z[j] == 1.0) - lowest).abs() < 1e-5, "{row}: {z:?}");
            assert!((0..5).all(|j| z[j] == 0.0 || visible(b, q, j)));
        }
        let grads = out.context.sum().backward();
        assert!(layer.value.weight.val().grad(&grads).is_some());
        let rest = [&layer.query, &layer.key].map(|linear| linear.weight.val().grad(&grads));
        assert!(rest.into_iter().flatten().all(|g| values(g).iter().all(|g| *g == 0.0)));
    }
}

/// A device that comes back without a read.
#[derive(Debug)]
struct Silent;

impl IsingSampler for Silent {
    fn sample(&self, model: &Ising, _: usize) -> Result<SampleSet, burn_quantum::Error> {
        SampleSet::new(model, Vec::new())
    }
}

#[test]
fn an_annealer_without_a_read_is_an_error() {
    let device = device();
    let silent = std::sync::Arc::new(Silent);
    let layer = config().init_with_annealer(&device, silent, QamaGroundStates::Frozen);
    let x = f64s(35, [1, 3, D], &device);
    let error = layer.try_forward(QamaInput::self_attn(x)).unwrap_err().to_string();
    assert!(error.contains("the number of reads that the annealer returned is 0"), "{error}");
}

#[test]
#[should_panic(expected = "n_samples is 3: use an even number of 2 or more")]
fn perturbations_that_are_no_pairs() {
    let perturbed = QamaGroundStates::Perturbed { epsilon: 1.0, n_samples: 3 };
    config().init_with_annealer(&device(), std::sync::Arc::new(Random::default()), perturbed);
}

#[test]
#[should_panic(expected = "`gradient` is of samples that have a temperature")]
fn a_gradient_of_samples_of_ground_states() {
    let gradient =
        HybridGradient { alpha: Alpha::Fixed(0.5), classical: IsingEstimator::MeanField };
    let config = config().with_gradient(gradient);
    let random = std::sync::Arc::new(Random::default());
    config.init_with_annealer(&device(), random, QamaGroundStates::Frozen);
}

#[test]
fn configs_and_records_round_trip() {
    let device = device();
    let config = config()
        .with_selection(QamaSelection::Gibbs)
        .with_coupling(QamaCoupling::Learned { max_keys: 9 })
        .with_gradient(HybridGradient {
            alpha: Alpha::Adaptive { memory: 0.5 },
            classical: IsingEstimator::StraightThrough,
        });
    let json = config.to_string();
    let again: QamaConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(again.to_string(), json);
    let x = f64s(18, [2, 4, D], &device);
    let run = |layer: &Qama| values(layer.forward(QamaInput::self_attn(x.clone())).context);
    let trained = config.init(&device);
    let bytes = trained.clone().into_record().into_bytes().unwrap();
    let loaded = again.init(&device).load_record(ModuleRecord::from_bytes(bytes).unwrap());
    assert_eq!(run(&trained), run(&loaded));
}

#[test]
fn the_bias_begins_where_its_field_wants_it() {
    for (field, expected) in [(QamaField::Relative, 1.5), (QamaField::Score, -2.0)] {
        let layer = config().with_field(field).init(&device());
        assert_eq!(values(layer.bias.unwrap().val()), [expected; HEADS]);
    }
    assert!(matches!(config().field, QamaField::Relative));
}

#[test]
#[should_panic(expected = "initial_bias is NaN: use a finite number")]
fn a_bias_that_is_no_number() {
    config().with_initial_bias(Some(f64::NAN)).init(&device());
}

#[test]
#[should_panic(expected = "3 heads do not divide d_model 8")]
fn heads_that_do_not_divide() {
    QamaConfig::new(8, 3).init(&device());
}

#[test]
#[should_panic(expected = "there are 7 keys, but couplings of 6: raise max_keys")]
fn more_keys_than_couplings() {
    let device = device();
    let layer = config().with_coupling(QamaCoupling::Learned { max_keys: 6 }).init(&device);
    layer.forward(QamaInput::self_attn(Tensor::zeros([1, 7, D], &device)));
}

#[test]
#[should_panic(expected = "couplings do not change which one key is selected")]
fn couplings_of_exactly_one() {
    config().with_selection(QamaSelection::ExactlyOne).init(&device());
}

#[test]
#[should_panic(expected = "n_reads, gradient and seed belong to samplers")]
fn reads_of_a_mean_field() {
    config().with_n_reads(3).init(&device());
}

#[test]
#[should_panic(expected = "axis 1 expected 4, got 3")]
fn a_mask_of_another_length() {
    let device = device();
    let hidden = mask(vec![false; 3], [1, 3], &device);
    let x = Tensor::zeros([1, 4, D], &device);
    config().init(&device).forward(QamaInput::self_attn(x).mask_pad(hidden));
}

#[test]
#[should_panic(expected = "without couplings the mean field knows no iterations")]
fn iterations_without_couplings() {
    config().with_coupling(QamaCoupling::None).with_n_iterations(9).init(&device());
}

#[test]
#[should_panic(expected = "beta is 0: use a positive number")]
fn a_temperature_that_is_none_beside_a_sampler() {
    let sampler = std::sync::Arc::new(Random::default());
    config().with_beta(0.0).init_with_sampler(&device(), sampler, SampleTemperature::Known(1.0));
}

#[test]
#[should_panic(expected = "leave n_iterations, initial_bias and field out")]
fn iterations_of_exactly_one() {
    let config = config().with_selection(QamaSelection::ExactlyOne).with_n_iterations(9);
    config.with_coupling(QamaCoupling::None).init(&device());
}

#[test]
#[should_panic(expected = "`selection` and `n_iterations` would be ignored")]
fn a_selection_beside_a_sampler_that_is_given() {
    let sampler = std::sync::Arc::new(Random::default());
    let config = config().with_selection(QamaSelection::Gibbs);
    config.init_with_sampler(&device(), sampler, SampleTemperature::Known(1.0));
}
