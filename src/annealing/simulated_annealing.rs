//! Simulated annealing.

use super::chains::{BatchChains, Chains, Order, Update};
use super::reads::{Run, chain_options, reseeded, run_options};
use super::{BatchSampleSet, IsingSampler, SampleSet, Schedule};
use crate::error::Error;
use crate::ising::{BatchedIsing, Ising};

/// Single spin flips at a temperature that falls from sweep to sweep.
///
/// Every read is a chain of its own. A sweep updates each spin once by [`Update`], in an [`Order`],
/// at the inverse temperature of its [`Schedule`].
///
/// Sparse models run many reads at once, so a few reads take as long as 64. If their coefficients
/// are small multiples of one number, the random numbers of the acceptance test have 8 bits and an
/// offset that is drawn again for every sweep; [`GibbsSampler`](super::GibbsSampler) never does
/// this.
///
/// ```
/// use burn_quantum::annealing::{IsingSampler, SimulatedAnnealing};
/// use burn_quantum::ising::Ising;
///
/// // A ring of four spins, all of which want to differ from their neighbours.
/// let ring = [(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0), (0, 3, 1.0)];
/// let model = Ising::sparse(vec![0.0; 4], ring, 0.0)?;
/// let set = SimulatedAnnealing::default().with_seed(1).sample(&model, 16)?;
/// assert_eq!(set.first().expect("16 reads").energy, -4.0);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # References
///
/// - [Kirkpatrick, Gelatt and Vecchi (1983)](https://doi.org/10.1126/science.220.4598.671)
/// - [Isakov, Zintchenko, Ronnow and Troyer (2015)](https://arxiv.org/abs/1401.1084), from whom the
///   idea of reads as lanes
#[derive(Debug, Clone)]
pub struct SimulatedAnnealing {
    n_sweeps: usize,
    schedule: Schedule,
    update: Update,
    order: Order,
    initial: Vec<i8>,
    run: Run,
}

impl Default for SimulatedAnnealing {
    fn default() -> Self {
        let (schedule, run) = (Schedule::Automatic, Run::default());
        let (update, order) = (Update::Metropolis, Order::Random);
        Self { n_sweeps: 1000, schedule, update, order, initial: Vec::new(), run }
    }
}

impl SimulatedAnnealing {
    run_options!();

    chain_options!();

    /// The inverse temperatures. Default: [`Schedule::Automatic`]
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// The rule of updates. Default: [`Update::Metropolis`]
    pub fn with_update(mut self, update: Update) -> Self {
        self.update = update;
        self
    }

    /// The order of updates. Default: [`Order::Random`]
    pub fn with_order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }
}

impl IsingSampler for SimulatedAnnealing {
    /// # Errors
    ///
    /// When no read is asked for, the schedule is not valid, or the initial states are not spins of
    /// this model.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        let betas = self.schedule.betas(model, self.n_sweeps)?;
        let chains = Chains {
            run: &self.run,
            betas: &betas,
            update: self.update,
            order: self.order,
            initial: &self.initial,
            tables: true,
            chromatic: false,
        };
        chains.sample(model, n_reads)
    }

    /// One problem in each lane of a register. An automatic schedule runs from `0.5` to `6` over
    /// the root mean square of the problem's local fields, and ends as for one model.
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
            schedule: &self.schedule,
            n_sweeps: self.n_sweeps,
            update: self.update,
            order: self.order,
            initial: &self.initial,
        };
        chains.sample(models, n_reads)
    }

    reseeded!();
}
