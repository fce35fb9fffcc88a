//! Single-spin-flip chains at given temperatures: which kernel runs them, on which threads.

use super::control::Stop;
use super::kernels::{
    self, N_PERMUTATIONS, Xoshiro, batch, dense, integer, multispin, permutations, sparse,
};
use super::reads::{Run, check_reads};
use super::sample_set::{BatchSampleSet, SampleSet, check_spins};
use super::schedule::{Schedule, unit};
use crate::error::{Error, length};
use crate::ising::{BatchedIsing, Ising};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How a spin is updated, given the others.
///
/// With `dE` the change of the energy if it flips.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Update {
    /// Flips with probability `31/32 min(1, exp(-beta dE))`
    /// ([Metropolis et al. 1953](https://doi.org/10.1063/1.1699114)). The factor makes every chain
    /// aperiodic: with `1` in its place, a spin without a field flips at every update, and two
    /// sweeps over a flat landscape give back the start.
    #[default]
    Metropolis,
    /// Flips with probability `1 / (1 + exp(beta dE))`, which draws it anew from its conditional
    /// distribution (heat bath; [Geman and Geman 1984](https://doi.org/10.1109/TPAMI.1984.4767596)).
    Gibbs,
}

/// The order in which a sweep visits the spins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Order {
    /// Random permutations, from a stock of 64 drawn for each run. In models of 128 spins or more,
    /// runs of 2 to 32 neighbours (as many as a vector register holds, in a dense model) stay
    /// together.
    #[default]
    Random,
    /// Ascending.
    Sequential,
}

/// Chains that start independently, one for each read.
#[derive(Debug)]
pub(super) struct Chains<'a> {
    pub run: &'a Run,
    pub betas: &'a [f64],
    pub update: Update,
    pub order: Order,
    /// `[n, n_spins]`: read `r` starts from state `r mod n`. Empty: from random spins.
    pub initial: &'a [i8],
    /// Whether thresholds may come from tables of 256.
    pub tables: bool,
    /// Visits spins of one colour together.
    pub chromatic: bool,
}

/// Up to this size, reads of a dense model are worth a copy of its couplings for each lane.
const MAX_LANE_SPINS: usize = 64;
/// From this density, rows of a matrix are faster than lists of neighbours.
pub(super) const DENSE: f64 = 0.3;

impl Chains<'_> {
    pub fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        check_reads(n_reads)?;
        let n = model.n_spins();
        check_initial(self.initial, n)?;
        let stop = self.run.limits.start(n_reads);
        let mut spins = vec![0; n_reads * n];
        if !self.initial.is_empty() {
            for (k, spin) in spins.iter_mut().enumerate() {
                *spin = self.initial[k % self.initial.len()];
            }
        }
        let kept = match n {
            0 => n_reads,
            _ if model.density() < DENSE => self.sparse(model, &mut spins, &stop),
            _ if n <= MAX_LANE_SPINS => self.reads_in_lanes(model, &mut spins, &stop),
            _ => self.dense(model, &mut spins, &stop),
        };
        spins.truncate(kept * n);
        let set = SampleSet::evaluated(model, spins, kept)
            .with_seed(self.run.seed)
            .with_interrupted(stop.was_stopped());
        Ok(set.with_elapsed(stop.elapsed()))
    }

    fn factors(&self, unit: f64) -> Vec<f32> {
        self.betas.iter().map(|&beta| kernels::threshold_factor(beta / unit)).collect()
    }

    fn orders(&self, n: usize) -> Vec<u32> {
        match self.order {
            Order::Sequential => Vec::new(),
            Order::Random => {
                let mut rng = Xoshiro::new(self.run.seed, !0, !0);
                permutations(n, N_PERMUTATIONS.min(self.betas.len()), &mut rng)
            }
        }
    }

    fn sparse(&self, model: &Ising, spins: &mut [i8], stop: &Stop) -> usize {
        let n = model.n_spins();
        let orders = match self.chromatic {
            true => by_colour(model),
            false => self.orders(n),
        };
        let gibbs = self.update == Update::Gibbs;
        let (seed, stream) = (self.run.seed, self.run.stream);
        if let Some((integers, unit)) = self
            .tables
            .then(|| {
                let integers =
                    |unit| multispin::Integers::new(model.fields(), unit, |i| model.neighbours(i));
                in_units(model, integers)
            })
            .flatten()
        {
            let betas: Vec<f64> = self.betas.iter().map(|beta| beta * unit).collect();
            return blocks(spins, model, multispin::READS, stop, |block, spins| {
                let block = block as u64;
                let (model, betas, orders) = (&integers, &betas, &orders);
                multispin::Block { model, betas, gibbs, orders, seed, stream, block, stop, spins }
                    .run()
            });
        }
        let unit = unit(model.max_abs_coefficient());
        let rows = sparse::Rows::new(model.fields(), unit, |i| model.neighbours(i));
        let (factors, reads) = (self.factors(unit), sparse::block_reads());
        blocks(spins, model, reads, stop, |block, spins| {
            let first_read = (block * reads) as u64;
            let (rows, factors, orders) = (&rows, &factors, &orders);
            pulp::Arch::new().dispatch(sparse::Block {
                rows,
                factors,
                gibbs,
                orders,
                seed,
                stream,
                first_read,
                stop,
                spins,
            })
        })
    }

    fn dense(&self, model: &Ising, spins: &mut [i8], stop: &Stop) -> usize {
        let converted = (!model.is_dense()).then(|| model.to_dense());
        let model = converted.as_ref().unwrap_or(model);
        let row = |i| model.row(i).expect("a dense model has rows");
        let (gibbs, random_order) = (self.update == Update::Gibbs, self.order == Order::Random);
        let (seed, stream) = (self.run.seed, self.run.stream);
        if let Some((matrix, unit)) =
            in_units(model, |u| integer::Matrix::new(model.fields(), u, row))
        {
            let (matrix, factors) = (&matrix, &self.factors(1.0 / unit));
            return blocks(spins, model, 1, stop, |read, spins| {
                let read = read as u64;
                pulp::Arch::new().dispatch(integer::Read {
                    matrix,
                    factors,
                    gibbs,
                    random_order,
                    seed,
                    stream,
                    read,
                    stop,
                    spins,
                })
            });
        }
        let unit = unit(model.max_abs_coefficient());
        let (matrix, factors) =
            (&dense::Matrix::new(model.fields(), unit, row), &self.factors(unit));
        blocks(spins, model, 1, stop, |read, spins| {
            let read = read as u64;
            pulp::Arch::new().dispatch(dense::Read {
                matrix,
                factors,
                gibbs,
                random_order,
                seed,
                stream,
                read,
                stop,
                spins,
            })
        })
    }

    fn reads_in_lanes(&self, model: &Ising, spins: &mut [i8], stop: &Stop) -> usize {
        let (n, lanes) = (model.n_spins(), kernels::lanes());
        let unit = unit(model.max_abs_coefficient());
        let fields: Vec<f32> = model.fields().iter().map(|h| (h * unit) as f32).collect();
        let fields = fields.repeat(lanes);
        let mut couplings = vec![0.0; n * n];
        model.couplings().for_each(|(i, j, value)| couplings[i * n + j] = (value * unit) as f32);
        let (factors, orders) = (self.factors(unit), self.orders(n));
        let ones = vec![1.0; lanes];
        blocks(spins, model, lanes, stop, |block, spins| {
            if block > 0 && stop.now() {
                return 0;
            }
            let reads = spins.len() / n;
            let initial = if self.initial.is_empty() { Vec::new() } else { spins.to_vec() };
            pulp::Arch::new().dispatch(batch::Tile {
                n_spins: n,
                n_reads: 1,
                fields: &fields,
                couplings: &vec![&couplings[..]; reads],
                factors: if stop.now() { &[] } else { &factors },
                scales: &ones[..reads],
                units: &ones[..reads],
                orders: &orders,
                gibbs: self.update == Update::Gibbs,
                seed: kernels::mix(self.run.seed ^ kernels::mix(self.run.stream)),
                first_stream: (block * lanes) as u64,
                initial: &initial,
                spins,
            });
            factors.len()
        })
    }
}

/// A batch of dense models, annealed by one schedule.
#[derive(Debug)]
pub(super) struct BatchChains<'a> {
    pub run: &'a Run,
    /// [`Schedule::Automatic`] is one shape for all problems, times the scale of each.
    pub schedule: &'a Schedule,
    pub n_sweeps: usize,
    pub update: Update,
    pub order: Order,
    /// `[n, n_spins]`: all reads of problem `b` start from state `b mod n`. Empty: random.
    pub initial: &'a [i8],
}

impl BatchChains<'_> {
    pub fn sample(
        &self,
        models: &BatchedIsing<'_>,
        n_reads: usize,
    ) -> Result<BatchSampleSet, Error> {
        check_reads(n_reads)?;
        let (n, n_problems) = (models.n_spins(), models.n_problems());
        check_initial(self.initial, n)?;
        let stop = self.run.limits.start(n_problems * n_reads);
        let betas = self.schedule.fixed(self.n_sweeps)?;
        let factors: Vec<f32> = betas.iter().map(|&b| kernels::threshold_factor(b)).collect();
        let orders = match self.order {
            Order::Sequential => Vec::new(),
            Order::Random => {
                let mut rng = Xoshiro::new(self.run.seed, !0, !0);
                permutations(n, N_PERMUTATIONS.min(betas.len()), &mut rng)
            }
        };
        let lanes = kernels::lanes();
        let mut spins = vec![0; n_problems * n_reads * n];
        let tile = |(tile, spins): (usize, &mut [i8])| {
            let first = tile * lanes;
            let problems = spins.len() / (n_reads * n);
            let mut units = [1.0; kernels::CACHE_LINE];
            let mut scales = [1.0; kernels::CACHE_LINE];
            for l in 0..problems {
                (units[l], scales[l]) = self.scale(models, first + l);
            }
            let initial: Vec<i8> = match self.initial.len() / n {
                0 => Vec::new(),
                states => (first..first + problems)
                    .flat_map(|b| &self.initial[b % states * n..][..n])
                    .copied()
                    .collect(),
            };
            let couplings: Vec<_> =
                (first..first + problems).map(|p| models.couplings_of(p)).collect();
            pulp::Arch::new().dispatch(batch::Tile {
                n_spins: n,
                n_reads,
                fields: &models.fields()[first * n..][..problems * n],
                couplings: &couplings,
                factors: if stop.now() { &[] } else { &factors },
                scales: &scales[..problems],
                units: &units[..problems],
                orders: &orders,
                gibbs: self.update == Update::Gibbs,
                seed: self.run.seed,
                first_stream: self.run.stream.wrapping_add(first as u64),
                initial: &initial,
                spins,
            });
            stop.count(problems * n_reads, f64::INFINITY);
        };
        if n > 0 {
            spins.par_chunks_mut(lanes * n_reads * n).enumerate().for_each(tile);
        }
        let set = BatchSampleSet::new(models, n_reads, spins)?
            .with_seed(self.run.seed)
            .with_interrupted(stop.was_stopped());
        Ok(set.with_elapsed(stop.elapsed()))
    }

    /// The unit of a problem, and by how much its thresholds are larger.
    fn scale(&self, models: &BatchedIsing<'_>, problem: usize) -> (f32, f32) {
        let n = models.n_spins();
        let (h, j) = (models.fields_of(problem), models.couplings_of(problem));
        let max = |values: &[f32]| values.iter().fold(0f32, |max, v| max.max(v.abs()));
        let rows = || (0..n).map(|i| &j[i * n + i + 1..(i + 1) * n]);
        let largest = rows().fold(max(h), |m, row| m.max(max(row)));
        // Powers of two, and none for coefficients of ordinary size.
        let unit = match largest {
            m if m > 1e18 => (-m.log2().ceil()).exp2(),
            m if m < 1e-18 && m > 0.0 => (-m.log2().ceil()).min(120.0).exp2(),
            _ => 1.0,
        };
        if *self.schedule != Schedule::Automatic {
            return (unit, unit);
        }
        let square = |values: &[f32]| values.iter().map(|v| (v * unit) * (v * unit)).sum::<f32>();
        let sum = rows().fold(square(h), |sum, row| sum + 2.0 * square(row));
        (unit, if sum > 0.0 { (sum / n as f32).sqrt() } else { 1.0 })
    }
}

/// Runs blocks of `reads` reads on all threads, and gives the number of reads that were begun, at
/// least one: `work` gives the number of sweeps done.
///
/// Reads that a stop kept from their first sweep are dropped; those before them are complete or
/// stopped on their way.
fn blocks(
    spins: &mut [i8],
    model: &Ising,
    reads: usize,
    stop: &Stop,
    work: impl Fn(usize, &mut [i8]) -> usize + Sync,
) -> usize {
    let n = model.n_spins();
    let n_reads = spins.len() / n;
    let one = |(block, spins): (usize, &mut [i8])| {
        let begun = work(block, spins) > 0 || block == 0 || !stop.was_stopped();
        if begun {
            stop.finished(model, spins.len() / n, spins);
        }
        begun
    };
    let begun: Vec<bool> = spins.par_chunks_mut(reads * n).enumerate().map(one).collect();
    if !stop.was_stopped() {
        return n_reads;
    }
    let mut kept = 0;
    for block in (0..begun.len()).filter(|&block| begun[block]) {
        let (from, to) = (block * reads, ((block + 1) * reads).min(n_reads));
        spins.copy_within(from * n..to * n, kept * n);
        kept += to - from;
    }
    kept
}

/// The model in integers by `try_unit`, and their unit: the least coefficient or half of it.
fn in_units<T>(model: &Ising, try_unit: impl Fn(f64) -> Option<T>) -> Option<(T, f64)> {
    let couplings = model.couplings().map(|(_, _, value)| value.abs());
    let fields = model.fields().iter().map(|h| h.abs()).filter(|&h| h > 0.0);
    let least = fields.chain(couplings).fold(f64::INFINITY, f64::min);
    let units = [least, least / 2.0].into_iter().filter(|unit| unit.is_finite());
    units.into_iter().find_map(|unit| Some((try_unit(unit)?, unit)))
}

/// The spins by the colours of a greedy colouring, highest degrees first.
pub(super) fn by_colour(model: &Ising) -> Vec<u32> {
    let n = model.n_spins();
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(model.neighbours(i as usize).0.len()));
    let mut colours = vec![usize::MAX; n];
    let mut taken = Vec::new();
    for &i in &order {
        taken.clear();
        taken.extend(model.neighbours(i as usize).0.iter().map(|&j| colours[j as usize]));
        taken.sort_unstable();
        taken.dedup();
        let free = taken.iter().enumerate().find(|&(k, &colour)| colour != k);
        colours[i as usize] = free.map_or(taken.len(), |(k, _)| k).min(taken.len());
    }
    for (i, &colour) in colours.iter().enumerate() {
        debug_assert!(model.neighbours(i).0.iter().all(|&j| colours[j as usize] != colour));
    }
    let mut by_colour: Vec<u32> = (0..n as u32).collect();
    by_colour.sort_by_key(|&i| colours[i as usize]);
    by_colour
}

/// Refuses initial states that are not whole states of spins.
pub(super) fn check_initial(initial: &[i8], n_spins: usize) -> Result<(), Error> {
    let states = initial.len().div_ceil(n_spins.max(1));
    length("the initial states", states * n_spins, initial.len())?;
    check_spins(initial)
}
