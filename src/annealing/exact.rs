//! Exact enumeration.

use super::control::Limits;
use super::reads::check_reads;
use super::walker::Walker;
use super::{IsingSampler, SampleSet};
use crate::error::{Error, ErrorKind};
use crate::ising::Ising;
use rayon::prelude::*;

/// The lowest configurations, by visiting all `2^n_spins` in the order of a Gray code, in which
/// neighbours differ by one flip.
///
/// `n_reads` reads are the `n_reads` lowest configurations in ascending order, or all of them if
/// there are fewer. Those of equal energy come in the order of their bits (`-1` is a one, spin 0 the
/// least significant).
///
/// ```
/// use burn_quantum::annealing::{Exact, IsingSampler};
/// use burn_quantum::ising::Ising;
///
/// let model = Ising::sparse(vec![0.0; 2], [(0, 1, 1.0)], 0.0)?;
/// let set = Exact::default().sample(&model, 3)?;
/// assert_eq!(set.energies(), [-1.0, -1.0, 1.0]);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # References
///
/// - Gray, "Pulse code communication", US patent 2632058 (1953)
#[derive(Debug, Clone, Default)]
pub struct Exact {
    limits: Limits,
}

/// The moments of the Boltzmann distribution `p(s) = exp(-beta E(s)) / Z` of a model.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BoltzmannMoments {
    /// `ln Z`, with the offset of the model.
    pub log_partition: f64,
    /// `<E>`
    pub mean_energy: f64,
    /// `<s_i>`, `[n_spins]`
    pub mean_spins: Vec<f64>,
    /// `<s_i s_j>`, `[n_spins, n_spins]`
    pub correlations: Vec<f64>,
}

impl Exact {
    /// The largest number of spins.
    pub const MAX_SPINS: usize = 30;

    /// When to stop early, with the lowest configurations so far. Default: never
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The exact moments at an inverse temperature.
    ///
    /// # Errors
    ///
    /// When there are more than [`MAX_SPINS`](Self::MAX_SPINS) spins, or `beta` is negative, NaN or
    /// infinite.
    pub fn moments(model: &Ising, beta: f64) -> Result<BoltzmannMoments, Error> {
        super::schedule::check_beta(beta)?;
        check_size(model)?;
        let n = model.n_spins();
        let ground = Self::default().sample(model, 1)?.energies()[0] - model.offset();
        // Weights relative to the ground state, so that none overflows.
        let part = |mut walk: Walk| {
            let mut sums = vec![0.0; 2 + n + n * n];
            while let Some(walker) = walk.next() {
                let weight = (-beta * (walker.energy - ground)).exp();
                sums[0] += weight;
                sums[1] += weight * walker.energy;
                for i in 0..n {
                    let of_i = weight * f64::from(walker.spins[i]);
                    sums[2 + i] += of_i;
                    let row = &mut sums[2 + n + i * n..][..n];
                    row.iter_mut()
                        .zip(&walker.spins)
                        .for_each(|(to, &s)| *to += of_i * f64::from(s));
                }
            }
            sums
        };
        let parts: Vec<Vec<f64>> = walks(model).map(part).collect();
        let mut sums = vec![0.0; 2 + n + n * n];
        parts.iter().for_each(|part| sums.iter_mut().zip(part).for_each(|(to, x)| *to += x));
        let z = sums[0];
        sums.iter_mut().for_each(|x| *x /= z);
        Ok(BoltzmannMoments {
            log_partition: z.ln() - beta * (ground + model.offset()),
            mean_energy: sums[1] + model.offset(),
            mean_spins: sums[2..2 + n].to_vec(),
            correlations: sums[2 + n..].to_vec(),
        })
    }
}

fn check_size(model: &Ising) -> Result<(), Error> {
    let (given, limit) = (model.n_spins(), Exact::MAX_SPINS);
    if given <= limit {
        return Ok(());
    }
    Err(ErrorKind::TooManyVariables {
        given,
        limit,
        what: "spins",
        method: "exact enumeration",
        remedy: "use simulated annealing or tabu search",
    }
    .into())
}

/// The configurations whose highest bits are fixed.
struct Walk<'a> {
    walker: Walker<'a>,
    n_free: usize,
    step: u64,
}

/// Energies drift by rounding, so they are summed again after so many steps.
const REFRESH: u64 = 1 << 12;

impl<'a> Walk<'a> {
    fn new(model: &'a Ising, n_free: usize, high: u64) -> Self {
        let spin = |i: usize| 1 - 2 * (high << n_free >> i & 1) as i8;
        let walker = Walker::new(model, (0..model.n_spins()).map(spin).collect());
        Self { walker, n_free, step: 0 }
    }

    fn next(&mut self) -> Option<&Walker<'a>> {
        let step = self.step;
        if step >> self.n_free != 0 {
            return None;
        }
        self.step += 1;
        if step > 0 {
            self.walker.flip(step.trailing_zeros() as usize);
            if step.is_multiple_of(REFRESH) {
                self.walker.refresh();
            }
        }
        Some(&self.walker)
    }
}

fn walks(model: &Ising) -> impl IndexedParallelIterator<Item = Walk<'_>> {
    let n_fixed = model.n_spins().saturating_sub(12).min(8);
    let n_free = model.n_spins() - n_fixed;
    (0..1usize << n_fixed).into_par_iter().map(move |high| Walk::new(model, n_free, high as u64))
}

fn bits(spins: &[i8]) -> u64 {
    spins.iter().enumerate().fold(0, |bits, (i, &s)| bits | u64::from(s < 0) << i)
}

impl IsingSampler for Exact {
    /// # Errors
    ///
    /// When there are more than [`MAX_SPINS`](Self::MAX_SPINS) spins, or no read is asked for.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        check_reads(n_reads)?;
        check_size(model)?;
        let n = model.n_spins();
        let n_kept = n_reads.min(1 << n);
        let stop = self.limits.start(n_kept);
        let lowest = |mut found: Vec<(f64, u64)>| {
            found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            found.truncate(n_kept);
            found
        };
        let part = |mut walk: Walk| {
            let (mut found, mut limit) = (Vec::new(), f64::INFINITY);
            while let Some(walker) = walk.next() {
                if walker.energy <= limit {
                    found.push((walker.energy, bits(&walker.spins)));
                    if found.len() >= 2 * n_kept + 64 {
                        found = lowest(found);
                        // Energies that differ by rounding must not lose a tie.
                        limit = found[n_kept - 1].0;
                        limit += 1e-9 * limit.abs();
                    }
                }
                if walk.step.is_multiple_of(REFRESH) && stop.now() {
                    break;
                }
            }
            lowest(found)
        };
        let parts: Vec<Vec<(f64, u64)>> = walks(model).map(part).collect();
        let spins = |bits: u64| (0..n).map(move |i| 1 - 2 * (bits >> i & 1) as i8);
        // Once more with the energies of the model, which have no drift.
        let evaluated = |(_, bits)| {
            let spins: Vec<i8> = spins(bits).collect();
            (model.energy(&spins), bits)
        };
        let found = lowest(parts.into_iter().flatten().map(evaluated).collect());
        let all = found.iter().flat_map(|&(_, bits)| spins(bits)).collect();
        let lowest = found.first().map_or(f64::INFINITY, |&(energy, _)| energy);
        stop.count(found.len(), lowest);
        let set = SampleSet::evaluated(model, all, found.len());
        Ok(set.with_interrupted(stop.was_stopped()).with_elapsed(stop.elapsed()))
    }
}
