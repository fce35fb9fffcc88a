//! Boltzmann samples at a fixed temperature.

use super::chains::{BatchChains, Chains, Order, Update};
use super::reads::{Run, chain_options, reseeded, run_options};
use super::{BatchSampleSet, IsingSampler, SampleSet, Schedule};
use crate::error::Error;
use crate::ising::{BatchedIsing, Ising};

/// Heat-bath updates at one inverse temperature: `p(s) ~ exp(-beta E(s))` after enough sweeps.
///
/// Every read is a chain of its own from a random start, so reads are independent, and none is
/// thrown away (for persistent chains, let one call start from the samples of the one before). At
/// strong couplings a chain needs many sweeps to forget its start: compare the
/// results of `n` and `2 n` sweeps. Sparse models are updated colour by colour of a greedy
/// colouring, where the spins of one colour do not see each other.
///
/// ```
/// use burn_quantum::annealing::{GibbsSampler, IsingSampler};
/// use burn_quantum::ising::Ising;
///
/// // One spin: <s> = -tanh(beta h).
/// let model = Ising::sparse(vec![0.5], [], 0.0)?;
/// let mean = GibbsSampler::new(2.0).with_seed(1).sample(&model, 10_000)?.mean_spins()[0];
/// assert!((mean + 1f64.tanh()).abs() < 0.03);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # References
///
/// - [Geman and Geman (1984)](https://doi.org/10.1109/TPAMI.1984.4767596)
#[derive(Debug, Clone)]
pub struct GibbsSampler {
    beta: f64,
    n_sweeps: usize,
    initial: Vec<i8>,
    run: Run,
}

impl GibbsSampler {
    /// A sampler at this inverse temperature.
    pub fn new(beta: f64) -> Self {
        Self { beta, n_sweeps: 1000, initial: Vec::new(), run: Run::default() }
    }

    run_options!();

    chain_options!();
}

impl IsingSampler for GibbsSampler {
    /// # Errors
    ///
    /// When no read is asked for, `beta` is negative, NaN or infinite, or the initial states are
    /// not spins of this model.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        let betas = Schedule::constant(self.beta).betas(model, self.n_sweeps)?;
        let chains = Chains {
            run: &self.run,
            betas: &betas,
            update: Update::Gibbs,
            order: Order::Random,
            initial: &self.initial,
            tables: false,
            chromatic: true,
        };
        chains.sample(model, n_reads)
    }

    /// One problem in each lane of a register.
    ///
    /// # Errors
    ///
    /// As [`sample`](Self::sample).
    fn sample_batch(
        &self,
        models: &BatchedIsing<'_>,
        n_reads: usize,
    ) -> Result<BatchSampleSet, Error> {
        let chains = BatchChains {
            run: &self.run,
            schedule: &Schedule::constant(self.beta),
            n_sweeps: self.n_sweeps,
            update: Update::Gibbs,
            order: Order::Random,
            initial: &self.initial,
        };
        chains.sample(models, n_reads)
    }

    reseeded!();
}
