//! Several searches in turns.

use super::control::Stop;
use super::kernels::mix;
use super::reads::{Run, batch_by_streams, each_read, run_options};
use super::{IsingSampler, Order, ParallelTempering, SampleSet, SimulatedAnnealing, Tabu};
use crate::error::Error;
use crate::ising::Ising;

/// Simulated annealing, tabu search and parallel tempering in turns, longer from time to time: for
/// models of which nothing is known, and as much time as there is.
///
/// A read is one search, and its result the lowest configuration that the search met. On dense
/// models half of the reads are tabu searches; on sparse ones most are anneals, of 64 chains each.
/// The searches of reads 0 to 7 have `n_sweeps` sweeps, those of the next eight twice as many, and
/// so on up to 32 times.
///
/// ```
/// use burn_quantum::annealing::{IsingSampler, Limits, Portfolio};
/// use burn_quantum::ising::Ising;
/// use std::time::Duration;
///
/// let ring = (0..30).map(|i| (i, (i + 1) % 30, 1.0));
/// let model = Ising::sparse(vec![0.0; 30], ring, 0.0)?;
/// let limits = Limits::default().with_time(Duration::from_secs(5)).with_target(-30.0);
/// let set = Portfolio::default().with_limits(limits).sample(&model, 1000)?;
/// assert_eq!(set.first().expect("one read at least").energy, -30.0);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Portfolio {
    n_sweeps: usize,
    run: Run,
}

impl Default for Portfolio {
    fn default() -> Self {
        Self { n_sweeps: 1000, run: Run::default() }
    }
}

#[derive(Debug, Clone, Copy)]
enum Member {
    Annealing,
    Tabu,
    Tempering,
}

const DENSE: [Member; 8] = {
    use Member::{Annealing as A, Tabu as T, Tempering as P};
    [T, A, T, A, T, A, T, P]
};
const SPARSE: [Member; 8] = {
    use Member::{Annealing as A, Tabu as T, Tempering as P};
    [A, A, A, T, A, A, A, P]
};

/// Sweeps grow by at most `2^MAX_LEVEL`.
const MAX_LEVEL: usize = 5;

/// Iterations of tabu search for each sweep of an anneal, and sweeps of an anneal for each of
/// parallel tempering: so all searches take about as long, up to a factor of a few.
const ITERATIONS: usize = 64;
const TEMPERING: usize = 32;

impl Portfolio {
    run_options!();

    /// The number of sweeps of the first eight anneals; the other searches take about as long.
    /// Default: 1000
    pub fn with_n_sweeps(mut self, n_sweeps: usize) -> Self {
        self.n_sweeps = n_sweeps;
        self
    }

    /// One search. It is part of a parallel run, and has its own seed.
    fn read(&self, model: &Ising, r: usize, stop: &Stop) -> Result<SampleSet, Error> {
        let dense = model.density() >= super::chains::DENSE;
        let members = if dense { DENSE } else { SPARSE };
        let n_sweeps = self.n_sweeps.saturating_mul(1 << (r / 8).min(MAX_LEVEL));
        let seed = mix(mix(self.run.seed ^ mix(self.run.stream)) ^ r as u64);
        let limits = stop.limits_of_part();
        match members[r % 8] {
            Member::Annealing => {
                let annealing = SimulatedAnnealing::default().with_n_sweeps(n_sweeps);
                let order = if dense { Order::Random } else { Order::Sequential };
                let n_chains = if dense { 1 } else { 64 };
                let annealing = annealing.with_order(order).with_seed(seed).with_limits(limits);
                annealing.sample(model, n_chains)
            }
            Member::Tabu => {
                let n_iterations = (100 * model.n_spins()).min(n_sweeps.saturating_mul(ITERATIONS));
                let tabu = Tabu::default().with_n_iterations(n_iterations);
                tabu.with_seed(seed).with_limits(limits).sample(model, 1)
            }
            Member::Tempering => {
                let n_sweeps = n_sweeps.div_ceil(TEMPERING);
                let tempering = ParallelTempering::default().with_n_sweeps(n_sweeps);
                tempering.with_seed(seed).with_limits(limits).sample(model, 1)
            }
        }
    }
}

impl IsingSampler for Portfolio {
    /// # Errors
    ///
    /// When no read is asked for.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        each_read(&self.run, model, n_reads, |r, stop| {
            let set = self.read(model, r, stop).expect("default settings are valid");
            set.first().map_or_else(Vec::new, |sample| sample.spins.to_vec())
        })
    }

    batch_by_streams!();
}
