//! One selection for all queries, against plain loops over all of its states.

use crate::common::*;
use crate::devices::*;
use burn::module::{Module, Param};
use burn::store::ModuleRecord;
use burn::tensor::{Bool, DType, Device, Tensor, TensorData};
use burn_quantum::annealing::{AllOn, Exact, GibbsSampler, Random};
use burn_quantum::gradient::IsingEstimator;
use burn_quantum::nn::SampleTemperature;
use burn_quantum::nn::attention::*;
use std::sync::Arc;

const D: usize = 4;
const HEADS: usize = 2;
const D_K: usize = 2;
const BETA: f64 = 0.8;
/// The square root of 2 / pi.
const C: f64 = 0.797_884_560_802_865_4;
const READOUTS: [SelectionReadout; 3] =
    [SelectionReadout::Energy, SelectionReadout::Objective, SelectionReadout::MaskedValues];

fn config() -> SelectionAttentionConfig {
    SelectionAttentionConfig::new(D, HEADS)
        .with_search(SelectionSearch::Gibbs { beta: BETA, n_sweeps: 30 })
        .with_output(false)
}

fn input(seed: u64, dims: [usize; 3], device: &Device) -> Tensor<3> {
    let values = uniform(&mut rng(seed), dims.iter().product(), 1.5);
    tensor(&values, dims, device, DType::F32)
}

fn mask(values: Vec<bool>, n: usize, device: &Device) -> Tensor<2, Bool> {
    let batch = values.len() / n;
    Tensor::from_data(TensorData::new(values, [batch, n]), device)
}

/// The layer with parameters that are the same in every run.
fn fixed(mut layer: SelectionAttention, device: &Device) -> SelectionAttention {
    let mut rng = rng(1234);
    let mut next = |n, scale| uniform(&mut rng, n, scale);
    for linear in [&mut layer.query, &mut layer.key, &mut layer.value] {
        let weight = tensor(&next(D * D, 1.0), [D, D], device, DType::F32);
        linear.weight = Param::from_tensor(weight);
        if linear.bias.is_some() {
            let bias = tensor(&next(D, 0.5), [D], device, DType::F32);
            linear.bias = Some(Param::from_tensor(bias));
        }
    }
    layer.probe = Param::from_tensor(tensor(&next(D_K, 1.5), [D_K], device, DType::F32));
    layer
}

/// The parameters of a layer and one sequence: weights `[D, D]` of query, key and value, then `E`.
#[derive(Clone)]
struct Plain {
    config: SelectionAttentionConfig,
    x: Vec<f64>,
    weights: [Vec<f64>; 3],
    biases: [Vec<f64>; 3],
    probe: Vec<f64>,
    n: usize,
}

/// Everything that the formulas name, `[head][token]...`.
struct Numbers {
    q: Vec<Vec<Vec<f64>>>,
    k: Vec<Vec<Vec<f64>>>,
    v: Vec<Vec<Vec<f64>>>,
    j: Vec<Vec<Vec<f64>>>,
    h: Vec<Vec<f64>>,
    /// Factors of `j` and `h` in the search, and `gamma_n`.
    factors: [f64; 3],
}

impl Plain {
    fn new(layer: &SelectionAttention, config: &SelectionAttentionConfig, x: Tensor<3>) -> Self {
        let linears = [&layer.query, &layer.key, &layer.value];
        Self {
            config: config.clone(),
            n: x.dims()[1],
            x: values(x),
            weights: linears.map(|linear| values(linear.weight.val())),
            biases: linears.map(|linear| match &linear.bias {
                Some(bias) => values(bias.val()),
                None => vec![0.0; D],
            }),
            probe: values(layer.probe.val()),
        }
    }

    /// Features of a token as the linear layers see them.
    fn token(&self, i: usize) -> Vec<f64> {
        let x = &self.x[i * D..][..D];
        if !self.config.layer_norm {
            return x.to_vec();
        }
        let mean = x.iter().sum::<f64>() / D as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / D as f64;
        x.iter().map(|x| (x - mean) / (variance + 1e-5).sqrt()).collect()
    }

    fn project(&self, which: usize) -> Vec<Vec<Vec<f64>>> {
        let entry = |h: usize, i: usize, d: usize| {
            let (x, column) = (self.token(i), h * D_K + d);
            let sum: f64 = (0..D).map(|a| x[a] * self.weights[which][a * D + column]).sum();
            sum + self.biases[which][column]
        };
        let token = |h: usize, i: usize| (0..D_K).map(|d| entry(h, i, d)).collect();
        (0..HEADS).map(|h| (0..self.n).map(|i| token(h, i)).collect()).collect()
    }

    fn numbers(&self) -> Numbers {
        let (n, config) = (self.n, &self.config);
        let [q, k, v] = [0, 1, 2].map(|which| self.project(which));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (mut j, mut h) = (vec![vec![vec![0.0; n]; n]; HEADS], vec![vec![0.0; n]; HEADS]);
        for head in 0..HEADS {
            for a in 0..n {
                h[head][a] = dot(&v[head][a], &self.probe) / D_K as f64;
                for b in (0..n).filter(|&b| b != a) {
                    let both = dot(&q[head][a], &k[head][b]) + dot(&q[head][b], &k[head][a]);
                    j[head][a][b] = both / (2.0 * (D_K as f64).sqrt());
                }
            }
        }
        if config.normalise {
            let square: f64 = j.iter().flatten().flatten().map(|x| x * x).sum();
            let rms = (square / (HEADS * n * (n - 1)).max(1) as f64 + 1e-12).sqrt();
            j.iter_mut().flatten().flatten().for_each(|x| *x /= rms);
            let square: f64 = h.iter().flatten().map(|x| x * x).sum();
            let rms = (square / (HEADS * n) as f64 + 1e-12).sqrt();
            h.iter_mut().flatten().for_each(|x| *x /= rms);
        }
        let size = n as f64;
        let (alpha, a, gamma) = (config.pair_weight, config.field_weight, config.head_penalty);
        let factors = match config.scaling {
            SelectionScaling::Extensive => {
                [alpha, a * size, gamma * C * size / (HEADS as f64 - 1.0)]
            }
            SelectionScaling::PerToken => [alpha / size.sqrt(), a, gamma / (HEADS as f64 - 1.0)],
        };
        Numbers { q, k, v, j, h, factors }
    }

    /// `[head][bit][token]`.
    fn states(&self) -> Vec<Vec<Vec<Vec<f64>>>> {
        let q = self.config.n_bits;
        let bit = |s: usize, h: usize, r: usize, i: usize| {
            f64::from((s >> ((h * q + r) * self.n + i) & 1) as u8)
        };
        let head = |s, h| (0..q).map(|r| (0..self.n).map(|i| bit(s, h, r, i)).collect()).collect();
        (0..1 << (HEADS * q * self.n)).map(|s| (0..HEADS).map(|h| head(s, h)).collect()).collect()
    }

    /// `w_hi`.
    fn selection(&self, bits: &[Vec<Vec<f64>>]) -> Vec<Vec<f64>> {
        let all = (1 << self.config.n_bits) - 1;
        let weight = |bits: &[Vec<f64>], i: usize| -> f64 {
            bits.iter().enumerate().map(|(r, bit)| f64::from(1 << r) * bit[i]).sum::<f64>()
                / f64::from(all)
        };
        bits.iter().map(|bits| (0..self.n).map(|i| weight(bits, i)).collect()).collect()
    }

    /// The parts of the searched energy, of heads.
    fn energies(&self, z: &Numbers, bits: &[Vec<Vec<f64>>]) -> Vec<f64> {
        let w = self.selection(bits);
        let [alpha, a, gamma] = z.factors;
        let of = |head: usize| {
            let mut energy = 0.0;
            for i in 0..self.n {
                energy -= a * z.h[head][i] * w[head][i];
                for j in (0..self.n).filter(|&j| j != i) {
                    energy -= alpha * z.j[head][i][j] * w[head][i] * w[head][j];
                }
                for other in (0..HEADS).filter(|&other| other != head) {
                    let both = |r: usize| bits[head][r][i] * bits[other][r][i];
                    energy += 0.5 * gamma * (0..self.config.n_bits).map(both).sum::<f64>();
                }
            }
            if let Some(c) = self.config.cardinality {
                let number: f64 = w[head].iter().sum();
                let mut square = number * number;
                if self.config.n_bits == 1 {
                    // Linear in each bit, so that it holds for means as well.
                    square += w[head].iter().map(|w| w - w * w).sum::<f64>();
                }
                let target = c.n_selected;
                energy += 0.5 * c.strength * (square - 2.0 * target * number + target * target);
            }
            energy
        };
        (0..HEADS).map(of).collect()
    }

    /// The context, `[n, D]`, of a selection with these parts of the energy.
    fn read(&self, z: &Numbers, w: &[Vec<f64>], energies: &[f64]) -> Vec<f64> {
        let mut y = vec![0.0; self.n * D];
        for head in 0..HEADS {
            for i in 0..self.n {
                let out = &mut y[i * D + head * D_K..][..D_K];
                match self.config.readout {
                    SelectionReadout::Energy => {
                        let pull: f64 = (0..self.n).map(|j| z.j[head][i][j] * w[head][j]).sum();
                        let site = -w[head][i] * (pull + z.h[head][i]);
                        out.iter_mut().zip(&self.probe).for_each(|(y, e)| *y = site * e);
                    }
                    SelectionReadout::Objective => {
                        let part = energies[head] / self.n as f64;
                        out.iter_mut().zip(&self.probe).for_each(|(y, e)| *y = part * e);
                    }
                    SelectionReadout::MaskedValues => {
                        let score = |j: usize| {
                            let (q, k) = (&z.q[head][i], &z.k[head][j]);
                            q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>() / (D_K as f64).sqrt()
                        };
                        let largest = (0..self.n).map(score).fold(f64::MIN, f64::max);
                        let e = |j: usize| (score(j) - largest).exp() * w[head][j];
                        let sum = 1e-6 + (0..self.n).map(e).sum::<f64>();
                        for (d, y) in out.iter_mut().enumerate() {
                            *y = (0..self.n).map(|j| e(j) / sum * z.v[head][j][d]).sum();
                        }
                    }
                }
            }
        }
        y
    }

    fn read_state(&self, z: &Numbers, bits: &[Vec<Vec<f64>>]) -> Vec<f64> {
        self.read(z, &self.selection(bits), &self.energies(z, bits))
    }

    /// Mean and variance of `sum_k c_k y_k`.
    fn moments(&self, c: &[f64]) -> [f64; 2] {
        let z = self.numbers();
        let (mut sum, mut squares, mut total) = (0.0, 0.0, 0.0);
        for bits in self.states() {
            let weight = (-BETA * self.energies(&z, &bits).iter().sum::<f64>()).exp();
            let u = dot(c, &self.read_state(&z, &bits));
            total += weight;
            sum += weight * u;
            squares += weight * u * u;
        }
        let mean = sum / total;
        [mean, squares / total - mean * mean]
    }

    /// `sum_k c_k <y_k>`.
    fn expectation(&self, c: &[f64]) -> f64 {
        self.moments(c)[0]
    }

    fn ground_state(&self) -> Vec<Vec<Vec<f64>>> {
        let z = self.numbers();
        let energy = |bits: &Vec<Vec<Vec<f64>>>| self.energies(&z, bits).iter().sum::<f64>();
        self.states().into_iter().min_by(|a, b| energy(a).total_cmp(&energy(b))).unwrap()
    }

    /// All parameters, for differences.
    fn parameters_mut(&mut self) -> Vec<&mut f64> {
        self.weights.iter_mut().flatten().chain(&mut self.probe).collect()
    }

    /// The gradient of `f` by all parameters.
    fn differences(&self, f: impl Fn(&Self) -> f64) -> Vec<f64> {
        let n = 3 * D * D + D_K;
        let shifted = |k: usize, step: f64| {
            let mut other = self.clone();
            *other.parameters_mut()[k] += step;
            f(&other)
        };
        (0..n).map(|k| (shifted(k, 1e-5) - shifted(k, -1e-5)) / 2e-5).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Forward and backward: the context, and the gradient of `sum c y` by the parameters of [`Plain`].
fn gradient(layer: &SelectionAttention, x: &Tensor<3>, c: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let out = layer.forward(QamaInput::self_attn(x.clone())).context;
    let c = tensor(c, out.dims(), &x.device(), DType::F32);
    let grads = (out.clone() * c).sum().backward();
    let linears = [&layer.query, &layer.key, &layer.value];
    let mut all: Vec<f64> = linears
        .iter()
        .flat_map(|linear| linear.weight.val().grad(&grads).map(values).unwrap_or(vec![0.0; 16]))
        .collect();
    all.extend(layer.probe.val().grad(&grads).map(values).unwrap_or(vec![0.0; D_K]));
    (values(out), all)
}

fn bits_of(selection: &[f64], n: usize) -> Vec<Vec<Vec<f64>>> {
    selection.chunks(n).map(|row| vec![row.to_vec()]).collect()
}

/// The operator of version 2: selection, output, and the six formulas of its backward pass.
#[test]
fn the_second_version_of_the_paper_is_reproduced() {
    let device = device().autodiff();
    let n = 4;
    for seed in 0..8 {
        let config = SelectionAttentionConfig::paper_v2(D, HEADS).with_n_reads(6);
        let layer = fixed(config.init(&device), &device);
        let x = input(20 + seed, [1, n, D], &device);
        let plain = Plain::new(&layer, &config, x.clone());
        let z = plain.numbers();
        let selection = values(layer.forward(QamaInput::self_attn(x.clone())).selection);
        let bits = bits_of(&selection, n);
        assert_eq!(bits, plain.ground_state(), "{seed}");
        let cotangent = uniform(&mut rng(seed), n * D, 1.0);
        let (y, found) = gradient(&layer, &x, &cotangent);
        assert!(max_difference(&y, &plain.read_state(&z, &bits)) < 1e-4);

        let s = (D_K as f64).powf(-0.5);
        let mut expected = vec![0.0; 3 * D * D + D_K];
        for head in 0..HEADS {
            let x = &selection[head * n..][..n];
            let g_of = |i: usize| &cotangent[i * D + head * D_K..][..D_K];
            let g: Vec<f64> = (0..n).map(|i| dot(g_of(i), &plain.probe)).collect();
            // dL/dJ_ij and dL/dh_i.
            let by_j = |i: usize, j: usize| if i == j { 0.0 } else { -g[i] * x[i] * x[j] };
            let by_h = |i: usize| -g[i] * x[i];
            for i in 0..n {
                let (mut by_q, mut by_k) = ([0.0; D_K], [0.0; D_K]);
                let token = plain.token(i);
                let site =
                    -x[i] * ((0..n).map(|j| z.j[head][i][j] * x[j]).sum::<f64>() + z.h[head][i]);
                for d in 0..D_K {
                    for j in (0..n).filter(|&j| j != i) {
                        let pair = -0.5 * s * x[i] * x[j] * (g[i] + g[j]);
                        assert!((pair - 0.5 * s * (by_j(i, j) + by_j(j, i))).abs() < 1e-12);
                        by_q[d] += pair * z.k[head][j][d];
                        by_k[d] += pair * z.q[head][j][d];
                    }
                    let by_v = by_h(i) * plain.probe[d] / D_K as f64;
                    assert!((by_v + g[i] * x[i] * plain.probe[d] / D_K as f64).abs() < 1e-12);
                    for (a, t) in token.iter().enumerate() {
                        let at = a * D + head * D_K + d;
                        expected[at] += t * by_q[d];
                        expected[D * D + at] += t * by_k[d];
                        expected[2 * D * D + at] += t * by_v;
                    }
                    expected[3 * D * D + d] +=
                        g_of(i)[d] * site - g[i] * x[i] * z.v[head][i][d] / D_K as f64;
                }
            }
        }
        assert!(max_difference(&found, &expected) < 1e-3, "{}", max_difference(&found, &expected));
    }
}

fn variants() -> Vec<SelectionAttentionConfig> {
    let all = READOUTS.map(|readout| config().with_readout(readout));
    let cardinality = SelectionCardinality::new(1.4).with_strength(0.6);
    let [a, b, c] = all;
    vec![
        a.clone(),
        a.with_normalise(false).with_head_penalty(0.0),
        b.clone().with_cardinality(Some(cardinality)),
        b.with_scaling(SelectionScaling::Extensive).with_field_weight(0.2).with_bias(false),
        c.clone(),
        c.with_n_bits(2).with_layer_norm(true).with_head_penalty(0.0),
    ]
}

/// The covariance of many samples against differences of the exact expectation.
#[test]
fn the_covariance_is_the_gradient_of_the_expectation() {
    let device = device().autodiff();
    for (k, config) in variants().into_iter().enumerate() {
        let n = if config.n_bits == 1 { 3 } else { 2 };
        let layer = fixed(config.clone().with_n_reads(60_000).init(&device), &device);
        let x = input(30 + k as u64, [1, n, D], &device);
        let plain = Plain::new(&layer, &config, x.clone());
        let c = uniform(&mut rng(k as u64), n * D, 1.0);
        let (y, found) = gradient(&layer, &x, &c);
        let [mean, variance] = plain.moments(&c);
        let sigma = (variance / 60_000.0).sqrt();
        assert!((dot(&c, &y) - mean).abs() < 5.0 * sigma + 1e-5, "{k}: the value");
        let expected = plain.differences(|plain| plain.expectation(&c));
        let size = expected.iter().fold(0.1, |max: f64, g| max.max(g.abs()));
        let error = max_difference(&found, &expected);
        assert!(error < 0.04 * size, "{k}: {error} of {size}");
    }
}

/// Two samples make a noisy gradient, but none with a bias: the mean of many is exact.
#[test]
fn two_samples_have_an_unbiased_gradient() {
    let device = device().autodiff();
    let config = config().with_n_reads(2).with_readout(SelectionReadout::Objective);
    let layer = fixed(config.init(&device), &device);
    let x = input(39, [1, 2, D], &device);
    let plain = Plain::new(&layer, &config, x.clone());
    let c = uniform(&mut rng(39), 2 * D, 1.0);
    let batch = 20_000;
    let shares: Vec<f64> = c.iter().map(|c| c / batch as f64).collect();
    let (_, found) = gradient(&layer, &x.repeat_dim(0, batch), &shares.repeat(batch));
    let expected = plain.differences(|plain| plain.expectation(&c));
    let size = expected.iter().fold(0.0, |max: f64, g| max.max(g.abs()));
    let error = max_difference(&found, &expected);
    assert!(error < 0.05 * size, "{error} of {size}");
}

/// What a frozen selection lacks is seen by the test above.
#[test]
fn a_frozen_selection_has_another_gradient() {
    let device = device().autodiff();
    let config = config().with_readout(SelectionReadout::MaskedValues);
    let x = input(40, [1, 3, D], &device);
    let frozen =
        fixed(config.clone().with_gradient(SelectionGradient::Frozen).init(&device), &device);
    let plain = Plain::new(&frozen, &config, x.clone());
    let c = uniform(&mut rng(40), 3 * D, 1.0);
    let (_, found) = gradient(&frozen, &x, &c);
    let expected = plain.differences(|plain| plain.expectation(&c));
    assert!(max_difference(&found, &expected) > 0.1);
}

/// At the ground state, the sum of the parts of the energy has the gradient of the frozen selection.
#[test]
fn the_objective_of_a_ground_state_has_the_frozen_gradient() {
    let device = device().autodiff();
    let config = config()
        .with_readout(SelectionReadout::Objective)
        .with_gradient(SelectionGradient::Frozen)
        .with_search(SelectionSearch::Anneal { n_sweeps: 20 });
    for seed in 0..6 {
        let layer = fixed(config.init(&device), &device);
        let x = input(50 + seed, [1, 3, D], &device);
        let plain = Plain::new(&layer, &config, x.clone());
        // The same for both heads and all tokens.
        let c: Vec<f64> = [0.7, -0.4].repeat(3 * HEADS);
        let (y, found) = gradient(&layer, &x, &c);
        let lowest =
            |plain: &Plain| dot(&c, &plain.read_state(&plain.numbers(), &plain.ground_state()));
        assert!((dot(&c, &y) - lowest(&plain)).abs() < 1e-4);
        assert!(max_difference(&found, &plain.differences(lowest)) < 1e-3, "{seed}");
    }
}

#[test]
fn the_mean_field_gradient_is_that_of_its_fixed_point() {
    let variants = variants().into_iter().filter(|config| config.n_bits == 1);
    for (k, config) in variants.enumerate() {
        check_mean_field(k, &config.with_pair_weight(0.5), 3);
    }
}

/// Plain steps would swing between all and none. Of a stronger one there are many fixed points.
#[test]
fn the_mean_field_bears_a_strong_cardinality() {
    for (k, strength) in [2.0, 3.0].into_iter().enumerate() {
        let cardinality = SelectionCardinality::new(3.0).with_strength(strength);
        let config = config().with_readout(SelectionReadout::MaskedValues);
        let config = config.with_cardinality(Some(cardinality)).with_pair_weight(0.5);
        check_mean_field(7 + k, &config, 20);
    }
}

#[test]
fn a_mean_field_without_a_fixed_point_in_reach_is_an_error() {
    let device = device().autodiff();
    let cardinality = SelectionCardinality::new(4.0).with_strength(1e6);
    let config = config().with_cardinality(Some(cardinality));
    let config = config.with_gradient(SelectionGradient::MeanField);
    let layer = fixed(config.init(&device), &device);
    let x = input(60, [1, 16, D], &device);
    let error = layer.try_forward(QamaInput::self_attn(x)).unwrap_err().to_string();
    assert!(error.contains("the residual of the mean field is"), "{error}");
    assert!(error.contains("give the cardinality less strength"), "{error}");
}

fn check_mean_field(k: usize, config: &SelectionAttentionConfig, n: usize) {
    let device = device().autodiff();
    let layer =
        fixed(config.clone().with_gradient(SelectionGradient::MeanField).init(&device), &device);
    let x = input(60 + k as u64, [1, n, D], &device);
    let plain = Plain::new(&layer, config, x.clone());
    let c = uniform(&mut rng(k as u64), n * D, 1.0);
    let (y, found) = gradient(&layer, &x, &c);
    let of_mean_field = |plain: &Plain| {
        let (z, m) = mean_field(plain);
        let bits: Vec<_> = m.iter().map(|m| vec![m.clone()]).collect();
        plain.read(&z, &m, &plain.energies(&z, &bits))
    };
    // `E` multiplies what was sampled.
    let probed = config.readout != SelectionReadout::MaskedValues;
    let at = of_mean_field(&plain);
    let expected = plain.differences(|other| {
        let rest = |k: usize| match probed {
            true => (y[k] - at[k]) * other.probe[k % D_K] / plain.probe[k % D_K],
            false => 0.0,
        };
        let out = of_mean_field(other);
        (0..out.len()).map(|k| c[k] * (out[k] + rest(k))).sum()
    });
    let error = max_difference(&found, &expected);
    assert!(error < 2e-3, "{k}: {error}");
}

fn mean_field(plain: &Plain) -> (Numbers, Vec<Vec<f64>>) {
    let z = plain.numbers();
    let [alpha, a, gamma] = z.factors;
    let mut m = vec![vec![0.5; plain.n]; HEADS];
    for _ in 0..2000 {
        for head in 0..HEADS {
            for i in 0..plain.n {
                let others = (0..plain.n).filter(|&j| j != i);
                let mut field = a * z.h[head][i];
                field += others.map(|j| 2.0 * alpha * z.j[head][i][j] * m[head][j]).sum::<f64>();
                field -= (0..HEADS).filter(|&o| o != head).map(|o| gamma * m[o][i]).sum::<f64>();
                if let Some(c) = plain.config.cardinality {
                    let rest: f64 = m[head].iter().sum::<f64>() - m[head][i];
                    field -= c.strength * (rest + 0.5 - c.n_selected);
                }
                m[head][i] = 0.8 * m[head][i] + 0.2 / (1.0 + (-BETA * field).exp());
            }
        }
    }
    (z, m)
}

/// Without couplings the conditional means are the means, and this read-out is linear in them; so is
/// the penalty of a single token.
#[test]
fn straight_through_is_exact_for_independent_tokens() {
    let device = device().autodiff();
    let free = config()
        .with_readout(SelectionReadout::Objective)
        .with_pair_weight(0.0)
        .with_head_penalty(0.0)
        .with_n_reads(40_000);
    let cardinality = SelectionCardinality::new(0.0).with_strength(1.6);
    let counted = free.clone().with_cardinality(Some(cardinality));
    for (config, n, scale) in [(free, 3, 1.0), (counted, 1, 3.0)] {
        let straight = config.clone().with_gradient(SelectionGradient::StraightThrough);
        let layer = fixed(straight.init(&device), &device);
        let x = input(70, [1, n, D], &device);
        let plain = Plain::new(&layer, &config, x.clone());
        let c = uniform(&mut rng(70), n * D, scale);
        let (_, found) = gradient(&layer, &x, &c);
        let expected = plain.differences(|plain| plain.expectation(&c));
        let error = max_difference(&found, &expected);
        assert!(error < 0.02 * scale, "{n} tokens: {error}");
        assert!(expected.iter().any(|g| g.abs() > 0.2), "a gradient that can be seen");
    }
}

/// All estimators of the same samples have their mean as the value; a mixture mixes gradients.
#[test]
fn estimators_differ_in_the_gradient_alone() {
    let device = device().autodiff();
    let base = fixed(config().init(&device), &device);
    let x = input(80, [2, 5, D], &device);
    let c = uniform(&mut rng(80), 2 * 5 * D, 1.0);
    let run = |estimator| {
        let layer = config().with_gradient(estimator).init(&device);
        gradient(&same(&base, layer), &x, &c)
    };
    use SelectionGradient::*;
    let (y, covariance) = run(Covariance);
    let (y_st, st) = run(StraightThrough);
    let (y_mf, mf) = run(MeanField);
    let classical = IsingEstimator::MeanField;
    let (y_mixed, mixed) = run(Mixed { share: 0.3, classical });
    assert_eq!(y, y_st);
    assert!(max_difference(&y, &y_mf) < 1e-6 && max_difference(&y, &y_mixed) < 1e-6);
    let expected: Vec<f64> = mf.iter().zip(&covariance).map(|(m, c)| 0.3 * m + 0.7 * c).collect();
    assert!(max_difference(&mixed, &expected) < 1e-5);
    assert!(max_difference(&st, &covariance) > 1e-3 && max_difference(&mf, &st) > 1e-3);
}

fn same(from: &SelectionAttention, to: SelectionAttention) -> SelectionAttention {
    let bytes = from.clone().into_record().into_bytes().unwrap();
    to.load_record(ModuleRecord::from_bytes(bytes).unwrap())
}

/// `E[r Z] / epsilon` of brute-force ground states, with normal numbers of its own.
#[test]
fn the_perturbed_gradient_is_that_of_the_smoothed_output() {
    let (name, device) = devices().remove(0);
    let device = device.autodiff();
    // Sums of single precision over more samples lose digits on a GPU.
    let (n_samples, tolerance) = if name == "wgpu" { (30_000, 0.08) } else { (120_000, 0.04) };
    let (n, epsilon) = (2, 0.7);
    let config = config()
        .with_search(SelectionSearch::Anneal { n_sweeps: 6 })
        .with_n_reads(2)
        .with_head_penalty(0.6);
    let perturbed = SelectionGradient::Perturbed { epsilon, n_samples };
    let layer = fixed(config.clone().with_gradient(perturbed).init(&device), &device);
    let x = input(90, [1, n, D], &device);
    let plain = Plain::new(&layer, &config, x.clone());
    let c = uniform(&mut rng(90), n * D, 1.0);
    let (y, found) = gradient(&layer, &x, &c);

    // Fields of both heads and tokens, then the coupling of each head.
    let theta = |plain: &Plain| -> Vec<f64> {
        let z = plain.numbers();
        let fields = z.h.iter().flatten().map(|h| z.factors[1] * h);
        let pairs = z.j.iter().map(|j| 2.0 * z.factors[0] * j[0][1]);
        fields.chain(pairs).collect()
    };
    let (z, states, at) = (plain.numbers(), plain.states(), theta(&plain));
    let features = |bits: &[Vec<Vec<f64>>]| -> Vec<f64> {
        let w = plain.selection(bits);
        w.iter().flatten().copied().chain(w.iter().map(|w| w[0] * w[1])).collect()
    };
    let all: Vec<(Vec<f64>, f64, f64)> = states
        .iter()
        .map(|bits| {
            let f = features(bits);
            let penalty = plain.energies(&z, bits).iter().sum::<f64>() + dot(&at, &f);
            (f, penalty, dot(&c, &plain.read_state(&z, bits)))
        })
        .collect();
    let mut random = rng(91);
    let (mut by_theta, mut shares, mut value) = ([0.0; 6], vec![0.0; all.len()], 0.0);
    let samples = 400_000;
    for _ in 0..samples {
        let u = uniform(&mut random, 12, 0.5);
        let normal = |k: usize| {
            (-2.0 * (u[2 * k] + 0.5).max(1e-300).ln()).sqrt()
                * (std::f64::consts::TAU * u[2 * k + 1]).cos()
        };
        let unit: Vec<f64> = (0..6).map(normal).collect();
        let scale = |k: usize| if k < 4 { epsilon } else { epsilon / 2f64.sqrt() };
        let noisy: Vec<f64> = (0..6).map(|k| at[k] + scale(k) * unit[k]).collect();
        let energy = |s: &usize| all[*s].1 - dot(&noisy, &all[*s].0);
        let best = (0..all.len()).min_by(|a, b| energy(a).total_cmp(&energy(b))).unwrap();
        shares[best] += 1.0 / samples as f64;
        value += all[best].2 / samples as f64;
        (0..6).for_each(|k| by_theta[k] += all[best].2 * unit[k] / scale(k) / samples as f64);
    }
    assert!((dot(&c, &y) - value).abs() < tolerance, "{} {value}", dot(&c, &y));
    let expected = plain.differences(|plain| {
        let z = plain.numbers();
        let read = states.iter().zip(&shares).map(|(bits, share)| {
            if *share == 0.0 { 0.0 } else { share * dot(&c, &plain.read_state(&z, bits)) }
        });
        dot(&by_theta, &theta(plain)) + read.sum::<f64>()
    });
    let size = expected.iter().fold(0.0, |max: f64, g| max.max(g.abs()));
    let error = max_difference(&found, &expected);
    assert!(size > 0.5 && error < tolerance * size, "{error} of {size}");
}

#[test]
fn soft_selections_are_ground_states_of_the_formula() {
    let device = device();
    let config = config()
        .with_n_bits(2)
        .with_gradient(SelectionGradient::Frozen)
        .with_search(SelectionSearch::Anneal { n_sweeps: 30 })
        .with_cardinality(Some(SelectionCardinality::new(0.8)));
    let mut levels = [false; 4];
    for seed in 0..10 {
        let layer = fixed(config.init(&device), &device);
        let x = input(100 + seed, [1, 3, D], &device);
        let plain = Plain::new(&layer, &config, x.clone());
        let best = plain.ground_state();
        let out = layer.forward(QamaInput::self_attn(x));
        let expected: Vec<f64> = plain.selection(&best).concat();
        let selection = values(out.selection);
        assert!(max_difference(&selection, &expected) < 1e-6, "{seed}");
        selection.iter().for_each(|w| levels[(3.0 * w).round() as usize] = true);
        let energy: f64 = plain.energies(&plain.numbers(), &best).iter().sum();
        assert!((values(out.energy)[0] - energy).abs() < 1e-4);
        let y = plain.read_state(&plain.numbers(), &best);
        assert!(max_difference(&values(out.context), &y) < 1e-5);
    }
    assert!(levels[1] || levels[2], "levels between off and on: {levels:?}");
}

/// The same bits, and so the same outputs to rounding.
#[test]
fn padding_and_the_rest_of_the_batch_change_nothing() {
    for (name, device) in devices() {
        for config in variants() {
            let layer = config.with_gradient(SelectionGradient::Covariance);
            let layer = fixed(layer.init(&device), &device);
            let x = input(110, [3, 4, D], &device);
            let padding = input(111, [3, 2, D], &device) * 9.0;
            let hidden = mask((0..18).map(|k| k % 6 >= 4).collect(), 6, &device);
            let short = layer.forward(QamaInput::self_attn(x.clone()));
            let long = Tensor::cat(vec![x.clone(), padding], 1);
            let long = layer.forward(QamaInput::self_attn(long).mask_pad(hidden));
            let first = |t: Tensor<3>| values(t.narrow(1, 0, 4));
            let error = max_difference(&values(short.context.clone()), &first(long.context));
            assert!(error < 1e-5, "{name}: {error}");
            let selection = values(short.selection.clone());
            assert_eq!(selection, values(long.selection.clone().narrow(2, 0, 4)), "{name}");
            assert!(values(long.selection.narrow(2, 4, 2)).iter().all(|w| *w == 0.0));
            let alone = layer.forward(QamaInput::self_attn(x.narrow(0, 0, 1)));
            let error =
                max_difference(&values(alone.context), &values(short.context.narrow(0, 0, 1)));
            assert!(error < 1e-5, "{name}: {error}");
            assert_eq!(values(alone.selection), selection[..HEADS * 4]);
        }
    }
}

/// Padding among the tokens, and large: what is left has the bits, outputs and gradients that it has alone.
#[test]
fn padding_changes_no_gradient() {
    use SelectionGradient::*;
    let device = device().autodiff();
    let mixed = Mixed { share: 0.3, classical: IsingEstimator::MeanField };
    let perturbed = Perturbed { epsilon: 0.5, n_samples: 4 };
    for kind in [Covariance, MeanField, StraightThrough, mixed, perturbed] {
        let places = [0, 2, 3, 5];
        for config in variants().into_iter().filter(|config| config.n_bits == 1) {
            let config = config.with_gradient(kind);
            let x = input(150, [2, 4, D], &device).require_grad();
            let padding = input(151, [2, 1, D], &device) * 1000.0;
            let token = |i: usize| match places.iter().position(|&place| place == i) {
                Some(k) => x.clone().narrow(1, k, 1),
                None => padding.clone(),
            };
            let hidden = (0..12).map(|k| !places.contains(&(k % 6))).collect();
            let long = QamaInput::self_attn(Tensor::cat((0..6).map(token).collect(), 1));
            let long = long.mask_pad(mask(hidden, 6, &device));
            let run = |input: QamaInput, places: &[usize]| {
                let y = fixed(config.init(&device), &device).forward(input).context;
                let kept = places.iter().map(|&i| y.clone().narrow(1, i, 1)).collect();
                let kept = Tensor::cat(kept, 1);
                let grads = kept.clone().powi_scalar(2).sum().backward();
                (values(y), values(kept), values(x.grad(&grads).unwrap()))
            };
            let (_, y, g) = run(QamaInput::self_attn(x.clone()), &[0, 1, 2, 3]);
            let (all, y_long, g_long) = run(long, &places);
            let size = g.iter().fold(1.0, |max: f64, g| max.max(g.abs()));
            let error = max_difference(&y, &y_long).max(max_difference(&g, &g_long) / size);
            assert!(error < 1e-5, "{kind:?} {:?}: {error}", config.readout);
            assert!(g.iter().any(|g| g.abs() > 1e-3), "a gradient that can be seen");
            if config.readout != SelectionReadout::MaskedValues {
                let of_padding = (0..12).filter(|i| !places.contains(&(i % 6)));
                for i in of_padding {
                    assert_eq!(all[i * D..][..D], [0.0; D], "{kind:?} {:?}", config.readout);
                }
            }
        }
    }
}

/// With all bits on, each pair of heads meets at each token: `gamma` is for all pairs of a head.
#[test]
fn the_head_penalty_does_not_grow_with_the_heads() {
    let (device, n) = (device(), 3);
    for heads in [2, 3, 5] {
        let config = SelectionAttentionConfig::new(2 * heads, heads).with_output(false);
        let layer = |penalty: f64| {
            let config = config.clone().with_head_penalty(penalty).with_n_reads(4);
            let known = SampleTemperature::Known(1.0);
            drawn(1, config.init_with_sampler(&device, Arc::new(AllOn), known))
        };
        let free = layer(0.0);
        let penalised = same(&free, layer(0.6));
        let x = input(160, [1, n, 2 * heads], &device);
        let energy = |layer: &SelectionAttention| {
            values(layer.forward(QamaInput::self_attn(x.clone())).energy)[0]
        };
        let pairs = (heads * (heads - 1) / 2 * n) as f64;
        let expected = 0.6 / (heads as f64 - 1.0) * pairs;
        let found = energy(&penalised) - energy(&free);
        assert!((found - expected).abs() < 1e-4, "{heads}: {found} {expected}");
    }
}

#[test]
fn permuted_tokens_and_heads_permute_the_output() {
    let device = device();
    let exact = |config: &SelectionAttentionConfig| {
        let config = config.clone().with_gradient(SelectionGradient::Frozen);
        let known = SampleTemperature::Known(1.0);
        config.with_search(SelectionAttentionConfig::new(1, 1).search).init_with_sampler(
            &device,
            Arc::new(Exact::default()),
            known,
        )
    };
    for config in variants().iter().filter(|config| config.n_bits == 1) {
        let layer = fixed(exact(config), &device);
        let x = input(120, [1, 5, D], &device);
        let order = [3, 0, 4, 1, 2];
        let rows = order.map(|i| x.clone().narrow(1, i, 1));
        let run = |layer: &SelectionAttention, x: Tensor<3>| {
            layer.forward(QamaInput::self_attn(x)).context
        };
        let y = run(&layer, x.clone());
        let permuted = values(run(&layer, Tensor::cat(rows.into(), 1)));
        let expected = Tensor::cat(order.map(|i| y.clone().narrow(1, i, 1)).into(), 1);
        assert!(max_difference(&permuted, &values(expected)) < 1e-5);

        let mut swapped = layer.clone();
        for linear in [&mut swapped.query, &mut swapped.key, &mut swapped.value] {
            let halves = |t: Tensor<2>| {
                Tensor::cat(vec![t.clone().narrow(1, D_K, D_K), t.narrow(1, 0, D_K)], 1)
            };
            linear.weight = Param::from_tensor(halves(linear.weight.val()));
            if let Some(bias) = &mut linear.bias {
                *bias = Param::from_tensor(halves(bias.val().unsqueeze()).reshape([D]));
            }
        }
        let heads_swapped = run(&swapped, x);
        let expected = Tensor::cat(vec![y.clone().narrow(2, D_K, D_K), y.narrow(2, 0, D_K)], 2);
        assert!(max_difference(&values(heads_swapped), &values(expected)) < 1e-5);
    }
}

/// A sampler of Ising models draws from the same distribution as the block sampler.
#[test]
fn any_sampler_serves() {
    let device = device().autodiff();
    let config = SelectionAttentionConfig::new(D, HEADS).with_n_reads(40_000).with_output(false);
    let sampler = Arc::new(GibbsSampler::new(BETA).with_n_sweeps(40));
    let layer =
        fixed(config.init_with_sampler(&device, sampler, SampleTemperature::Estimated), &device);
    let x = input(130, [1, 3, D], &device);
    let plain = Plain::new(&layer, &config, x.clone());
    let c = uniform(&mut rng(130), 3 * D, 1.0);
    let (y, found) = gradient(&layer, &x, &c);
    let [mean, variance] = plain.moments(&c);
    assert!((dot(&c, &y) - mean).abs() < 5.0 * (variance / 40_000.0).sqrt() + 1e-5);
    let expected = plain.differences(|plain| plain.expectation(&c));
    assert!(max_difference(&found, &expected) < 0.06, "{}", max_difference(&found, &expected));
}

/// A sequence of one token says little of the temperature, which is that of the whole call.
#[test]
fn short_sequences_do_not_decide_the_temperature() {
    let device = device().autodiff();
    let sampler = Arc::new(GibbsSampler::new(3.0).with_n_sweeps(30));
    let x = input(131, [3, 6, D], &device).require_grad();
    let hidden = mask((0..18).map(|k| k / 6 == 1 && k % 6 > 0).collect(), 6, &device);
    let bipartite = BipartiteAttentionConfig::new(D, HEADS).with_dropout(0.0).with_n_reads(16);
    for seed in 0..10 {
        let config = SelectionAttentionConfig::new(D, HEADS).with_n_reads(16).with_seed(seed);
        let estimated = SampleTemperature::Estimated;
        let layer = fixed(config.init_with_sampler(&device, sampler.clone(), estimated), &device);
        let input = || QamaInput::self_attn(x.clone()).mask_pad(hidden.clone());
        let out = layer.try_forward(input()).unwrap().context;
        assert!(values(x.grad(&out.sum().backward()).unwrap()).iter().all(|g| g.is_finite()));
        let bipartite = bipartite.clone().with_seed(seed);
        let layer = drawn(1, bipartite.init_with_sampler(&device, sampler.clone(), estimated));
        layer.try_forward(input()).unwrap();
    }
}

#[test]
fn controls_select_all_or_half() {
    let device = device();
    let config = SelectionAttentionConfig::paper_v2(D, HEADS).with_n_reads(1);
    let known = SampleTemperature::Known(1.0);
    let x = input(140, [40, 6, D], &device);
    let hidden = mask((0..240).map(|k| k % 6 == 5).collect(), 6, &device);
    let fraction = |layer: SelectionAttention| {
        let input = QamaInput::self_attn(x.clone()).mask_pad(hidden.clone());
        values(layer.forward(input).selected_fraction())
    };
    let all = config.init_with_sampler(&device, Arc::new(AllOn), known);
    assert_eq!(fraction(all), [1.0; HEADS]);
    let random = config.init_with_sampler(&device, Arc::new(Random::default()), known);
    assert!(fraction(random).iter().all(|p| (p - 0.5).abs() < 5.0 * 0.5 / 200f64.sqrt()));
}

/// One token, one head, nothing but padding, and nothing selected: zeros, and gradients that are
/// numbers.
#[test]
fn degenerate_inputs_are_defined() {
    let device = device().autodiff();
    use SelectionGradient::*;
    let classical = IsingEstimator::StraightThrough;
    let nothing = SelectionCardinality::new(0.0).with_strength(1e4);
    for readout in READOUTS {
        for estimator in [
            Covariance,
            MeanField,
            StraightThrough,
            Mixed { share: 0.5, classical },
            Perturbed { epsilon: 0.5, n_samples: 4 },
            Frozen,
        ] {
            let config = config().with_readout(readout).with_gradient(estimator);
            for (heads, n, hidden, cardinality) in [
                (2, 1, false, None),
                (1, 4, false, None),
                (2, 3, true, None),
                (1, 1, true, None),
                (2, 3, false, Some(nothing)),
            ] {
                let mut config = config.clone().with_cardinality(cardinality);
                config.n_heads = heads;
                let layer = drawn(1, config.init(&device));
                let x = input(150, [2, n, D], &device).require_grad();
                let pad = mask((0..2 * n).map(|k| hidden && k < n).collect(), n, &device);
                let out = layer.forward(QamaInput::self_attn(x.clone()).mask_pad(pad));
                let grads = out.context.clone().powi_scalar(2).sum().backward();
                let g = x.grad(&grads).map(values).unwrap_or_default();
                let label = format!("{readout:?} {estimator:?} {heads} {n}");
                assert!(g.iter().all(|g| g.is_finite()), "{label}: {g:?}");
                let y = values(out.context);
                assert!(y.iter().all(|y| y.is_finite()), "{label}");
                if hidden {
                    assert!(y[..n * D].iter().all(|y| *y == 0.0), "{label}: {y:?}");
                    assert!(g.iter().take(n * D).all(|g| *g == 0.0), "{label}: {g:?}");
                }
                if cardinality.is_some() {
                    assert!(y.iter().all(|y| y.abs() < 1e-3), "{label}: {y:?}");
                }
            }
        }
    }
    // Equal tokens: couplings of 0 / 0 would be no numbers.
    let zeros = Tensor::zeros([1, 3, D], &device).require_grad();
    let layer = config().with_bias(false).init(&device);
    let out = layer.forward(QamaInput::self_attn(zeros.clone())).context;
    let g = values(zeros.grad(&out.sum().backward()).unwrap());
    assert!(g.iter().all(|g| g.is_finite()));
}

#[test]
fn configs_and_records_round_trip() {
    let device = device();
    let config = SelectionAttentionConfig::paper_v2(D, HEADS)
        .with_cardinality(Some(SelectionCardinality::new(2.0)))
        .with_gradient(SelectionGradient::Perturbed { epsilon: 0.5, n_samples: 2 });
    let json = config.to_string();
    let again: SelectionAttentionConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(again.to_string(), json);
    let x = input(160, [2, 4, D], &device);
    let run =
        |layer: &SelectionAttention| values(layer.forward(QamaInput::self_attn(x.clone())).context);
    let trained = config.init(&device);
    assert_eq!(run(&trained), run(&same(&trained, again.init(&device))));
}

#[test]
#[should_panic(expected = "a mask of pairs (a causal one) cannot keep later tokens out")]
fn a_causal_mask() {
    let device = device();
    let hidden = Tensor::from_data(TensorData::new(vec![false; 9], [1, 3, 3]), &device);
    let input = QamaInput::self_attn(Tensor::zeros([1, 3, D], &device)).mask_attn(hidden);
    config().init(&device).forward(input);
}

#[test]
#[should_panic(expected = "3 queries and 5 keys")]
fn queries_of_another_length() {
    let device = device();
    let x = |n| Tensor::zeros([1, n, D], &device);
    config().init(&device).forward(QamaInput::new(x(3), x(5), x(5)));
}

#[test]
#[should_panic(expected = "an annealer's samples have no temperature")]
fn the_covariance_of_an_annealer() {
    config().with_search(SelectionSearch::Anneal { n_sweeps: 5 }).init(&device());
}

#[test]
#[should_panic(expected = "n_sweeps is 0: use 1 or more")]
fn samples_without_a_sweep() {
    config().with_search(SelectionSearch::Gibbs { beta: 1.0, n_sweeps: 0 }).init(&device());
}

#[test]
#[should_panic(expected = "n_samples is 3: use an even number")]
fn an_odd_number_of_perturbations() {
    let gradient = SelectionGradient::Perturbed { epsilon: 1.0, n_samples: 3 };
    config().with_gradient(gradient).init(&device());
}

#[test]
#[should_panic(expected = "n_bits is 2: use the covariance")]
fn a_mean_field_of_soft_selections() {
    config().with_n_bits(2).with_gradient(SelectionGradient::MeanField).init(&device());
}

#[test]
#[should_panic(expected = "`search` would be ignored")]
fn a_search_beside_a_sampler() {
    let known = SampleTemperature::Known(1.0);
    config().init_with_sampler(&device(), Arc::new(Random::default()), known);
}
