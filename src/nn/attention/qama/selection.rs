//! From fields and couplings to the probability that a key is selected.

use super::QamaConfig;
use super::ground_states::{Annealer, QamaGroundStates};
use super::input::Masks;
use crate::annealing::{GibbsSampler, IsingSampler};
use crate::error::Error;
use crate::gradient::{HybridReport, HybridState, SpinStatistics};
use crate::nn::SampleTemperature;
use crate::nn::annealing::Sampling;
use crate::ops::mean_field;
use burn::config::Config;
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Tensor, s};
use std::sync::Arc;

/// How a [`Qama`](super::Qama) finds `<z>`.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum QamaSelection {
    /// The naive mean field, `m = sigmoid(beta (theta + m W))`, after `n_iterations` iterations, and
    /// its implicit derivative: without noise, exact where there are no couplings.
    MeanField,
    /// The mean of `n_reads` samples after `n_iterations` heat-bath sweeps; the gradient is estimated.
    /// With couplings and a mask of pairs each query has a model of its own, as with any sampler: that
    /// takes `n_queries n_keys^2` numbers for each sequence and head.
    Gibbs,
    /// Exactly one key: `softmax(beta theta)`, which couplings would not change.
    ExactlyOne,
}

#[derive(Debug)]
pub(super) enum Selector {
    MeanField,
    ExactlyOne,
    /// One sampling for each head.
    Sampled(Vec<Sampling>),
    GroundStates(Annealer),
}

/// Keeps the normalisation of a query that selects next to nothing finite.
const EPSILON: f64 = 1e-6;

impl Selector {
    pub fn new(config: &QamaConfig) -> Self {
        match config.selection {
            QamaSelection::Gibbs => {
                let beta = config.beta;
                let sampler = GibbsSampler::new(beta).with_n_sweeps(config.n_iterations);
                let sampler: Arc<dyn IsingSampler> = Arc::new(sampler);
                return Self::sampled(config, &sampler, SampleTemperature::Known(beta));
            }
            QamaSelection::ExactlyOne => assert!(
                config.coupling == super::QamaCoupling::None,
                "couplings do not change which one key is selected: use `QamaCoupling::None`"
            ),
            QamaSelection::MeanField => {}
        }
        let defaults = QamaConfig::new(config.d_model, config.n_heads);
        assert!(
            config.n_reads == defaults.n_reads
                && config.gradient == defaults.gradient
                && config.seed == defaults.seed,
            "n_reads, gradient and seed belong to samplers: set `selection`, or leave them out"
        );
        if config.selection == QamaSelection::MeanField {
            assert!(
                config.coupling != super::QamaCoupling::None
                    || config.n_iterations == defaults.n_iterations,
                "without couplings the mean field knows no iterations: leave n_iterations out"
            );
            return Self::MeanField;
        }
        assert!(
            config.n_iterations == defaults.n_iterations
                && config.initial_bias.is_none()
                && config.field == defaults.field,
            "softmax knows no iterations, nor a bias of all keys: leave n_iterations, initial_bias and \
             field out"
        );
        Self::ExactlyOne
    }

    pub fn sampled(
        config: &QamaConfig,
        sampler: &Arc<dyn IsingSampler>,
        temperature: SampleTemperature,
    ) -> Self {
        let of_head = |head: usize| {
            let seed = config.seed.wrapping_add(head as u64);
            Sampling::new((sampler.clone(), temperature), config.n_reads, config.gradient, seed)
        };
        Self::Sampled((0..config.n_heads).map(of_head).collect())
    }

    /// # Panics
    ///
    /// On numbers out of their range, and on a gradient of samples.
    pub fn annealed(
        config: &QamaConfig,
        sampler: Arc<dyn IsingSampler>,
        ground_states: QamaGroundStates,
    ) -> Self {
        assert!(
            config.gradient == QamaConfig::new(config.d_model, config.n_heads).gradient,
            "`gradient` is of samples that have a temperature: leave it out"
        );
        let (n_reads, seed) = (config.n_reads, config.seed);
        Self::GroundStates(Annealer::new(sampler, n_reads, seed, ground_states))
    }

    pub fn reports(&self) -> Vec<Option<HybridReport>> {
        match self {
            Self::Sampled(heads) => heads.iter().map(Sampling::report).collect(),
            _ => Vec::new(),
        }
    }

    pub fn states(&self) -> Vec<Arc<HybridState>> {
        match self {
            Self::Sampled(heads) => heads.iter().map(Sampling::state).collect(),
            _ => Vec::new(),
        }
    }

    /// The sums of a query's selections, to divide by.
    pub fn nonzero(&self, sums: Tensor<4>) -> Tensor<4> {
        match self {
            Self::MeanField | Self::ExactlyOne => sums.add_scalar(EPSILON),
            // Either nothing, or one key of one sample at least: gradients stay below `2 n_samples`.
            Self::Sampled(heads) => {
                sums.clamp_min(0.5 / heads.first().map_or(1, Sampling::n_reads) as f64)
            }
            Self::GroundStates(annealer) => {
                sums.clamp_min(0.5 / annealer.ground_states.n_samples() as f64)
            }
        }
    }

    /// What fields and couplings are to be multiplied by: samplers apply `beta` themselves.
    pub fn scale(&self, beta: f64) -> f64 {
        match self {
            Self::MeanField | Self::ExactlyOne => beta,
            Self::Sampled(_) | Self::GroundStates(_) => 1.0,
        }
    }

    /// `theta [batch, n_heads, n_queries, n_keys]` to the selection, of the same shape; `theta` and
    /// `couplings` times [`scale`](Self::scale).
    pub fn select(
        &self,
        config: &QamaConfig,
        theta: Tensor<4>,
        couplings: Option<Tensor<4>>,
        masks: &Masks,
    ) -> Result<Tensor<4>, Error> {
        match (self, couplings) {
            (Self::ExactlyOne, _) => Ok(one_key(theta, masks)),
            (Self::MeanField, None) => Ok(masks.apply(sigmoid(theta))),
            (Self::MeanField, Some(w)) => {
                // The selection of a masked key is exactly 0, and so is its slope.
                Ok(mean_field(masks.lower(theta), w, config.n_iterations))
            }
            (Self::Sampled(heads), couplings) => sample(heads, theta, couplings, masks),
            (Self::GroundStates(annealer), couplings) => annealer.select(theta, couplings, masks),
        }
    }
}

fn one_key(scores: Tensor<4>, masks: &Masks) -> Tensor<4> {
    // Masked scores leave the maximum, and their weights the sum; nothing to select gives zeros.
    masks.apply(softmax(masks.lower(scores), 3))
}

/// The means of samples, one call for each head.
fn sample(
    heads: &[Sampling],
    theta: Tensor<4>,
    couplings: Option<Tensor<4>>,
    masks: &Masks,
) -> Result<Tensor<4>, Error> {
    let [batch, _, n_queries, n] = theta.dims();
    let fields = model_fields(theta, couplings.clone(), masks);
    let meet = couplings.as_ref().and_then(|_| masks.meet());
    let mut selections = Vec::with_capacity(heads.len());
    for (h, head) in heads.iter().enumerate() {
        let rows = fields.clone().slice(s![.., h..h + 1, .., ..]).reshape([batch * n_queries, n]);
        let j = match &couplings {
            Some(w) => model_couplings(w.clone().slice(s![.., h..h + 1, .., ..]), &meet),
            None => Tensor::zeros([1, n, n], (&rows.device(), rows.dtype())),
        };
        let spins = head.forward(rows, j, SpinStatistics::spins(n))?;
        selections.push((spins + 1.0).mul_scalar(0.5).reshape([batch, 1, n_queries, n]));
    }
    Ok(masks.apply(Tensor::cat(selections, 1)))
}

/// Fields of spins, of the shape of `theta`: `z = (1 + s) / 2` turns the energy into
/// `h = -(theta / 2 + sum_j W_j / 4)`, `J = -W / 4`.
///
/// The spin of a masked key has neither a field nor couplings, and is not read: so nothing is asked of
/// a sampler that would drown the other coefficients.
pub(super) fn model_fields(theta: Tensor<4>, w: Option<Tensor<4>>, masks: &Masks) -> Tensor<4> {
    let mut fields = theta * -0.5;
    if let Some(w) = w {
        let pull = match &masks.pairs {
            Some(pairs) => pairs.clone().matmul(w),
            None => w.sum_dim(2),
        };
        fields = fields - pull * 0.25;
    }
    masks.apply(fields)
}

/// Couplings of spins, `[n_groups, n_keys, n_keys]`, for `W [batch or 1, m, n_keys, n_keys]`: a group for
/// all queries, or one for each where they have masks of their own. `meet` is [`Masks::meet`].
pub(super) fn model_couplings(w: Tensor<4>, meet: &Option<Tensor<5>>) -> Tensor<3> {
    let w = w * -0.25;
    match meet {
        Some(meet) => (w.unsqueeze_dim::<5>(2) * meet.clone()).flatten(0, 2),
        None => w.flatten(0, 1),
    }
}
