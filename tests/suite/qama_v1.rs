//! Version 1 of the paper's operator against plain loops.

use crate::common::*;
use crate::devices::*;
use burn::module::{Module, Param};
use burn::nn::BatchNorm;
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_quantum::annealing::{AllOn, Exact};
use burn_quantum::nn::attention::*;
use std::sync::Arc;

const BATCH: usize = 2;
const HEADS: usize = 2;
const N: usize = 3;
const D_K: usize = 2;
const D: usize = HEADS * D_K;
const SIZE: usize = BATCH * N * D;
const EPSILON: f64 = 1e-6;

/// Query, key and value `[batch, token, head, d]`, then factors and shifts of the three norms.
#[derive(Clone)]
struct Plain {
    numbers: Vec<f64>,
    n_bits: usize,
}

/// `[batch][head]...`.
struct Terms {
    j: Vec<Vec<Vec<Vec<f64>>>>,
    h: Vec<Vec<Vec<f64>>>,
    e: Vec<Vec<Vec<Vec<f64>>>>,
}

impl Plain {
    fn input(&self, which: usize, b: usize, h: usize, i: usize) -> &[f64] {
        &self.numbers[which * SIZE + ((b * N + i) * HEADS + h) * D_K..][..D_K]
    }

    /// Batch norm of all that `each` lists of a head.
    fn norm(&self, which: usize, head: usize, all: &[f64]) -> impl Fn(f64) -> f64 {
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64;
        let at = 3 * SIZE + which * 2 * HEADS + head;
        let (gamma, beta) = (self.numbers[at], self.numbers[at + HEADS]);
        move |x| (x - mean) / (variance + 1e-5).sqrt() * gamma + beta
    }

    fn terms(&self) -> Terms {
        let softmax = |x: &[f64]| -> Vec<f64> {
            let sum: f64 = x.iter().map(|x| x.exp()).sum();
            x.iter().map(|x| x.exp() / sum).collect()
        };
        let half = |p: &[f64], q: &[f64]| -> f64 {
            p.iter()
                .zip(q)
                .map(|(p, q)| 0.5 * p * (p / (0.5 * (p + q) + EPSILON) + EPSILON).log2())
                .sum()
        };
        let each = |of: &dyn Fn(usize, usize) -> Vec<Vec<f64>>| -> Vec<Vec<Vec<Vec<f64>>>> {
            (0..BATCH).map(|b| (0..HEADS).map(|h| of(b, h)).collect()).collect()
        };
        let mut j = each(&|b, h| {
            let p = |i| softmax(self.input(0, b, h, i));
            let q = |i| softmax(self.input(1, b, h, i));
            let jsd = |a, c| half(&p(a), &q(c)) + half(&q(c), &p(a));
            (0..N).map(|a| (0..N).map(|c| jsd(a, c)).collect()).collect()
        });
        let e = each(&|b, h| {
            let token = |i| {
                let v = self.input(2, b, h, i);
                let sum = v.iter().sum::<f64>() + EPSILON;
                let share = v.iter().map(|v| (v / sum).clamp(EPSILON, 1.0));
                share.map(|s| -s * s.log2()).collect()
            };
            (0..N).map(token).collect()
        });
        let mut h: Vec<Vec<Vec<f64>>> = e
            .iter()
            .map(|e| e.iter().map(|e| e.iter().map(|e| e.iter().sum()).collect()).collect())
            .collect();
        for head in 0..HEADS {
            let pairs = || (0..BATCH * N * N).filter(|k| k / N % N != k % N);
            let all: Vec<f64> = pairs().map(|k| j[k / N / N][head][k / N % N][k % N]).collect();
            let norm = self.norm(0, head, &all);
            for k in pairs() {
                let entry = &mut j[k / N / N][head][k / N % N][k % N];
                *entry = norm(*entry);
            }
            let all: Vec<f64> = (0..BATCH * N).map(|k| h[k / N][head][k % N]).collect();
            let norm = self.norm(1, head, &all);
            (0..BATCH * N).for_each(|k| h[k / N][head][k % N] = norm(h[k / N][head][k % N]));
        }
        Terms { j, h, e }
    }

    /// The energy of step 3 for element `b`, bits `[head][token][bit]`.
    fn energy(&self, t: &Terms, b: usize, bits: &[Vec<Vec<f64>>]) -> f64 {
        let bit = |h: usize, i: usize, r: usize| bits[h][i][r];
        let w = |h: usize, i: usize| self.weight(&bits[h][i]);
        let mut energy = 0.0;
        for h in 0..HEADS {
            for i in 0..N {
                energy -= t.h[b][h][i] * w(h, i);
                energy -= (0..N).map(|k| t.j[b][h][i][k] * w(h, i) * w(h, k)).sum::<f64>();
                for other in h + 1..HEADS {
                    let both = (0..self.n_bits).map(|r| bit(h, i, r) * bit(other, i, r));
                    energy += 2.0 * 2.0 / (HEADS * (HEADS - 1)) as f64 * both.sum::<f64>();
                }
            }
        }
        energy
    }

    fn weight(&self, bits: &[f64]) -> f64 {
        let sum: f64 = bits.iter().enumerate().map(|(r, x)| f64::from(1 << r) * x).sum();
        sum / f64::from((1 << self.n_bits) - 1)
    }

    /// The best weights of element `b`, `[head][token]`.
    fn best(&self, t: &Terms, b: usize) -> (f64, Vec<Vec<f64>>) {
        let q = self.n_bits;
        let state = |s: usize| -> Vec<Vec<Vec<f64>>> {
            let bit = |h, i, r| f64::from((s >> ((h * N + i) * q + r) & 1) as u8);
            let token = |h, i| (0..q).map(|r| bit(h, i, r)).collect();
            (0..HEADS).map(|h| (0..N).map(|i| token(h, i)).collect()).collect()
        };
        let all = (0..1 << (HEADS * N * q)).map(|s| (self.energy(t, b, &state(s)), s));
        let (energy, s) = all.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        let weights =
            state(s).into_iter().map(|h| h.iter().map(|bits| self.weight(bits)).collect());
        (energy, weights.collect())
    }

    /// Steps 6 and 7, `[batch, token, head, d]`, with these weights `[batch, head, token]`.
    fn output(&self, w: &[f64]) -> Vec<f64> {
        let t = self.terms();
        let mut y = vec![0.0; SIZE];
        for h in 0..HEADS {
            let mut all = Vec::new();
            for k in 0..BATCH * N {
                let (b, i) = (k / N, k % N);
                let w = &w[(b * HEADS + h) * N..][..N];
                let pull: f64 = (0..N).map(|k| t.j[b][h][i][k] * w[k]).sum();
                let site = -w[i] * pull - t.h[b][h][i] * w[i];
                all.extend(t.e[b][h][i].iter().map(|e| -site * e / t.h[b][h][i]));
            }
            let norm = self.norm(2, h, &all);
            for (k, x) in all.iter().enumerate() {
                y[(k / D_K * HEADS + h) * D_K + k % D_K] = norm(*x);
            }
        }
        y
    }
}

fn numbers(seed: u64, positive: bool) -> Vec<f64> {
    let mut rng = rng(seed);
    let mut all = uniform(&mut rng, 3 * SIZE, 1.5);
    if positive {
        all[2 * SIZE..].iter_mut().for_each(|v| *v = 0.5 + v.abs());
    }
    all.extend(uniform(&mut rng, 6 * HEADS, 0.4).iter().map(|x| 1.0 + x));
    all
}

fn with_numbers(layer: &QamaV1, numbers: &[f64], device: &Device) -> QamaV1 {
    let mut layer = layer.clone();
    let set = |norm: &mut BatchNorm, which: usize| {
        let at = 3 * SIZE + which * 2 * HEADS;
        let param = |at: usize| {
            Param::from_tensor(tensor(&numbers[at..at + HEADS], [HEADS], device, DType::F32))
        };
        (norm.gamma, norm.beta) = (param(at), param(at + HEADS));
    };
    set(&mut layer.norm_couplings, 0);
    set(&mut layer.norm_fields, 1);
    set(&mut layer.norm_output, 2);
    layer
}

#[test]
fn selection_output_and_gradient_are_those_of_the_formulas() {
    let device = device().autodiff();
    for (seed, n_bits) in [(1, 1), (2, 2), (3, 2), (4, 1)] {
        let config = QamaV1Config::new(D, HEADS).with_n_bits(n_bits).with_n_reads(8);
        let plain = Plain { numbers: numbers(seed, true), n_bits };
        let layer = with_numbers(&config.init(&device), &plain.numbers, &device);
        let leaves: Vec<Tensor<3>> = (0..3)
            .map(|k| {
                let values = &plain.numbers[k * SIZE..][..SIZE];
                tensor(values, [BATCH, N, D], &device, DType::F32).require_grad()
            })
            .collect();
        let [q, k, v] = [0, 1, 2].map(|k: usize| leaves[k].clone());
        let out = layer.forward(QamaInput::new(q, k, v));
        let selection = values(out.selection);
        let terms = plain.terms();
        for b in 0..BATCH {
            let (energy, best) = plain.best(&terms, b);
            let found = &selection[b * HEADS * N..][..HEADS * N];
            assert!(max_difference(found, &best.concat()) < 1e-6, "{seed}: {found:?} {best:?}");
            assert!((values(out.energy.clone())[b] - energy).abs() < 1e-4);
        }
        assert!(max_difference(&values(out.context.clone()), &plain.output(&selection)) < 1e-3);

        let c = uniform(&mut rng(seed), SIZE, 1.0);
        let grads = (out.context * tensor(&c, [BATCH, N, D], &device, DType::F32)).sum().backward();
        let mut found: Vec<f64> =
            leaves.iter().flat_map(|leaf| values(leaf.grad(&grads).unwrap())).collect();
        for norm in [&layer.norm_couplings, &layer.norm_fields, &layer.norm_output] {
            found.extend(values(norm.gamma.val().grad(&grads).unwrap()));
            found.extend(values(norm.beta.val().grad(&grads).unwrap()));
        }
        for (k, found) in found.iter().enumerate() {
            let at = |step: f64| {
                let mut other = plain.clone();
                other.numbers[k] += step;
                other.output(&selection).iter().zip(&c).map(|(y, c)| y * c).sum::<f64>()
            };
            let expected = (at(1e-6) - at(-1e-6)) / 2e-6;
            let error = (found - expected).abs() / (1.0 + expected.abs());
            assert!(error < 5e-3, "{seed}: entry {k} is {found}, differences give {expected}");
        }
    }
}

/// Signed values, most of which are clamped.
#[test]
fn any_sampler_finds_the_weights_of_signed_values() {
    let device = device().autodiff();
    let plain = Plain { numbers: numbers(5, false), n_bits: 2 };
    let config = QamaV1Config::new(D, HEADS).with_n_bits(2);
    let layer = config.init_with_sampler(&device, Arc::new(Exact::default()));
    let layer = with_numbers(&layer, &plain.numbers, &device);
    let [q, k, v] = [0, 1, 2].map(|k: usize| {
        tensor(&plain.numbers[k * SIZE..][..SIZE], [BATCH, N, D], &device, DType::F32)
    });
    let out = layer.forward(QamaInput::new(q, k, v));
    let terms = plain.terms();
    let best: Vec<f64> = (0..BATCH).flat_map(|b| plain.best(&terms, b).1.concat()).collect();
    assert!(max_difference(&values(out.selection), &best) < 1e-6);
    assert!(max_difference(&values(out.context), &plain.output(&best)) < 1e-3);
}

/// One head, one token, equal tokens, sums of zero: numbers, and gradients that are numbers.
#[test]
fn degenerate_inputs_are_defined() {
    let device = device().autodiff();
    for (heads, n, scale) in [(1, 3, 1.0), (2, 1, 1.0), (1, 1, 1.0), (2, 3, 0.0)] {
        let config = QamaV1Config::new(4, heads).with_n_bits(2);
        for sampled in [false, true] {
            let layer = match sampled {
                true => config.init_with_sampler(&device, Arc::new(AllOn)),
                false => config.init(&device),
            };
            let x = uniform(&mut rng(6), 2 * n * 4, scale + f64::MIN_POSITIVE);
            let x: Tensor<3> = tensor(&x, [2, n, 4], &device, DType::F32).require_grad();
            // Values of opposite sign: their sum is zero.
            let signs = tensor(&[1.0, -1.0, 1.0, -1.0], [1, 1, 4], &device, DType::F32);
            for value in [x.clone(), x.ones_like() * signs] {
                let out = layer.forward(QamaInput::new(x.clone(), x.clone(), value));
                let grads = out.context.clone().powi_scalar(2).sum().backward();
                let g = x.grad(&grads).map(values).unwrap_or_default();
                let y = values(out.context);
                assert!(y.iter().chain(&g).all(|v| v.is_finite()), "{heads} {n}: {y:?} {g:?}");
            }
        }
    }
}

#[test]
fn configs_and_records_round_trip() {
    let device = device();
    let config = QamaConfig::paper_v1(D, HEADS).with_seed(3);
    let json = config.to_string();
    let again: QamaV1Config = serde_json::from_str(&json).unwrap();
    assert_eq!(again.to_string(), json);
    let layer = with_numbers(&config.init(&device), &numbers(7, true), &device);
    let x: Tensor<3> = tensor(&numbers(8, true)[..SIZE], [BATCH, N, D], &device, DType::F32);
    let run = |layer: &QamaV1| values(layer.forward(QamaInput::self_attn(x.clone())).context);
    let bytes = layer.clone().into_record().into_bytes().unwrap();
    let loaded = again.init(&device).load_record(ModuleRecord::from_bytes(bytes).unwrap());
    assert_eq!(run(&layer), run(&loaded));
}

#[test]
#[should_panic(expected = "the batch statistics of version 1 know no padding")]
fn padding() {
    let device = device();
    let hidden = Tensor::from_data(TensorData::new(vec![false; 3], [1, 3]), &device);
    let input = QamaInput::self_attn(Tensor::zeros([1, 3, D], &device)).mask_pad(hidden);
    QamaV1Config::new(D, HEADS).init(&device).forward(input);
}
