//! Samplers of Ising models.
//!
//! [`IsingSampler`] draws configurations of an [`Ising`] model or of a [`BatchedIsing`]; a
//! [`SampleSet`] holds them, with energies that the model itself evaluates.
//!
//! | sampler | draws | for |
//! | --- | --- | --- |
//! | [`Portfolio`] | low energies | any model, as much time as there is |
//! | [`SimulatedAnnealing`] | low energies | any model; the choice for a given number of sweeps |
//! | [`Tabu`] | low energies | dense models with fields |
//! | [`ParallelTempering`] | low energies, Boltzmann samples | rugged sparse models |
//! | [`PathIntegral`] | low energies | comparison with quantum annealing |
//! | [`SimulatedBifurcation`] | low energies | comparison; no temperature |
//! | [`GibbsSampler`] | Boltzmann samples | learning |
//! | [`Exact`] | the lowest configurations | up to 30 spins, and tests |
//! | [`SchroedingerSampler`] | what an ideal quantum annealer measures | up to 26 spins, and comparison |
//! | [`Random`], [`AllOn`] | uniform spins, spins up | baselines |
//!
//! [`BlockGibbs`] and [`BlockAnnealing`] are for the [`RookModel`]s and
//! [`BipartiteModel`]s of an attention.
//! [`effective_beta`] estimates the inverse temperature of any samples, and
//! [`check_conformance`] is the contract of `IsingSampler` as a function.

mod all_on;
mod bipartite;
mod chains;
mod conformance;
mod control;
mod exact;
mod gibbs;
mod kernels;
mod mean_field;
mod parallel_tempering;
mod path_integral;
mod portfolio;
mod qubos;
mod random;
mod reads;
mod rook;
mod sample_set;
mod schedule;
mod schroedinger;
mod simulated_annealing;
mod simulated_bifurcation;
mod tabu;
mod temperature;
mod walker;

pub use all_on::AllOn;
pub use bipartite::BipartiteModel;
pub use chains::{Order, Update};
pub use conformance::{NonConformance, check_conformance};
pub use control::{Cancellation, Limits, Progress};
pub use exact::{BoltzmannMoments, Exact};
pub use gibbs::GibbsSampler;
pub use parallel_tempering::ParallelTempering;
pub use path_integral::PathIntegral;
pub use portfolio::Portfolio;
pub use random::Random;
pub use rook::{BlockAnnealing, BlockGibbs, Cardinality, RookModel};
pub use sample_set::{BatchSampleSet, Sample, SampleSet};
pub use schedule::Schedule;
pub use schroedinger::SchroedingerSampler;
pub use simulated_annealing::SimulatedAnnealing;
pub use simulated_bifurcation::{Bifurcation, SimulatedBifurcation};
pub use tabu::Tabu;
pub use temperature::{EffectiveBeta, effective_beta, effective_beta_of_batch};

pub(crate) use mean_field::MeanField;
pub(crate) use qubos::{QuboReads, sample_qubos};

use crate::error::Error;
use crate::ising::{BatchedIsing, Ising};
use std::sync::Arc;

/// Draws spin configurations of Ising models.
///
/// Simulators and clients of devices implement it alike, and must pass [`check_conformance`]. An
/// implementation never substitutes another sampler for itself.
///
/// ```
/// use burn_quantum::annealing::{IsingSampler, Random, Tabu};
/// use burn_quantum::ising::Ising;
///
/// let samplers: [Box<dyn IsingSampler>; 2] = [Box::new(Random::default()), Box::new(Tabu::default())];
/// let model = Ising::sparse(vec![0.0; 2], [(0, 1, -1.0)], 0.0)?;
/// for sampler in samplers {
///     assert_eq!(sampler.sample(&model, 5)?.n_reads(), 5);
/// }
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub trait IsingSampler: std::fmt::Debug + Send + Sync {
    /// Draws `n_reads` samples of one model, or fewer if it is interrupted.
    ///
    /// # Errors
    ///
    /// When no read is asked for, the model does not fit the sampler, or the device does not
    /// answer.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error>;

    /// Draws `n_reads` samples of each model of a batch: by default, of one after the other.
    ///
    /// # Errors
    ///
    /// As [`sample`](Self::sample).
    fn sample_batch(
        &self,
        models: &BatchedIsing<'_>,
        n_reads: usize,
    ) -> Result<BatchSampleSet, Error> {
        reads::check_reads(n_reads)?;
        let sets = (0..models.n_problems()).map(|p| self.sample(&models.problem(p), n_reads));
        Ok(BatchSampleSet::joined(models.n_spins(), sets.collect::<Result<_, _>>()?))
    }

    /// The same sampler with another seed, for layers that want fresh samples in every call.
    /// `None`, the default, is for samplers without a seed, whose samples differ by themselves: a
    /// seeded sampler that does not override this gives a layer the same random numbers each time.
    fn reseeded(&self, _seed: u64) -> Option<Arc<dyn IsingSampler>> {
        None
    }
}
