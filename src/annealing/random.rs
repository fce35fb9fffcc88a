//! Uniform spins.

use super::reads::{Run, batch_by_streams, independent_reads, run_options};
use super::walker::random_spins;
use super::{IsingSampler, SampleSet};
use crate::error::Error;
use crate::ising::Ising;

/// Independent spins, `+1` or `-1` with equal probability: the baseline that any sampler must beat.
///
/// ```
/// use burn_quantum::annealing::{IsingSampler, Random};
/// use burn_quantum::ising::Ising;
///
/// let set = Random::default().with_seed(3).sample(&Ising::sparse(vec![1.0; 8], [], 0.0)?, 100)?;
/// assert!(set.mean_energy().abs() < 4.0 * (8f64 / 100.0).sqrt());
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Random {
    run: Run,
}

impl Random {
    run_options!();
}

impl IsingSampler for Random {
    /// # Errors
    ///
    /// When no read is asked for.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        let n = model.n_spins();
        independent_reads(&self.run, model, n_reads, |rng, _| random_spins(n, rng))
    }

    batch_by_streams!();
}
