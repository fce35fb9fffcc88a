//! The value of a read-out, and a tensor that has its gradient.

use super::SelectionAttentionConfig;
use super::coefficients::{Coefficients, Tokens};
use super::readout::{Readout, energies};
use super::search::{Draw, Finder};
use crate::annealing::RookModel;
use crate::error::{Error, ErrorKind};
use crate::gradient::IsingEstimator;
use crate::nn::attention::heads::swap_next;
use crate::random::Places;
use burn::config::Config;
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

/// Damped iterations of the mean field, half of them without a graph.
const MEAN_FIELD_ITERATIONS: usize = 64;

/// How the selection of a [`SelectionAttention`](super::SelectionAttention) is differentiated. What a
/// read-out `r(x, theta)` depends on besides the selection `x` is always differentiated exactly.
///
/// The first four are for Boltzmann samples, whose mean read-out is the output. The other two are for
/// ground states, and take the lowest of `n_reads` samples. An annealer's samples have no temperature,
/// so it goes with these alone.
#[derive(Config, Debug, Copy, PartialEq)]
pub enum SelectionGradient {
    /// `-beta Cov(r, dE/dtheta)` of two samples or more: unbiased
    /// ([Williams 1992](https://doi.org/10.1007/BF00992696); the mean that is subtracted is the
    /// baseline that leaves a sample out).
    Covariance,
    /// That of `r(m, theta)` at the fixed point of the naive mean field `m = sigmoid(beta F(m))`, by 64
    /// damped steps: near the point where couplings alone would magnetise a head they are too few for
    /// all digits. Where a cardinality so strong that a step moves nothing leaves the means away from
    /// the fixed point, it is an error. Of one bit only, as is the next.
    MeanField,
    /// That of `r(x)` as if each bit were its conditional mean `sigmoid(beta F(x))`, in the field of
    /// the sampled others ([Bengio, Leonard and Courville 2013](https://arxiv.org/abs/1308.3432)). With
    /// [`MaskedValues`](super::SelectionReadout::MaskedValues) it is as large as `1 / epsilon = 1e6` in
    /// samples that select nothing.
    StraightThrough,
    /// `share` times that of another estimator, and the rest times the covariance.
    Mixed {
        /// In `[0, 1]`.
        share: f64,
        /// The other estimator.
        classical: IsingEstimator,
    },
    /// The output is the mean read-out at `n_samples` ground states, of coefficients with Gaussian
    /// noise: of standard deviation `epsilon` on each field, `epsilon / sqrt(n)` on each coupling. The
    /// gradient of that mean, `E[r Z] / epsilon`, needs no temperature
    /// ([Berthet et al. 2020](https://arxiv.org/abs/2002.08676)). Noise comes in pairs of opposite
    /// sign. It costs `n_samples` searches, and as many matrices of noise.
    Perturbed {
        /// The standard deviation of the noise.
        epsilon: f64,
        /// An even number.
        n_samples: usize,
    },
    /// The selection counts as a constant, as in the paper. Exact almost everywhere for ground states,
    /// but it does not see that the selection changes; for samples it lacks the covariance.
    Frozen,
}

impl SelectionGradient {
    /// # Panics
    ///
    /// On numbers out of their range, and where search and gradient do not fit.
    pub(super) fn check(self, finder: &Finder, n_reads: usize, n_bits: usize) {
        let fewest = match self {
            Self::Covariance | Self::Mixed { .. } => 2,
            _ => 1,
        };
        assert!(n_reads >= fewest, "n_reads is {n_reads}: this gradient needs {fewest} or more");
        assert!(
            self.is_of_ground_states() || finder.has_temperature(),
            "an annealer's samples have no temperature, on which this gradient depends: search by \
             Gibbs, or take the gradient Frozen or Perturbed"
        );
        assert!(
            n_bits == 1 || !self.is_classical(),
            "mean field and straight-through know one bit, n_bits is {n_bits}: use the covariance"
        );
        match self {
            Self::Mixed { share, .. } => {
                assert!((0.0..=1.0).contains(&share), "share is {share}: use a number in [0, 1]");
            }
            Self::Perturbed { epsilon, n_samples } => {
                let positive = epsilon > 0.0 && epsilon.is_finite();
                assert!(positive, "epsilon is {epsilon}: use a positive number");
                let pairs = n_samples > 0 && n_samples.is_multiple_of(2);
                assert!(pairs, "n_samples is {n_samples}: use an even number of 2 or more");
            }
            _ => {}
        }
    }

    fn is_of_ground_states(self) -> bool {
        matches!(self, Self::Frozen | Self::Perturbed { .. })
    }

    fn is_classical(self) -> bool {
        match self {
            Self::Mixed { classical, .. } => classical != IsingEstimator::Covariance,
            other => matches!(other, Self::MeanField | Self::StraightThrough),
        }
    }
}

/// One call of the layer.
pub(super) struct Estimate<'a> {
    pub config: &'a SelectionAttentionConfig,
    pub finder: &'a Finder,
    pub seed: u64,
    pub tracked: bool,
}

impl Estimate<'_> {
    /// The output `[batch, n_heads, n_outputs]` with its gradient, and the selections.
    pub fn of(
        &self,
        readout: &Readout<'_>,
        c: &Coefficients,
        tokens: &Tokens,
    ) -> Result<(Tensor<3>, Draw), Error> {
        if let SelectionGradient::Perturbed { epsilon, n_samples } = self.config.gradient {
            return self.perturbed(readout, c, tokens, epsilon, n_samples);
        }
        let models = models(c, tokens)?;
        let n_reads = self.config.n_reads;
        let (reads, s) = match self.config.gradient.is_of_ground_states() {
            true => (self.finder.lowest(&models, n_reads, self.seed)?, 1),
            false => (self.finder.samples(&models, n_reads, self.seed, self.tracked)?, n_reads),
        };
        let draw = Draw::new(&reads, s, &models, tokens, c);
        let out = match self.config.gradient {
            _ if !self.tracked => read(readout, &draw).mean_dim(2),
            SelectionGradient::Covariance => covariance(readout, c, &draw),
            SelectionGradient::MeanField => mean_field(readout, c, tokens, &draw)?,
            SelectionGradient::StraightThrough => straight_through(readout, c, tokens, &draw),
            SelectionGradient::Mixed { share, classical } => {
                let other = match classical {
                    IsingEstimator::Covariance => covariance(readout, c, &draw),
                    IsingEstimator::MeanField => mean_field(readout, c, tokens, &draw)?,
                    IsingEstimator::StraightThrough => straight_through(readout, c, tokens, &draw),
                };
                other * share + covariance(readout, c, &draw) * (1.0 - share)
            }
            SelectionGradient::Frozen | SelectionGradient::Perturbed { .. } => read(readout, &draw),
        };
        Ok((out.squeeze_dim(2), draw))
    }

    fn perturbed(
        &self,
        readout: &Readout<'_>,
        c: &Coefficients,
        tokens: &Tokens,
        epsilon: f64,
        n_samples: usize,
    ) -> Result<(Tensor<3>, Draw), Error> {
        let noise = Noise::new(c, tokens, epsilon, n_samples, self.seed);
        let perturbed = noise.models(c, tokens)?;
        let reads = self.finder.lowest(&perturbed, self.config.n_reads, self.seed)?;
        let draw = Draw::new(&reads, n_samples, &models(c, tokens)?, tokens, c);
        let r = read(readout, &draw);
        let out = r.clone().mean_dim(2);
        let out = if self.tracked {
            out + weighted(noise.score(c, tokens) / n_samples as f64, r, c)
        } else {
            out
        };
        Ok((out.squeeze_dim(2), draw))
    }
}

/// One for each element.
pub(super) fn models(c: &Coefficients, tokens: &Tokens) -> Result<Vec<RookModel>, Error> {
    let [batch, heads, n, _] = c.couplings.dims();
    let [couplings, fields] = c.numbers();
    let model = |b: usize| {
        let couplings = &couplings[b * heads * n * n..][..heads * n * n];
        c.model(b, couplings, &fields[b * heads * n..][..heads * n], tokens)
    };
    (0..batch).map(model).collect()
}

fn read(readout: &Readout<'_>, draw: &Draw) -> Tensor<4> {
    readout.of(draw.weights.clone(), &draw.penalties)
}

/// Zero, with the gradient of `score` times how far each sample's read-out is from the mean.
///
/// Of `score`, `[batch, n_heads, n_samples]`, only the gradient counts.
fn weighted(score: Tensor<3>, r: Tensor<4>, c: &Coefficients) -> Tensor<4> {
    let dims = score.dims();
    // Heads without a common penalty are models of their own, and no noise to each other.
    let score = match c.heads_are_coupled() {
        true => score.sum_dim(1).expand(dims),
        false => score,
    };
    let zero = score.clone() - score.without_autodiff();
    let r = r.without_autodiff();
    let away = r.clone() - r.mean_dim(2);
    zero.unsqueeze_dim::<4>(2).matmul(away)
}

fn covariance(readout: &Readout<'_>, c: &Coefficients, draw: &Draw) -> Tensor<4> {
    let r = read(readout, draw);
    let rest = r.dims()[2] as f64 - 1.0;
    let beta: Tensor<3> = draw.beta.clone().squeeze_dim(3);
    let score = energies(c, draw.weights.clone()) * beta / -rest;
    r.clone().mean_dim(2) + weighted(score, r, c)
}

fn straight_through(
    readout: &Readout<'_>,
    c: &Coefficients,
    tokens: &Tokens,
    draw: &Draw,
) -> Tensor<4> {
    let mean = conditional(c, tokens, draw, draw.weights.clone());
    let x = draw.weights.clone() + (mean.clone() - mean.without_autodiff());
    readout.of(x.clone(), &penalties(c, tokens, x)).mean_dim(2)
}

fn mean_field(
    readout: &Readout<'_>,
    c: &Coefficients,
    tokens: &Tokens,
    draw: &Draw,
) -> Result<Tensor<4>, Error> {
    let slope = |m: Tensor<4>| m.clone() * (1.0 - m) * draw.beta.clone();
    let step = |m: Tensor<4>, at_mean: bool| {
        let mean = conditional(c, tokens, draw, m.clone());
        let away = mean.clone() - m.clone();
        let Some(cardinality) = c.cardinality else { return m + away * 0.5 };
        let at = if at_mean { mean } else { m.clone().clamp(0.0, 1.0) };
        m + balanced(away, slope(at.without_autodiff()), cardinality.strength) * 0.5
    };
    let start = draw.weights.clone().mean_dim(2);
    let half = MEAN_FIELD_ITERATIONS / 2;
    // Backward through iterations at the fixed point sums the series of the implicit derivative.
    let fixed = (0..half).fold(start, |m, _| step(m, false).without_autodiff());
    if c.cardinality.is_some() {
        let away = conditional(c, tokens, draw, fixed.clone()) - fixed.clone();
        converged(away.abs().max().into_scalar::<f32>().into())?;
    }
    let m = (0..half).fold(fixed, |m, _| step(m, true));
    let out = readout.of(m.clone(), &penalties(c, tokens, m));
    let value = read(readout, draw).mean_dim(2).without_autodiff();
    Ok(out.clone() + (value - out.without_autodiff()))
}

/// A cardinality couples all tokens of a head to their sum, which plain steps would overshoot and
/// swing around. To the residual `r` of a step this is `(1 + kappa d 1^T)^-1 r`, with the slopes `d` of
/// the means: Newton's step as far as the sum is concerned.
fn balanced(away: Tensor<4>, slope: Tensor<4>, strength: f32) -> Tensor<4> {
    let share = slope.clone() * strength / (slope.sum_dim(3) * strength).add_scalar(1.0);
    away.clone() - share * away.sum_dim(3)
}

fn converged(residual: f64) -> Result<(), Error> {
    if residual <= 0.05 {
        return Ok(());
    }
    let what = "the residual of the mean field".into();
    let range = "0.05 or less: give the cardinality less strength, or take another gradient";
    Err(ErrorKind::OutOfRange { what, value: residual, range }.into())
}

/// What penalties add to the energy of each head, `[batch, n_heads, n_samples]`, of bits or of their
/// means: linear in each of them, as the energy is.
fn penalties(c: &Coefficients, tokens: &Tokens, x: Tensor<4>) -> Tensor<3> {
    let gamma = tokens.tensor(c.head_penalties.clone(), [c.head_penalties.len(), 1, 1, 1]);
    let others = x.clone().sum_dim(1) - x.clone();
    let mut energy = (x.clone() * others).sum_dim(3) * gamma * 0.5;
    if let Some(cardinality) = c.cardinality {
        let (sum, target) = (x.clone().sum_dim(3), cardinality.target);
        let square = sum.clone() * sum.clone() - (x.clone() * x).sum_dim(3);
        let excess = square + sum * (1.0 - 2.0 * target) + target * target;
        energy = energy + excess * (0.5 * cardinality.strength);
    }
    energy.squeeze_dim(3)
}

/// `sigmoid(beta F(x))` of the tokens that take part: the means of bits among the others.
fn conditional(c: &Coefficients, tokens: &Tokens, draw: &Draw, x: Tensor<4>) -> Tensor<4> {
    let mut field = x.clone().matmul(c.couplings.clone()) + c.fields.clone();
    if c.heads_are_coupled() {
        let gamma = tokens.tensor(c.head_penalties.clone(), [c.head_penalties.len(), 1, 1, 1]);
        field = field - (x.clone().sum_dim(1) - x.clone()) * gamma;
    }
    if let Some(cardinality) = c.cardinality {
        let excess = (x.clone().sum_dim(3) - x).add_scalar(0.5 - cardinality.target);
        field = field - excess * cardinality.strength;
    }
    let mean = sigmoid(field * draw.beta.clone());
    match tokens.keep() {
        Some(keep) => mean * keep,
        None => mean,
    }
}

/// Noise on the coefficients of each element, `n_samples` times.
struct Noise {
    epsilon: f64,
    n_samples: usize,
    /// Symmetric, `[batch, n_samples, n_heads, n, n]`.
    couplings: Vec<f32>,
    /// `[batch, n_samples, n_heads, n]`.
    fields: Vec<f32>,
}

impl Noise {
    fn new(c: &Coefficients, tokens: &Tokens, epsilon: f64, n_samples: usize, seed: u64) -> Self {
        let [batch, heads, n, _] = c.couplings.dims();
        let root = Places::new(seed).child(1 << 32);
        let ranks: Vec<_> = (0..batch).map(|b| tokens.ranks(b)).collect();
        let (mut couplings, mut fields) = (Vec::new(), Vec::new());
        for row in 0..batch * n_samples * heads {
            let (b, s, h) = (row / heads / n_samples, row / heads % n_samples, row % heads);
            // Of a pair, the second has the opposite sign.
            let sign = if s % 2 == 0 { 1.0 } else { -1.0 };
            let places = root.child(b as u64).child((s / 2) as u64).child(h as u64);
            let scale = (tokens.counts[b].max(1) as f64).powf(-0.5);
            let pair = |i: usize, j: usize| match i == j {
                true => 0.0,
                false => {
                    let (i, j) = (ranks[b][i.min(j)], ranks[b][i.max(j)]);
                    (sign * scale * places.normal(i, j)) as f32
                }
            };
            couplings.extend((0..n * n).map(|k| pair(k / n, k % n)));
            fields.extend(ranks[b].iter().map(|&i| (sign * places.normal(i, !0)) as f32));
        }
        Self { epsilon, n_samples, couplings, fields }
    }

    /// Models `[batch, n_samples]` with this noise.
    fn models(&self, c: &Coefficients, tokens: &Tokens) -> Result<Vec<RookModel>, Error> {
        let [batch, heads, n, _] = c.couplings.dims();
        let [couplings, fields] = c.numbers();
        let model = |k: usize| {
            let b = k / self.n_samples;
            let noisy = |values: &[f32], noise: &[f32], size: usize| -> Vec<f32> {
                let pairs = values[b * size..][..size].iter().zip(&noise[k * size..][..size]);
                pairs.map(|(value, z)| value + self.epsilon as f32 * z).collect()
            };
            let couplings = noisy(&couplings, &self.couplings, heads * n * n);
            c.model(b, &couplings, &noisy(&fields, &self.fields, heads * n), tokens)
        };
        (0..batch * self.n_samples).map(model).collect()
    }

    /// `sum theta Z / epsilon`, `[batch, n_heads, n_samples]`, with the noise of unit variance of each
    /// coefficient: a coupling's has the standard deviation `epsilon / sqrt(n)`.
    fn score(&self, c: &Coefficients, tokens: &Tokens) -> Tensor<3> {
        let [batch, heads, n, _] = c.couplings.dims();
        let s = self.n_samples;
        let z = tokens.tensor(self.couplings.clone(), [batch, s, heads, n * n]);
        let f = tokens.tensor(self.fields.clone(), [batch, s, heads, n]);
        // Each pair is in the matrix twice.
        let by_n = tokens.each(|n| 0.5 * n.max(1.0) / self.epsilon);
        let couplings = c.couplings.clone().reshape([batch, 1, heads, n * n]) * by_n;
        let fields = c.fields.clone().reshape([batch, 1, heads, n]) / self.epsilon;
        let sum = (z * couplings).sum_dim(3) + (f * fields).sum_dim(3);
        swap_next(sum.squeeze_dim::<3>(3), 1)
    }
}
