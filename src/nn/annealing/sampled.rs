//! Stochastic samplers behind the annealing layer.

use crate::annealing::{GibbsSampler, IsingSampler, PathIntegral, Schedule, SimulatedAnnealing};
use crate::error::{Error, ErrorKind};
use crate::gradient::{HybridGradient, HybridReport, HybridState, SpinStatistics};
use crate::ops::{SpinSamples, draw_spins, spin_statistics};
use burn::config::Config;
use burn::tensor::Tensor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What anneals in an [`AnnealingLayer`](super::AnnealingLayer).
#[derive(Config, Debug, Copy, PartialEq)]
pub enum AnnealingSampler {
    /// The Schroedinger equation of a closed system, without sampling noise and with exact gradients.
    Schroedinger,
    /// Heat-bath sweeps, `n_steps` of them, at one inverse temperature:
    /// [`GibbsSampler`](crate::annealing::GibbsSampler).
    Gibbs {
        /// The inverse temperature.
        beta: f64,
    },
    /// `n_steps` sweeps while the inverse temperature rises from `beta / 10` to `beta`:
    /// [`SimulatedAnnealing`](crate::annealing::SimulatedAnnealing). A few sweeps do not reach
    /// equilibrium, so for gradients the temperature of the samples is estimated in every call.
    SimulatedAnnealing {
        /// The last inverse temperature. Where it is so large that no spin opposes its field, there
        /// is nothing to differentiate.
        beta: f64,
    },
    /// `n_steps` sweeps of path-integral Monte Carlo at `beta` in a falling transverse field:
    /// [`PathIntegral`](crate::annealing::PathIntegral). The temperature is estimated likewise.
    PathIntegral {
        /// The inverse temperature.
        beta: f64,
    },
}

impl AnnealingSampler {
    /// The sampler and its temperature, where it is a stochastic one.
    pub(super) fn build(
        self,
        n_sweeps: usize,
    ) -> Option<(Arc<dyn IsingSampler>, SampleTemperature)> {
        let (sampler, beta): (Arc<dyn IsingSampler>, f64) = match self {
            Self::Schroedinger => return None,
            Self::Gibbs { beta } => {
                (Arc::new(GibbsSampler::new(beta).with_n_sweeps(n_sweeps)), beta)
            }
            Self::SimulatedAnnealing { beta } => {
                let schedule = Schedule::Geometric { from: beta / 10.0, to: beta };
                let sampler = SimulatedAnnealing::default().with_schedule(schedule);
                (Arc::new(sampler.with_n_sweeps(n_sweeps)), beta)
            }
            Self::PathIntegral { beta } => {
                let sampler = PathIntegral::default().with_beta(beta).with_n_sweeps(n_sweeps);
                (Arc::new(sampler), beta)
            }
        };
        super::positive("beta", beta);
        let temperature = match self {
            Self::Gibbs { .. } => SampleTemperature::Known(beta),
            _ => SampleTemperature::Estimated,
        };
        Some((sampler, temperature))
    }
}

/// The inverse temperature of a sampler's samples, on which gradients depend.
#[derive(Config, Debug, Copy, PartialEq)]
pub enum SampleTemperature {
    /// This one.
    Known(f64),
    /// Estimated from the samples of each call by maximum pseudo-likelihood
    /// ([`effective_beta_of_batch`](crate::annealing::effective_beta_of_batch)): for annealers and devices.
    /// In [`SelectionAttention`](crate::nn::attention::SelectionAttention) and
    /// [`BipartiteAttention`](crate::nn::attention::BipartiteAttention) an estimate below zero counts as
    /// zero.
    Estimated,
}

/// Samples of batches of models, differentiated by an estimator.
#[derive(Debug)]
pub(in crate::nn) struct Sampling {
    sampler: Arc<dyn IsingSampler>,
    temperature: SampleTemperature,
    n_reads: usize,
    seeds: Seeds,
    gradient: HybridGradient,
    state: Arc<HybridState>,
}

/// A seed for each call.
#[derive(Debug)]
pub(in crate::nn) struct Seeds {
    seed: u64,
    /// Calls that were differentiated.
    calls: AtomicU64,
}

impl Seeds {
    pub fn new(seed: u64) -> Self {
        Self { seed, calls: AtomicU64::new(0) }
    }

    /// Inference repeats itself; training must not.
    pub fn next(&self, tracked: bool) -> u64 {
        let call = if tracked { 1 + self.calls.fetch_add(1, Ordering::Relaxed) } else { 0 };
        self.seed ^ call.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Sampling {
    /// # Panics
    ///
    /// Panics on a temperature that is not positive, and on a gradient that is not valid or needs
    /// more reads.
    pub fn new(
        (sampler, temperature): (Arc<dyn IsingSampler>, SampleTemperature),
        n_reads: usize,
        gradient: HybridGradient,
        seed: u64,
    ) -> Self {
        gradient.check().unwrap_or_else(|e| panic!("HybridGradient: {e}"));
        let fewest = gradient.min_reads();
        assert!(n_reads >= fewest, "n_reads is {n_reads}: this gradient needs {fewest} or more");
        if let SampleTemperature::Known(beta) = temperature {
            super::positive("beta", beta);
        }
        let (seeds, state) = (Seeds::new(seed), Arc::default());
        Self { sampler, temperature, n_reads, seeds, gradient, state }
    }

    /// Means over `n_reads` samples, `[batch, n_statistics]`.
    pub fn forward(
        &self,
        fields: Tensor<2>,
        couplings: Tensor<3>,
        statistics: SpinStatistics,
    ) -> Result<Tensor<2>, Error> {
        let tracked = fields.is_tracked() || couplings.is_tracked();
        let reseeded = self.sampler.reseeded(self.seeds.next(tracked));
        let sampler = reseeded.as_ref().unwrap_or(&self.sampler);
        let estimate = tracked && self.temperature == SampleTemperature::Estimated;
        let draw = draw_spins(&fields, &couplings, &**sampler, self.n_reads, estimate)?;
        let beta = match (self.temperature, draw.beta) {
            (SampleTemperature::Known(beta), _) => beta,
            (SampleTemperature::Estimated, Some(beta)) => finite(beta)?,
            // Nothing will be differentiated.
            (SampleTemperature::Estimated, None) => 1.0,
        };
        let samples = draw.samples;
        let (gradient, state) = (self.gradient, self.state.clone());
        let samples = SpinSamples { samples, beta, statistics, gradient, state };
        Ok(spin_statistics(fields, couplings, Arc::new(samples)))
    }

    pub fn n_reads(&self) -> usize {
        self.n_reads
    }

    pub fn report(&self) -> Option<HybridReport> {
        self.state.report()
    }

    pub fn state(&self) -> Arc<HybridState> {
        self.state.clone()
    }
}

/// Samples that do not follow their model have an estimate on either side of zero.
pub(in crate::nn) fn not_negative(beta: f64) -> Result<f64, Error> {
    Ok(finite(beta)?.max(0.0))
}

fn finite(beta: f64) -> Result<f64, Error> {
    if beta.is_finite() {
        return Ok(beta);
    }
    let what = "the effective inverse temperature of the samples".into();
    let range = "a finite number: take more reads, or a warmer sampler, where gradients are wanted";
    Err(ErrorKind::OutOfRange { what, value: beta, range }.into())
}
