//! Bits of queries and keys, against plain loops over all of their states.

use crate::common::*;
use crate::devices::*;
use burn::module::{Module, Param};
use burn::store::ModuleRecord;
use burn::tensor::{Bool, DType, Device, Tensor, TensorData};
use burn_quantum::annealing::{AllOn, BipartiteModel, BlockGibbs, GibbsSampler};
use burn_quantum::ising::to_spins;
use burn_quantum::nn::SampleTemperature;
use burn_quantum::nn::attention::*;
use std::sync::Arc;

const D: usize = 4;
const HEADS: usize = 2;
const D_K: usize = 2;
const BETA: f64 = 1.3;

fn config() -> BipartiteAttentionConfig {
    let config = BipartiteAttentionConfig::new(D, HEADS).with_dropout(0.0).with_beta(BETA);
    config.with_n_sweeps(40).with_initial_bias(-0.2)
}

fn input(seed: u64, dims: [usize; 3], device: &Device) -> Tensor<3> {
    let values = uniform(&mut rng(seed), dims.iter().product(), 2.0);
    tensor(&values, dims, device, DType::F32)
}

fn mask(values: Vec<bool>, n: usize, device: &Device) -> Tensor<2, Bool> {
    let batch = values.len() / n;
    Tensor::from_data(TensorData::new(values, [batch, n]), device)
}

/// The layer with parameters that are the same in every run.
fn fixed(mut layer: BipartiteAttention, device: &Device) -> BipartiteAttention {
    let mut rng = rng(1234);
    for linear in [&mut layer.query, &mut layer.key, &mut layer.value, &mut layer.output] {
        let weight = uniform(&mut rng, D * D, 1.0);
        linear.weight = Param::from_tensor(tensor(&weight, [D, D], device, DType::F32));
        let bias = uniform(&mut rng, D, 0.5);
        linear.bias = Some(Param::from_tensor(tensor(&bias, [D], device, DType::F32)));
    }
    for bias in [&mut layer.query_bias, &mut layer.key_bias] {
        let values = uniform(&mut rng, HEADS, 0.8);
        *bias = Param::from_tensor(tensor(&values, [HEADS], device, DType::F32));
    }
    layer
}

struct Case {
    j: Vec<f32>,
    g: Vec<f32>,
    f: Vec<f32>,
    model: BipartiteModel,
}

fn case(seed: u64, n_queries: usize, n_keys: usize) -> Case {
    let mut rng = rng(seed);
    let j = to_f32(&uniform(&mut rng, n_queries * n_keys, 1.0));
    let g = to_f32(&uniform(&mut rng, n_queries, 1.0));
    let f = to_f32(&uniform(&mut rng, n_keys, 1.0));
    let model = BipartiteModel::new([n_queries, n_keys], &j, [&g, &f], [None, None]).unwrap();
    Case { j, g, f, model }
}

impl Case {
    fn energy(&self, bits: &[u8]) -> f64 {
        let (n, k) = (self.g.len(), self.f.len());
        let mut energy = 0.0;
        for i in (0..n).filter(|&i| bits[i] == 1) {
            energy -= f64::from(self.g[i]);
            let on = (0..k).filter(|&j| bits[n + j] == 1);
            energy -= on.map(|j| f64::from(self.j[i * k + j])).sum::<f64>();
        }
        energy - (0..k).filter(|&j| bits[n + j] == 1).map(|j| f64::from(self.f[j])).sum::<f64>()
    }
}

#[test]
fn samples_have_the_boltzmann_moments_of_the_formula() {
    let reads = 40_000;
    for (seed, [n, k]) in [[3, 4], [1, 9], [5, 1], [2, 0], [0, 3]].into_iter().enumerate() {
        let case = case(seed as u64, n, k);
        let size = n + k;
        let bits = |state: usize| (0..size).map(|b| (state >> b & 1) as u8).collect::<Vec<_>>();
        let ising = case.model.to_qubo().unwrap().to_ising().unwrap();
        let mut weights = Vec::new();
        for state in 0..1 << size {
            let energy = case.energy(&bits(state));
            assert!((case.model.energy(&bits(state)) - energy).abs() < 1e-5);
            assert!((ising.energy(&to_spins(&bits(state))) - energy).abs() < 1e-5);
            weights.push((-BETA * energy).exp());
        }
        let z: f64 = weights.iter().sum();
        let gibbs = BlockGibbs::new(BETA).unwrap().with_n_sweeps(40);
        let samples = gibbs.sample_bipartite(std::slice::from_ref(&case.model), reads).remove(0);
        for a in 0..size {
            for b in a..size {
                let both = |s: &usize| s >> a & 1 == 1 && s >> b & 1 == 1;
                let exact = (0..1 << size).filter(both).map(|s| weights[s]).sum::<f64>() / z;
                let seen = samples.chunks(size).filter(|x| x[a] == 1 && x[b] == 1).count();
                let seen = seen as f64 / reads as f64;
                let sigma = (exact * (1.0 - exact) / reads as f64).sqrt();
                assert!((seen - exact).abs() < 5.0 * sigma, "{n} {k}: {a} {b} {seen} {exact}");
            }
        }
    }
}

#[test]
fn numbers_that_are_none_are_named() {
    let model = |j: &[f32], f: &[f32]| BipartiteModel::new([1, 2], j, [&[0.0], f], [None, None]);
    let refused = |j: &[f32], f: &[f32]| model(j, f).unwrap_err().to_string();
    assert!(refused(&[0.0, f32::NAN], &[0.0; 2]).contains("coupling 1 is NaN"));
    assert!(refused(&[0.0; 2], &[f32::INFINITY, 0.0]).contains("field of key 0 is inf"));
    assert!(refused(&[0.0; 2], &[0.0; 3]).contains("the fields of keys has 3 values, expected 2"));
}

/// Weights `[D, D]` of query, key, value and output, then the two biases; the sequences.
#[derive(Clone)]
struct Plain {
    parameters: Vec<f64>,
    biases: [Vec<f64>; 4],
    query: Vec<f64>,
    key: Vec<f64>,
    normalise: bool,
}

impl Plain {
    fn new(layer: &BipartiteAttention, normalise: bool, [query, key]: [Tensor<3>; 2]) -> Self {
        let linears = [&layer.query, &layer.key, &layer.value, &layer.output];
        let mut parameters: Vec<f64> =
            linears.iter().flat_map(|linear| values(linear.weight.val())).collect();
        parameters.extend(values(layer.query_bias.val()));
        parameters.extend(values(layer.key_bias.val()));
        let biases = linears.map(|linear| values(linear.bias.as_ref().unwrap().val()));
        Self { parameters, biases, query: values(query), key: values(key), normalise }
    }

    fn linear(&self, which: usize, x: &[f64]) -> Vec<f64> {
        let weight = &self.parameters[which * D * D..][..D * D];
        let token = |x: &[f64], o: usize| {
            self.biases[which][o] + (0..D).map(|a| x[a] * weight[a * D + o]).sum::<f64>()
        };
        x.chunks(D).flat_map(|x| (0..D).map(move |o| token(x, o))).collect()
    }

    /// `<s_i x_j>`, `[head][query][key]`, by all states.
    fn selection(&self) -> Vec<Vec<Vec<f64>>> {
        let (q, k) = (self.linear(0, &self.query), self.linear(1, &self.key));
        let (n, m) = (q.len() / D, k.len() / D);
        let of = |head: usize| {
            let of = |x: &[f64], i: usize| x[i * D + head * D_K..][..D_K].to_vec();
            let scale = ((D_K * m) as f64).sqrt();
            let j = |a: usize, b: usize| {
                of(&q, a).iter().zip(of(&k, b)).map(|(q, k)| q * k).sum::<f64>() / scale
            };
            let [g, f] = [0, 1].map(|side| self.parameters[4 * D * D + side * HEADS + head]);
            let (mut sums, mut total) = (vec![vec![0.0; m]; n], 0.0);
            for state in 0..1usize << (n + m) {
                let on = |bit: usize| state >> bit & 1 == 1;
                let mut energy = 0.0;
                for a in (0..n).filter(|&a| on(a)) {
                    energy -= g + (0..m).filter(|b| on(n + b)).map(|b| j(a, b)).sum::<f64>();
                }
                energy -= (0..m).filter(|b| on(n + b)).count() as f64 * f;
                let weight = (-BETA * energy).exp();
                total += weight;
                for a in (0..n).filter(|&a| on(a)) {
                    (0..m).filter(|b| on(n + b)).for_each(|b| sums[a][b] += weight);
                }
            }
            sums.iter().map(|row| row.iter().map(|sum| sum / total).collect()).collect()
        };
        (0..HEADS).map(of).collect()
    }

    fn output(&self) -> Vec<f64> {
        let (m, v) = (self.selection(), self.linear(2, &self.key));
        let n = self.query.len() / D;
        let mut mixed = vec![0.0; n * D];
        for (k, out) in mixed.iter_mut().enumerate() {
            let (i, o) = (k / D, k % D);
            let row = &m[o / D_K][i];
            let sum = if self.normalise { 1e-6 + row.iter().sum::<f64>() } else { 1.0 };
            *out = row.iter().enumerate().map(|(j, m)| m / sum * v[j * D + o]).sum();
        }
        self.linear(3, &mixed)
    }
}

#[test]
fn output_and_gradient_are_those_of_the_expectation() {
    let device = device().autodiff();
    for (seed, normalise) in [(1, false), (2, true)] {
        let config = config().with_normalise(normalise).with_n_reads(60_000);
        let layer = fixed(config.init(&device), &device);
        let (x, y) = (input(seed, [1, 3, D], &device), input(seed + 5, [1, 4, D], &device));
        let plain = Plain::new(&layer, normalise, [x.clone(), y.clone()]);
        let out = layer.forward(QamaInput::new(x.clone(), y.clone(), y.clone()));
        let exact: Vec<f64> = plain.selection().concat().concat();
        assert!(max_difference(&values(out.selection), &exact) < 0.01);
        assert!(max_difference(&values(out.context.clone()), &plain.output()) < 0.03);
        let c = uniform(&mut rng(seed), 3 * D, 1.0);
        let loss = (out.context * tensor(&c, [1, 3, D], &device, DType::F32)).sum();
        let grads = loss.backward();
        let linears = [&layer.query, &layer.key, &layer.value, &layer.output];
        let mut found: Vec<f64> = linears
            .iter()
            .flat_map(|linear| values(linear.weight.val().grad(&grads).unwrap()))
            .collect();
        found.extend(values(layer.query_bias.val().grad(&grads).unwrap()));
        found.extend(values(layer.key_bias.val().grad(&grads).unwrap()));
        let at = |k: usize, step: f64| {
            let mut other = plain.clone();
            other.parameters[k] += step;
            other.output().iter().zip(&c).map(|(y, c)| y * c).sum::<f64>()
        };
        let expected: Vec<f64> =
            (0..found.len()).map(|k| (at(k, 1e-5) - at(k, -1e-5)) / 2e-5).collect();
        let error = max_difference(&found, &expected);
        assert!(error < 0.03, "{error}");
        let of_query = expected[..D * D].iter().fold(0.0, |max: f64, g| max.max(g.abs()));
        assert!(of_query > 0.06, "a gradient that can be seen: {of_query}");
    }
}

/// Two samples make a noisy gradient, but none with a bias: the mean of many is exact.
#[test]
fn two_samples_have_an_unbiased_gradient() {
    let device = device().autodiff();
    let config = config().with_normalise(false).with_n_reads(2);
    let layer = fixed(config.init(&device), &device);
    let x = input(12, [1, 2, D], &device);
    let plain = Plain::new(&layer, false, [x.clone(), x.clone()]);
    let c = uniform(&mut rng(12), 2 * D, 3.0);
    let batch = 20_000;
    let many = QamaInput::self_attn(x.repeat_dim(0, batch));
    let loss = layer.forward(many).context * tensor(&c, [1, 2, D], &device, DType::F32);
    let grads = (loss.sum() / batch as f64).backward();
    let mut found = values(layer.query.weight.val().grad(&grads).unwrap());
    found.extend(values(layer.query_bias.val().grad(&grads).unwrap()));
    found.extend(values(layer.key_bias.val().grad(&grads).unwrap()));
    let of_biases = 4 * D * D..4 * D * D + 2 * HEADS;
    let at = |k: usize, step: f64| {
        let mut other = plain.clone();
        other.parameters[k] += step;
        other.output().iter().zip(&c).map(|(y, c)| y * c).sum::<f64>()
    };
    let expected: Vec<f64> =
        (0..D * D).chain(of_biases).map(|k| (at(k, 1e-5) - at(k, -1e-5)) / 2e-5).collect();
    let size = expected.iter().fold(0.0, |max: f64, g| max.max(g.abs()));
    let error = max_difference(&found, &expected);
    assert!(error < 0.1 * size, "{error} of {size}: half of it would be a bias");
}

/// What is left of a padded sequence has the gradient that it has alone, and padding selects nothing.
#[test]
fn padding_changes_no_gradient() {
    let device = device().autodiff();
    let x = input(13, [2, 4, D], &device).require_grad();
    let padding = input(14, [2, 1, D], &device) * 1000.0;
    let part = |from: usize| x.clone().narrow(1, from, 2);
    let long = Tensor::cat(vec![part(0), padding.clone(), part(2), padding], 1);
    let hidden = mask((0..12).map(|k| k % 6 == 2 || k % 6 == 5).collect(), 6, &device);
    let run = |input: QamaInput, kept: &dyn Fn(Tensor<3>) -> Tensor<3>| {
        let out = fixed(config().init(&device), &device).forward(input);
        let y = kept(out.context);
        let grads = y.clone().powi_scalar(2).sum().backward();
        (values(y), values(x.grad(&grads).unwrap()), out.selection)
    };
    let (y, g, _) = run(QamaInput::self_attn(x.clone()), &|y| y);
    let (y_long, g_long, selection) = run(QamaInput::self_attn(long).mask_pad(hidden), &|y| {
        Tensor::cat(vec![y.clone().narrow(1, 0, 2), y.narrow(1, 3, 2)], 1)
    });
    assert!(max_difference(&y, &y_long) < 1e-5 && max_difference(&g, &g_long) < 1e-5);
    assert!(g.iter().any(|g| g.abs() > 1e-3), "a gradient that can be seen");
    let selection = values(selection);
    for (k, row) in selection.chunks(6).enumerate() {
        let hides = |i: usize| i == 2 || i == 5;
        let padded = (0..6).filter(|&j| hides(k % 6) || hides(j));
        assert!(padded.map(|j| row[j]).all(|m| m == 0.0), "{k}: {row:?}");
    }
}

/// Queries given the keys are averaged, not drawn: there is less noise than in the drawn products.
#[test]
fn averaging_over_queries_takes_noise_out() {
    let device = device();
    let layer = fixed(config().with_normalise(false).with_n_reads(50).init(&device), &device);
    let (x, y) = (input(3, [1, 3, D], &device), input(4, [1, 4, D], &device));
    let exact = Plain::new(&layer, false, [x.clone(), y.clone()]).selection().concat().concat();
    let (mut error, mut drawn) = (0.0, 0.0);
    for seed in 0..40 {
        let other = config().with_normalise(false).with_n_reads(50).with_seed(seed).init(&device);
        let bytes = layer.clone().into_record().into_bytes().unwrap();
        let other = other.load_record(ModuleRecord::from_bytes(bytes).unwrap());
        let out = other.forward(QamaInput::new(x.clone(), y.clone(), y.clone()));
        let squares = values(out.selection).into_iter().zip(&exact);
        error += squares.map(|(m, p)| (m - p).powi(2)).sum::<f64>();
        drawn += exact.iter().map(|p| p * (1.0 - p) / 50.0).sum::<f64>();
    }
    assert!(error < 0.8 * drawn, "{error} {drawn}");
}

#[test]
fn padding_and_the_rest_of_the_batch_change_nothing() {
    for (name, device) in devices() {
        let layer = fixed(config().init(&device), &device);
        let x = input(6, [3, 4, D], &device);
        let short = layer.forward(QamaInput::self_attn(x.clone()));
        let padding = input(7, [3, 2, D], &device) * 9.0;
        let hidden = mask((0..18).map(|k| k % 6 >= 4).collect(), 6, &device);
        let long = Tensor::cat(vec![x.clone(), padding], 1);
        let long = layer.forward(QamaInput::self_attn(long).mask_pad(hidden));
        let first = values(long.context.narrow(1, 0, 4));
        assert!(max_difference(&values(short.context.clone()), &first) < 1e-5, "{name}");
        let padded = values(long.weights.narrow(3, 4, 2));
        assert!(padded.iter().all(|w| *w == 0.0), "{name}");
        let alone = layer.forward(QamaInput::self_attn(x.narrow(0, 0, 1)));
        let error = max_difference(&values(alone.context), &values(short.context.narrow(0, 0, 1)));
        assert!(error < 1e-5, "{name}: {error}");
    }
}

#[test]
fn any_sampler_serves() {
    let device = device();
    let config = BipartiteAttentionConfig::new(D, HEADS).with_dropout(0.0).with_n_reads(20_000);
    let sampler = Arc::new(GibbsSampler::new(BETA).with_n_sweeps(40));
    let (x, y) = (input(8, [1, 3, D], &device), input(9, [1, 4, D], &device));
    for temperature in [SampleTemperature::Known(BETA), SampleTemperature::Estimated] {
        let layer = config.init_with_sampler(&device, sampler.clone(), temperature);
        let layer = fixed(layer, &device);
        let exact = Plain::new(&layer, true, [x.clone(), y.clone()]).selection().concat().concat();
        let out = layer.forward(QamaInput::new(x.clone(), y.clone(), y.clone()));
        assert!(max_difference(&values(out.selection), &exact) < 0.02);
    }
    let known = SampleTemperature::Known(1.0);
    let all = config.init_with_sampler(&device, Arc::new(AllOn), known);
    let out = all.forward(QamaInput::new(x, y.clone(), y));
    let (m, rows) = (values(out.selection), 4);
    assert!(m.chunks(rows).all(|row| row.iter().all(|m| *m == row[0])), "all keys alike");
}

#[test]
fn degenerate_inputs_are_defined() {
    let device = device().autodiff();
    for (heads, n, hidden) in [(2, 1, false), (1, 3, false), (2, 3, true), (1, 1, true)] {
        let mut config = config();
        config.n_heads = heads;
        let layer = drawn(1, config.init(&device));
        let x = input(10, [2, n, D], &device).require_grad();
        let pad = mask((0..2 * n).map(|k| hidden && k < n).collect(), n, &device);
        let out = layer.forward(QamaInput::self_attn(x.clone()).mask_pad(pad));
        let grads = out.context.clone().powi_scalar(2).sum().backward();
        let (y, g) = (values(out.context), values(x.grad(&grads).unwrap()));
        assert!(y.iter().chain(&g).all(|v| v.is_finite()), "{heads} {n}: {y:?} {g:?}");
        if hidden {
            let nothing = layer.output.forward(Tensor::<2>::zeros([n, D], &device));
            assert_eq!(y[..n * D], values(nothing));
            assert!(g[..n * D].iter().all(|g| *g == 0.0));
        }
    }
}

#[test]
fn configs_and_records_round_trip() {
    let device = device();
    let json = config().to_string();
    let again: BipartiteAttentionConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(again.to_string(), json);
    let x = input(11, [2, 4, D], &device);
    let run =
        |layer: &BipartiteAttention| values(layer.forward(QamaInput::self_attn(x.clone())).context);
    let trained = config().init(&device);
    let bytes = trained.clone().into_record().into_bytes().unwrap();
    let loaded = again.init(&device).load_record(ModuleRecord::from_bytes(bytes).unwrap());
    assert_eq!(run(&trained), run(&loaded));
}

#[test]
#[should_panic(expected = "keys see all queries, so a mask of pairs")]
fn a_causal_mask() {
    let device = device();
    let hidden = Tensor::from_data(TensorData::new(vec![false; 9], [1, 3, 3]), &device);
    let input = QamaInput::self_attn(Tensor::zeros([1, 3, D], &device)).mask_attn(hidden);
    config().init(&device).forward(input);
}

#[test]
#[should_panic(expected = "n_reads is 1: a covariance needs 2 or more")]
fn one_read() {
    config().with_n_reads(1).init(&device());
}

#[test]
#[should_panic(expected = "n_sweeps is 0: use 1 or more")]
fn samples_without_a_sweep() {
    config().with_n_sweeps(0).init(&device());
}

#[test]
#[should_panic(expected = "`beta` and `n_sweeps` would be ignored")]
fn sweeps_beside_a_sampler() {
    let known = SampleTemperature::Known(1.0);
    config().init_with_sampler(&device(), Arc::new(AllOn), known);
}
