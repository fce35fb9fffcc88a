//! The hybrid gradient of QHON: a mixture of an unbiased and a quiet estimator.

use super::{
    IsingEstimator, IsingGradient, OneGradient, SampledModels, covariance, out_of_range, pairs,
};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// The share `alpha` of the classical estimator in a [`HybridGradient`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alpha {
    /// The same in every call.
    Fixed(f64),
    /// From `start` in the first call to `end` in call `n_calls` and after, in equal steps.
    Scheduled {
        /// The share in the first call.
        start: f64,
        /// The share in the end.
        end: f64,
        /// The number of calls between the two.
        n_calls: usize,
    },
    /// The share with the least estimated mean squared error, `V / (V + b^2)`.
    ///
    /// `V` is the summed variance of the covariance estimator, from the samples. The bias `b` of the
    /// other one is the difference of the two, averaged over calls with weights that fall by
    /// `memory` from call to call; its square counts as far as it exceeds two standard errors of that
    /// average. Gradients are summed over the batch first, as parameters that the problems share
    /// receive them. A memory of 0 judges by one call alone, and then sees only large biases; long
    /// memories lag behind parameters that change fast. `0.9` is a good value.
    Adaptive {
        /// In `[0, 1)`.
        memory: f64,
    },
}

/// `alpha g_classical + (1 - alpha) g_quantum`, where `g_quantum` is the
/// [covariance](IsingEstimator::Covariance) of measured samples: the hybrid gradient of the QHON
/// paper.
///
/// ```
/// use burn_quantum::gradient::{Alpha, HybridGradient, IsingEstimator};
///
/// let unbiased = HybridGradient::default();
/// assert_eq!(unbiased.alpha, Alpha::Fixed(0.0));
/// let adaptive = HybridGradient {
///     alpha: Alpha::Adaptive { memory: 0.9 },
///     classical: IsingEstimator::MeanField,
/// };
/// assert_ne!(adaptive, unbiased);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HybridGradient {
    /// The share of the classical estimator.
    pub alpha: Alpha,
    /// The classical estimator.
    pub classical: IsingEstimator,
}

/// The covariance alone, without bias.
impl Default for HybridGradient {
    fn default() -> Self {
        Self { alpha: Alpha::Fixed(0.0), classical: IsingEstimator::MeanField }
    }
}

/// What a [`HybridGradient`] remembers from call to call.
#[derive(Debug, Default)]
pub struct HybridState(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    calls: usize,
    /// Sum of weights, weighted sums of the difference and of the variance, and of squared weights.
    weight: f64,
    difference: Vec<f64>,
    variance: f64,
    squared_weight: f64,
    report: Option<HybridReport>,
}

/// The last mixture of a [`HybridGradient`], for metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct HybridReport {
    /// The share of the classical estimator.
    pub alpha: f64,
    /// The estimated squared bias of the classical estimator, summed over all coefficients, where
    /// the mixture is adaptive.
    pub squared_bias: Option<f64>,
    /// The estimated variance of the covariance estimator, likewise.
    pub variance: Option<f64>,
}

impl HybridState {
    /// What the last call mixed; `None` before the first.
    pub fn report(&self) -> Option<HybridReport> {
        self.with(|memory| memory.report)
    }

    /// Held for an instant only, and never while rayon works: a thread that waits there may take up
    /// another gradient of the same layer.
    fn with<R>(&self, f: impl FnOnce(&mut Memory) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HybridGradient {
    /// Refuses shares outside `[0, 1]`, memories outside `[0, 1)` and schedules of no call.
    ///
    /// # Errors
    ///
    /// In these cases.
    pub fn check(&self) -> Result<(), Error> {
        let share = |what, value: f64| {
            out_of_range(what, value, "a number in [0, 1]", (0.0..=1.0).contains(&value))
        };
        match self.alpha {
            Alpha::Fixed(alpha) => share("alpha", alpha),
            Alpha::Scheduled { start, end, n_calls } => {
                share("alpha at the start", start)?;
                share("alpha at the end", end)?;
                out_of_range(
                    "the calls of a scheduled alpha",
                    n_calls as f64,
                    "1 or more",
                    n_calls > 0,
                )
            }
            Alpha::Adaptive { memory } => {
                let holds = (0.0..1.0).contains(&memory);
                out_of_range("the memory of an adaptive alpha", memory, "a number in [0, 1)", holds)
            }
        }
    }

    /// The fewest reads that it needs of each problem.
    pub fn min_reads(&self) -> usize {
        if self.alpha == Alpha::Fixed(1.0) { 1 } else { 2 }
    }

    /// The mixed gradient; `cotangent` is `[n_problems, n_statistics]`.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check) and [`IsingEstimator::gradient`].
    pub fn gradient(
        &self,
        sampled: &SampledModels<'_>,
        cotangent: &[f64],
        state: &HybridState,
    ) -> Result<IsingGradient, Error> {
        self.check()?;
        let alpha = match self.alpha {
            Alpha::Fixed(alpha) => {
                state.with(|memory| memory.remember(alpha));
                alpha
            }
            Alpha::Scheduled { start, end, n_calls } => state.with(|memory| {
                let alpha = start + (end - start) * (memory.calls as f64 / n_calls as f64).min(1.0);
                memory.remember(alpha);
                alpha
            }),
            Alpha::Adaptive { memory } => return self.adaptive(sampled, cotangent, memory, state),
        };
        let of = |estimator: IsingEstimator| estimator.gradient(sampled, cotangent);
        match alpha {
            0.0 => of(IsingEstimator::Covariance),
            1.0 => of(self.classical),
            _ => Ok(mixed(alpha, of(self.classical)?, of(IsingEstimator::Covariance)?)),
        }
    }

    fn adaptive(
        &self,
        sampled: &SampledModels<'_>,
        cotangent: &[f64],
        keep: f64,
        state: &HybridState,
    ) -> Result<IsingGradient, Error> {
        sampled.check(IsingEstimator::Covariance, cotangent)?;
        let quantum = sampled.each_problem(cotangent, covariance::with_variance);
        let (quantum, variances): (Vec<_>, Vec<_>) = quantum.into_iter().unzip();
        let classical = sampled.each_problem(cotangent, |problem| self.classical.one(problem));
        let n = sampled.models.n_spins();
        let difference = difference(n, &classical, &quantum);
        let variance = variances.iter().flat_map(OneGradient::numbers).sum();
        let alpha = state.with(|memory| memory.judge(keep, difference, variance));
        Ok(mixed(alpha, sampled.assembled(classical), sampled.assembled(quantum)))
    }
}

/// The difference of two gradients, summed over the problems.
fn difference(n: usize, a: &[OneGradient], b: &[OneGradient]) -> Vec<f64> {
    let mut sum = vec![0.0; n + pairs(n).count()];
    for (a, b) in a.iter().zip(b) {
        let numbers = a.numbers().zip(b.numbers());
        sum.iter_mut().zip(numbers).for_each(|(sum, (a, b))| *sum += a - b);
    }
    sum
}

fn mixed(alpha: f64, classical: IsingGradient, quantum: IsingGradient) -> IsingGradient {
    let mix = |c: Vec<f64>, q: Vec<f64>| {
        c.into_iter().zip(q).map(|(c, q)| alpha * c + (1.0 - alpha) * q).collect()
    };
    IsingGradient {
        fields: mix(classical.fields, quantum.fields),
        couplings: mix(classical.couplings, quantum.couplings),
    }
}

impl Memory {
    fn remember(&mut self, alpha: f64) {
        self.calls += 1;
        self.report = Some(HybridReport { alpha, squared_bias: None, variance: None });
    }

    /// Takes in the difference of the two estimators and the variance of one of them; the share.
    fn judge(&mut self, keep: f64, difference: Vec<f64>, variance: f64) -> f64 {
        if self.difference.len() != difference.len() {
            *self = Self { calls: self.calls, ..Self::default() };
            self.difference = vec![0.0; difference.len()];
        }
        self.weight = keep * self.weight + 1.0;
        self.squared_weight = keep * keep * self.squared_weight + 1.0;
        self.variance = keep * self.variance + variance;
        for (sum, d) in self.difference.iter_mut().zip(difference) {
            *sum = keep * *sum + d;
        }
        let variance = self.variance / self.weight;
        // The mean over calls has a variance of its own. A bias counts beyond two standard errors:
        // to miss a small one costs little, to invent one lets all the noise in.
        let noise = variance * self.squared_weight / self.weight.powi(2);
        let square: f64 = self.difference.iter().map(|d| (d / self.weight).powi(2)).sum();
        let squared_bias = (square - 4.0 * noise).max(0.0);
        let total = variance + squared_bias;
        let alpha = if total > 0.0 { variance / total } else { 0.0 };
        self.calls += 1;
        let (squared_bias, variance) = (Some(squared_bias), Some(variance));
        self.report = Some(HybridReport { alpha, squared_bias, variance });
        alpha
    }
}
