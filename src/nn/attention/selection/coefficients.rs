//! Couplings, fields and penalties of a batch, and who takes part.

use super::{QamaInput, SelectionAttentionConfig, check_input};
use crate::annealing::{Cardinality, RookModel};
use crate::error::Error;
use burn::config::Config;
use burn::tensor::{DType, Device, Element, Tensor, TensorData, assert_shape};

/// How the weights of the energy of a [`SelectionAttention`](super::SelectionAttention) grow with the
/// number `n` of tokens that are not padding, for `H > 1` heads (one head has no head penalty).
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum SelectionScaling {
    /// `alpha`, `a_n = a n`, `gamma_n = gamma sqrt(2/pi) n / (H - 1)`: the paper's. All three terms grow
    /// as the number of pairs, so that selections are the colder the more tokens there are.
    Extensive,
    /// `alpha / sqrt(n)`, `a`, `gamma / (H - 1)`: what a token feels is of order one, however many there
    /// are, and so is the inverse temperature.
    PerToken,
}

/// The energy `strength / 2 (sum_i x_hi - n_selected)^2` of each head.
#[derive(Config, Debug, Copy, PartialEq)]
pub struct SelectionCardinality {
    /// `k`, the number of tokens that a head is to select.
    pub n_selected: f64,
    /// `kappa`. Default: 1.0
    #[config(default = 1.0)]
    pub strength: f64,
}

impl SelectionCardinality {
    pub(super) fn check(&self) {
        let Self { n_selected, strength } = *self;
        assert!(
            n_selected >= 0.0 && n_selected.is_finite(),
            "n_selected is {n_selected}: use a number of 0 or more"
        );
        assert!(
            strength >= 0.0 && strength.is_finite(),
            "the strength of the cardinality is {strength}: use a number of 0 or more"
        );
    }
}

/// Which tokens take part.
pub(in super::super) struct Tokens {
    /// The number of tokens, padding included.
    pub n: usize,
    /// The number of those that take part, of each element of the batch.
    pub counts: Vec<usize>,
    /// `[batch, n]`, where there is padding.
    pub kept: Option<Vec<bool>>,
    device: Device,
    dtype: DType,
}

impl Tokens {
    /// # Panics
    ///
    /// On shapes and masks that one selection does not allow.
    pub fn new(input: &QamaInput, d_model: usize) -> Self {
        let [batch, n] = check_input(input, d_model);
        let device = input.query.device().without_autodiff();
        let kept = input.mask_pad.as_ref().map(|mask| {
            assert_shape!(mask, [batch, n]);
            mask.to_data().iter::<bool>().map(|hidden| !hidden).collect::<Vec<_>>()
        });
        let count = |b: usize| match &kept {
            Some(kept) => kept[b * n..][..n].iter().filter(|kept| **kept).count(),
            None => n,
        };
        let counts = (0..batch).map(count).collect();
        Self { n, counts, kept, device, dtype: input.query.dtype() }
    }

    /// The tokens of one element that take part.
    pub fn kept_of(&self, b: usize) -> Option<&[bool]> {
        self.kept.as_ref().map(|kept| &kept[b * self.n..][..self.n])
    }

    /// How many tokens that take part come before each token of an element: a place that does not
    /// depend on padding.
    pub fn ranks(&self, b: usize) -> Vec<u32> {
        let mut rank = 0;
        let next = |i: usize| {
            let before = rank;
            rank += u32::from(self.kept_of(b).is_none_or(|kept| kept[i]));
            before
        };
        (0..self.n).map(next).collect()
    }

    pub fn tensor<E: Element, const R: usize>(
        &self,
        values: Vec<E>,
        dims: [usize; R],
    ) -> Tensor<R> {
        Tensor::from_data(TensorData::new(values, dims), (&self.device, self.dtype))
    }

    /// A number of each element that follows from its number of tokens, `[batch, 1, 1, 1]`.
    pub fn each(&self, of: impl Fn(f64) -> f64) -> Tensor<4> {
        let values: Vec<f64> = self.counts.iter().map(|&n| of(n as f64)).collect();
        self.tensor(values, [self.counts.len(), 1, 1, 1])
    }

    /// 1 for tokens that take part, 0 for others, `[batch, 1, 1, n]`.
    pub fn keep(&self) -> Option<Tensor<4>> {
        let kept = self.kept.as_ref()?;
        let values: Vec<f32> = kept.iter().map(|&kept| f32::from(u8::from(kept))).collect();
        Some(self.tensor(values, [self.counts.len(), 1, 1, self.n]))
    }
}

/// The coefficients of the energy.
pub(in super::super) struct Coefficients {
    /// `J`, `[batch, n_heads, n, n]`.
    pub pairs: Tensor<4>,
    /// `h`, `[batch, n_heads, 1, n]`.
    pub values: Tensor<4>,
    /// What multiplies `x_hi x_hj / 2` in the energy that is searched.
    pub couplings: Tensor<4>,
    /// What multiplies `x_hi` there.
    pub fields: Tensor<4>,
    /// `gamma_n` of each element.
    pub head_penalties: Vec<f32>,
    pub cardinality: Option<Cardinality>,
    pub n_bits: usize,
}

impl Coefficients {
    /// Of query, key and value, `[batch, n_heads, n, d_k]`.
    pub fn new(
        config: &SelectionAttentionConfig,
        [query, key, value]: [&Tensor<4>; 3],
        probe: &Tensor<1>,
        tokens: &Tokens,
    ) -> Self {
        let [batch, n_heads, n, d_k] = query.dims();
        let one_way = query.clone().matmul(key.clone().transpose());
        let both = one_way.clone() + one_way.transpose();
        let mut pairs = both.mul_scalar(0.5 * (d_k as f64).powf(-0.5)) * off_diagonal(n, tokens);
        let values = value.clone().matmul(probe.clone().reshape([1, 1, d_k, 1]));
        let mut values = values.mul_scalar((d_k as f64).recip()).reshape([batch, n_heads, 1, n]);
        if let Some(keep) = tokens.keep() {
            values = values * keep.clone();
            pairs = pairs * keep.clone() * keep.transpose();
        }
        if config.normalise {
            let h = n_heads as f64;
            pairs = normalised(pairs, tokens.each(|n| h * (n * (n - 1.0)).max(1.0)));
            values = normalised(values, tokens.each(|n| h * n.max(1.0)));
        }
        let (alpha, a) = (2.0 * config.pair_weight, config.field_weight);
        let (couplings, fields) = match config.scaling {
            SelectionScaling::Extensive => {
                (pairs.clone() * alpha, values.clone() * tokens.each(|n| a * n))
            }
            SelectionScaling::PerToken => {
                let pair = tokens.each(|n| alpha / n.max(1.0).sqrt());
                (pairs.clone() * pair, values.clone() * a)
            }
        };
        let cardinality = config
            .cardinality
            .map(|c| Cardinality { strength: c.strength as f32, target: c.n_selected as f32 });
        let gamma = |&n: &usize| head_penalty(config, n) as f32;
        Self {
            pairs,
            values,
            couplings,
            fields,
            head_penalties: tokens.counts.iter().map(gamma).collect(),
            cardinality,
            n_bits: config.n_bits,
        }
    }

    pub fn is_tracked(&self) -> bool {
        self.couplings.is_tracked() || self.fields.is_tracked()
    }

    /// Couplings and fields as numbers.
    pub fn numbers(&self) -> [Vec<f32>; 2] {
        [&self.couplings, &self.fields].map(|t| t.clone().into_data().iter::<f32>().collect())
    }

    /// The model of element `b`, with these couplings and fields.
    pub fn model(
        &self,
        b: usize,
        couplings: &[f32],
        fields: &[f32],
        tokens: &Tokens,
    ) -> Result<RookModel, Error> {
        let [_, n_heads, n, _] = self.couplings.dims();
        let model = RookModel::new([n_heads, n], couplings, fields, tokens.kept_of(b))?;
        let model = model.with_n_bits(self.n_bits).with_head_penalty(self.head_penalties[b])?;
        match self.cardinality {
            Some(cardinality) => model.with_cardinality(cardinality),
            None => Ok(model),
        }
    }

    /// Whether the heads of an element are parts of one model.
    pub fn heads_are_coupled(&self) -> bool {
        self.head_penalties.iter().any(|&gamma| gamma != 0.0)
    }
}

fn head_penalty(config: &SelectionAttentionConfig, n: usize) -> f64 {
    let rivals = config.n_heads as f64 - 1.0;
    if rivals == 0.0 {
        return 0.0;
    }
    let scale = match config.scaling {
        SelectionScaling::Extensive => std::f64::consts::FRAC_2_PI.sqrt() * n as f64,
        SelectionScaling::PerToken => 1.0,
    };
    config.head_penalty * scale / rivals
}

fn off_diagonal(n: usize, tokens: &Tokens) -> Tensor<4> {
    let values = (0..n * n).map(|k| if k / n == k % n { 0.0 } else { 1.0 }).collect();
    tokens.tensor(values, [1, 1, n, n])
}

/// Divided by the root of the mean square over all that counts, of each element.
fn normalised(x: Tensor<4>, count: Tensor<4>) -> Tensor<4> {
    let square = x.clone().powi_scalar(2).sum_dim(1).sum_dim(2).sum_dim(3) / count;
    x / square.add_scalar(1e-12).sqrt()
}
