//! Tabu search.

use super::control::Stop;
use super::kernels::Xoshiro;
use super::reads::{Run, batch_by_streams, independent_reads, run_options};
use super::walker::Walker;
use super::{IsingSampler, SampleSet};
use crate::error::Error;
use crate::ising::Ising;

/// Iterated tabu search: always the best flip that is not forbidden, even if it raises the energy.
///
/// A spin that flipped is forbidden for `tenure` iterations and a few more at random, unless its
/// flip gives the best energy so far. When the best energy of a phase has stalled, the search
/// continues from the best configuration with some of its spins flipped at random. An iteration
/// costs `n_spins`, so this is for dense models of up to a few thousand spins.
///
/// ```
/// use burn_quantum::annealing::{IsingSampler, Tabu};
/// use burn_quantum::ising::Ising;
///
/// let model = Ising::sparse(vec![0.1; 3], [(0, 1, 1.0), (1, 2, 1.0), (0, 2, 1.0)], 0.0)?;
/// let set = Tabu::default().sample(&model, 4)?;
/// assert!((set.mean_energy() + 1.1).abs() < 1e-12); // all reads found the ground state
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # References
///
/// - [Glover (1989)](https://doi.org/10.1287/ijoc.1.3.190)
/// - [Palubeckis (2006)](https://doi.org/10.15388/Informatica.2006.138), iterated tabu search for
///   QUBO; our perturbation flips random spins, his prefers those with small losses
#[derive(Debug, Clone, Default)]
pub struct Tabu {
    n_iterations: Option<usize>,
    tenure: Option<usize>,
    run: Run,
}

impl Tabu {
    run_options!();

    /// The number of iterations of each read. Default: 100 for each spin, at least 1000
    pub fn with_n_iterations(mut self, n_iterations: usize) -> Self {
        self.n_iterations = Some(n_iterations);
        self
    }

    /// For how many iterations a flipped spin is forbidden. Default: a quarter of the spins, at
    /// most 20
    pub fn with_tenure(mut self, tenure: usize) -> Self {
        self.tenure = Some(tenure);
        self
    }

    fn read(&self, model: &Ising, rng: &mut Xoshiro, stop: &Stop) -> Vec<i8> {
        let n = model.n_spins();
        let mut walker = Walker::random(model, rng);
        if n == 0 {
            return walker.spins;
        }
        let tenure = self.tenure.unwrap_or((n / 4).min(20)).min(n - 1);
        let n_iterations = self.n_iterations.unwrap_or((100 * n).max(1000));
        let patience = (5 * n).max(100);
        let (mut best, mut best_energy) = (walker.spins.clone(), walker.energy);
        let (mut phase_energy, mut stalled) = (walker.energy, 0);
        let mut allowed = vec![0usize; n];
        for iteration in 0..n_iterations {
            if iteration.is_multiple_of(64) && stop.now() {
                break;
            }
            if stalled > patience {
                walker = Walker::new(model, best.clone());
                for _ in 0..(n / 8).clamp(1, 100) {
                    walker.flip(rng.below(n));
                }
                allowed.fill(0);
                (phase_energy, stalled) = (walker.energy, 0);
            }
            let (mut free, mut any) = ((f64::NEG_INFINITY, 0), (f64::NEG_INFINITY, 0));
            for (i, &from) in allowed.iter().enumerate() {
                let alignment = walker.alignment(i);
                if alignment > any.0 {
                    any = (alignment, i);
                }
                if from <= iteration && alignment > free.0 {
                    free = (alignment, i);
                }
            }
            let improves = walker.energy - 2.0 * any.0 < best_energy;
            let (alignment, i) = if improves { any } else { free };
            // Nothing is free: only with a tenure of nearly all spins.
            if alignment > f64::NEG_INFINITY {
                walker.flip(i);
                allowed[i] = iteration + 1 + tenure + rng.below(tenure / 2 + 2);
            }
            if walker.energy < phase_energy {
                (phase_energy, stalled) = (walker.energy, 0);
            } else {
                stalled += 1;
            }
            if walker.energy < best_energy {
                best_energy = walker.energy;
                best.copy_from_slice(&walker.spins);
                if stop.is_target(best_energy + model.offset()) {
                    break;
                }
            }
        }
        best
    }
}

impl IsingSampler for Tabu {
    /// Each read is the best configuration of its own search.
    ///
    /// # Errors
    ///
    /// When no read is asked for.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        independent_reads(&self.run, model, n_reads, |rng, stop| self.read(model, rng, stop))
    }

    batch_by_streams!();
}
