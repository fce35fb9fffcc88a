//! Every spin up.

use super::reads::check_reads;
use super::{BatchSampleSet, IsingSampler, SampleSet};
use crate::error::Error;
use crate::ising::{BatchedIsing, Ising};

/// Every spin `+1` in every read, whatever the model: the other baseline, beside
/// [`Random`](super::Random). A layer that learns as well with it has no use for its sampler.
///
/// ```
/// use burn_quantum::annealing::{AllOn, IsingSampler};
/// use burn_quantum::ising::Ising;
///
/// let set = AllOn.sample(&Ising::sparse(vec![1.0, -2.0], [], 0.0)?, 3)?;
/// assert_eq!((set.spins(), set.energies()), (&[1; 6][..], &[-1.0; 3][..]));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct AllOn;

impl IsingSampler for AllOn {
    /// # Errors
    ///
    /// When no read is asked for.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        check_reads(n_reads)?;
        Ok(SampleSet::evaluated(model, vec![1; n_reads * model.n_spins()], n_reads))
    }

    /// # Errors
    ///
    /// As [`sample`](Self::sample).
    fn sample_batch(
        &self,
        models: &BatchedIsing<'_>,
        n_reads: usize,
    ) -> Result<BatchSampleSet, Error> {
        check_reads(n_reads)?;
        let spins = vec![1; models.n_problems() * n_reads * models.n_spins()];
        BatchSampleSet::new(models, n_reads, spins)
    }
}
