//! Gradients of Boltzmann expectations by the coefficients of the model.
//!
//! For `y_k = <r_k>` under `p(s) ~ exp(-beta E(s))`, with `u = sum_k c_k r_k` for a cotangent `c`:
//!
//! | estimator | `d<u>/dh_i` | |
//! | --- | --- | --- |
//! | [`Covariance`](IsingEstimator::Covariance) | `-beta Cov(u, s_i)`, from the samples | unbiased, noisy |
//! | [`MeanField`](IsingEstimator::MeanField) | through the fixed point `m = tanh(-beta (h + J m))` | biased, without noise |
//! | [`StraightThrough`](IsingEstimator::StraightThrough) | through `tanh(-beta f_i(s))` of each sample | biased, quiet |
//!
//! Couplings likewise, with `s_i s_j`. A [`HybridGradient`] mixes the first with one of the others.

mod covariance;
mod hybrid;
mod mean_field;
mod statistics;
mod straight_through;

pub use hybrid::{Alpha, HybridGradient, HybridReport, HybridState};
pub use mean_field::mean_field;
pub use statistics::SpinStatistics;

use crate::annealing::BatchSampleSet;
use crate::error::{Error, ErrorKind, length};
use crate::ising::BatchedIsing;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How to estimate the gradient of Boltzmann expectations from samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IsingEstimator {
    /// `d<u>/dh_i = -beta Cov(u, s_i)` and `d<u>/dJ_ij = -beta Cov(u, s_i s_j)`, with the covariances
    /// of the samples: unbiased if these are independent and of inverse temperature `beta`. The mean
    /// that it subtracts is the baseline of REINFORCE that leaves the sample itself out
    /// ([Williams 1992](https://doi.org/10.1007/BF00992696),
    /// [Kool, van Hoof and Welling 2019](https://openreview.net/forum?id=r1lgTGL5DE)). It needs two
    /// reads or more, and measurements alone, so it serves for devices.
    Covariance,
    /// The gradient of the naive mean-field values, by implicit differentiation of their fixed
    /// point; the samples are not used. Good at weak couplings or many neighbours.
    MeanField,
    /// Each sample as if its spins were their conditional means `tanh(-beta f_i)`, in the field of
    /// the sampled neighbours, for the gradient only
    /// ([Bengio, Leonard and Courville 2013](https://arxiv.org/abs/1308.3432)).
    StraightThrough,
}

/// What a gradient is asked of.
#[derive(Debug, Clone, Copy)]
pub struct SampledModels<'a> {
    /// The models.
    pub models: &'a BatchedIsing<'a>,
    /// Samples of each of them.
    pub samples: &'a BatchSampleSet,
    /// The inverse temperature of the samples.
    pub beta: f64,
    /// What is read out of them.
    pub statistics: &'a SpinStatistics,
}

/// The gradient of `sum_{p,k} c[p, k] <r_k>_p`.
#[derive(Debug, Clone, PartialEq)]
pub struct IsingGradient {
    /// By the fields, `[n_problems, n_spins]`.
    pub fields: Vec<f64>,
    /// By the couplings above the diagonal, zero elsewhere: `[n_groups, n_spins, n_spins]`, summed over
    /// the models that share them.
    pub couplings: Vec<f64>,
}

/// One problem of a [`SampledModels`].
struct Problem<'a> {
    n: usize,
    fields: &'a [f32],
    couplings: &'a [f32],
    /// `[n_reads, n]`.
    spins: &'a [i8],
    beta: f64,
    statistics: &'a SpinStatistics,
    cotangent: &'a [f64],
}

/// The gradient of one problem: `[n]` and the pairs `i < j` in lexicographic order.
#[derive(Clone)]
struct OneGradient {
    fields: Vec<f64>,
    pairs: Vec<f64>,
}

impl OneGradient {
    fn zero(n: usize) -> Self {
        Self { fields: vec![0.0; n], pairs: vec![0.0; n * n.saturating_sub(1) / 2] }
    }

    fn numbers(&self) -> impl Iterator<Item = &f64> {
        self.fields.iter().chain(&self.pairs)
    }

    fn numbers_mut(&mut self) -> impl Iterator<Item = &mut f64> {
        self.fields.iter_mut().chain(&mut self.pairs)
    }
}

impl Problem<'_> {
    fn coupling(&self, i: usize, j: usize) -> f64 {
        self.couplings[i.min(j) * self.n + i.max(j)].into()
    }

    /// `f_i = h_i + sum_j J_ij s_j`.
    fn local_field(&self, i: usize, s: &[i8]) -> f64 {
        let others = (0..self.n).filter(|&j| j != i);
        f64::from(self.fields[i])
            + others.map(|j| self.coupling(i, j) * f64::from(s[j])).sum::<f64>()
    }
}

impl IsingEstimator {
    /// The gradient, in double precision; `cotangent` is `[n_problems, n_statistics]`.
    ///
    /// # Errors
    ///
    /// When models, samples, statistics and cotangent do not fit each other, `beta` is not a finite
    /// number, or the covariance is asked of fewer than two reads.
    ///
    /// ```
    /// use burn_quantum::annealing::{GibbsSampler, IsingSampler};
    /// use burn_quantum::gradient::{IsingEstimator, SampledModels, SpinStatistics};
    /// use burn_quantum::ising::BatchedIsing;
    ///
    /// // One spin: <s> = -tanh(beta h), so d<s>/dh = -beta (1 - <s>^2).
    /// let models = BatchedIsing::new(1, 1, vec![0.3], vec![0.0])?;
    /// let samples = GibbsSampler::new(2.0).with_n_sweeps(5).sample_batch(&models, 10_000)?;
    /// let statistics = SpinStatistics::spins(1);
    /// let sampled =
    ///     SampledModels { models: &models, samples: &samples, beta: 2.0, statistics: &statistics };
    /// let g = IsingEstimator::Covariance.gradient(&sampled, &[1.0])?.fields[0];
    /// let exact = -2.0 * (1.0 - 0.6f64.tanh().powi(2));
    /// assert!((g - exact).abs() < 0.05);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn gradient(
        self,
        sampled: &SampledModels<'_>,
        cotangent: &[f64],
    ) -> Result<IsingGradient, Error> {
        sampled.check(self, cotangent)?;
        if self == Self::Covariance {
            return Ok(covariance::of_all(sampled, cotangent));
        }
        let parts = sampled.each_problem(cotangent, |problem| self.one(problem));
        Ok(sampled.assembled(parts))
    }

    fn one(self, problem: &Problem<'_>) -> OneGradient {
        match self {
            Self::Covariance => covariance::with_variance(problem).0,
            Self::MeanField => mean_field::gradient(problem),
            Self::StraightThrough => straight_through::gradient(problem),
        }
    }
}

impl SampledModels<'_> {
    fn check(&self, estimator: IsingEstimator, cotangent: &[f64]) -> Result<(), Error> {
        let (models, samples) = (self.models, self.samples);
        length("the problems of the sample set", models.n_problems(), samples.n_problems())?;
        length("a sample of these models", models.n_spins(), samples.n_spins())?;
        length(
            "a spin configuration of these statistics",
            self.statistics.n_spins(),
            models.n_spins(),
        )?;
        length("cotangent", models.n_problems() * self.statistics.len(), cotangent.len())?;
        out_of_range("beta", self.beta, "a finite number", self.beta.is_finite())?;
        let fewest = (0..samples.n_problems()).map(|p| samples.n_reads(p)).min().unwrap_or(2);
        let wanted = if estimator == IsingEstimator::Covariance { 2 } else { 1 };
        let range = if wanted == 2 { "2 or more for a covariance" } else { "1 or more" };
        out_of_range("the number of reads", fewest as f64, range, fewest >= wanted)
    }

    fn each_problem<R: Send>(
        &self,
        cotangent: &[f64],
        work: impl Fn(&Problem<'_>) -> R + Sync,
    ) -> Vec<R> {
        (0..self.models.n_problems())
            .into_par_iter()
            .with_min_len(self.min_problems())
            .map(|p| work(&self.problem(cotangent, p)))
            .collect()
    }

    fn problem<'a>(&'a self, cotangent: &'a [f64], p: usize) -> Problem<'a> {
        let k = self.statistics.len();
        Problem {
            n: self.models.n_spins(),
            fields: self.models.fields_of(p),
            couplings: self.models.couplings_of(p),
            spins: self.samples.spins_of(p),
            beta: self.beta,
            statistics: self.statistics,
            cotangent: &cotangent[p * k..(p + 1) * k],
        }
    }

    /// Problems for which it is worth waking a thread.
    fn min_problems(&self) -> usize {
        let n = self.models.n_spins();
        let reads = self.samples.spins().len() / n.max(1) / self.models.n_problems().max(1);
        (20_000 / (reads * n * n).max(1)).max(1)
    }

    fn assembled(&self, parts: Vec<OneGradient>) -> IsingGradient {
        let n = self.models.n_spins();
        let fields = parts.iter().flat_map(|part| part.fields.iter().copied()).collect();
        let mut couplings = vec![0.0; self.models.couplings().len()];
        let group = self.models.group_size();
        for (p, part) in parts.iter().enumerate() {
            let start = p / group * n * n;
            for ((i, j), g) in pairs(n).zip(&part.pairs) {
                couplings[start + i * n + j] += g;
            }
        }
        IsingGradient { fields, couplings }
    }
}

/// `i < j` in lexicographic order.
pub(crate) fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)))
}

fn out_of_range(what: &str, value: f64, range: &'static str, holds: bool) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(ErrorKind::OutOfRange { what: what.into(), value, range }.into())
}
