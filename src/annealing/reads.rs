//! What all samplers share: their options, and runs of many reads or problems on all threads.

use super::control::{Limits, Stop};
use super::kernels::Xoshiro;
use super::sample_set::{BatchSampleSet, SampleSet};
use crate::error::{Error, ErrorKind};
use crate::ising::{BatchedIsing, Ising};
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Seed, stream, and limits, which all samplers have.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    pub seed: u64,
    pub stream: u64,
    pub limits: Limits,
}

/// Methods of every sampler that has a field `run`.
macro_rules! run_options {
    () => {
        /// The seed. The same seed gives the same samples, on any number of threads, within one
        /// version and kind of processor. Default: 0
        pub fn with_seed(mut self, seed: u64) -> Self {
            self.run.seed = seed;
            self
        }

        /// The stream of random numbers of the first problem; problem `b` of a batch has stream
        /// `stream + b`. So this gives the samples of problem `stream` of a batch, alone.
        /// Default: 0
        pub fn with_stream(mut self, stream: u64) -> Self {
            self.run.stream = stream;
            self
        }

        /// When to stop early, and whom to tell. Default: never, and nobody
        pub fn with_limits(mut self, limits: crate::annealing::Limits) -> Self {
            self.run.limits = limits;
            self
        }

        /// Stops after this time, with what was found.
        pub fn with_time_limit(mut self, time: std::time::Duration) -> Self {
            self.run.limits = self.run.limits.with_time(time);
            self
        }

        /// Stops when this is switched, with what was found.
        pub fn with_cancellation(mut self, switch: crate::annealing::Cancellation) -> Self {
            self.run.limits = self.run.limits.with_cancellation(switch);
            self
        }
    };
}
pub(super) use run_options;

/// Methods of samplers whose reads are [`Chains`](super::chains::Chains).
macro_rules! chain_options {
    () => {
        /// The number of sweeps of each read. Default: 1000
        pub fn with_n_sweeps(mut self, n_sweeps: usize) -> Self {
            self.n_sweeps = n_sweeps;
            self
        }

        /// States to start from, `[n, n_spins]`, which the reads of a model, or the problems of a
        /// batch, take in turns. Default: none, which means random spins
        pub fn with_initial_states(mut self, spins: Vec<i8>) -> Self {
            self.initial = spins;
            self
        }
    };
}
pub(super) use chain_options;

/// The seed of a sampler that has a field `run`.
macro_rules! reseeded {
    () => {
        fn reseeded(&self, seed: u64) -> Option<std::sync::Arc<dyn IsingSampler>> {
            Some(std::sync::Arc::new(self.clone().with_seed(seed)))
        }
    };
}
pub(super) use reseeded;

/// Problems one by one on all threads, each with its own stream.
macro_rules! batch_by_streams {
    () => {
        /// Samples the models one by one, each with its own stream.
        ///
        /// # Errors
        ///
        /// As [`sample`](Self::sample).
        fn sample_batch(
            &self,
            models: &crate::ising::BatchedIsing<'_>,
            n_reads: usize,
        ) -> Result<crate::annealing::BatchSampleSet, Error> {
            let sample = |run, model: &Ising| {
                let mut sampler = self.clone();
                sampler.run = run;
                sampler.sample(model, n_reads)
            };
            crate::annealing::reads::problem_by_problem(&self.run, models, n_reads, sample)
        }

        crate::annealing::reads::reseeded!();
    };
}
pub(super) use batch_by_streams;

/// See [`batch_by_streams`]. Limits hold for all problems together.
pub(super) fn problem_by_problem(
    run: &Run,
    models: &BatchedIsing<'_>,
    n_reads: usize,
    sample: impl Fn(Run, &Ising) -> Result<SampleSet, Error> + Sync,
) -> Result<BatchSampleSet, Error> {
    check_reads(n_reads)?;
    let start = Instant::now();
    let limits = run.limits.running();
    let one = |b: usize| {
        let stream = run.stream.wrapping_add(b as u64);
        sample(Run { seed: run.seed, stream, limits: limits.clone() }, &models.problem(b))
    };
    let sets: Result<_, Error> = (0..models.n_problems()).into_par_iter().map(one).collect();
    let set = BatchSampleSet::joined(models.n_spins(), sets?);
    Ok(set.with_elapsed(start.elapsed()).with_seed(run.seed))
}

/// Reads one by one on all threads, in their order: `read(r, stop)` gives the spins of read `r`.
///
/// The first read is always there; others are left out if they have not begun when the run stops.
pub(super) fn each_read(
    run: &Run,
    model: &Ising,
    n_reads: usize,
    read: impl Fn(usize, &Stop) -> Vec<i8> + Sync,
) -> Result<SampleSet, Error> {
    check_reads(n_reads)?;
    let stop = run.limits.start(n_reads);
    let next = AtomicUsize::new(0);
    let one = || {
        let r = next.fetch_add(1, Ordering::Relaxed);
        if r >= n_reads || r > 0 && stop.now() {
            return None;
        }
        let spins = read(r, &stop);
        stop.finished(model, 1, &spins);
        Some((r, spins))
    };
    let workers = rayon::current_num_threads().min(n_reads);
    let workers = (0..workers).into_par_iter().with_max_len(1);
    let mut found: Vec<_> = workers.flat_map_iter(|_| std::iter::from_fn(one)).collect();
    found.sort_unstable_by_key(|&(r, _)| r);
    let spins = found.iter().flat_map(|(_, spins)| spins).copied().collect();
    let set = SampleSet::evaluated(model, spins, found.len());
    let set = set.with_seed(run.seed).with_interrupted(stop.was_stopped());
    Ok(set.with_elapsed(stop.elapsed()))
}

/// [`each_read`] with its own stream of random numbers: `read(rng, stop)`.
pub(super) fn independent_reads(
    run: &Run,
    model: &Ising,
    n_reads: usize,
    read: impl Fn(&mut Xoshiro, &Stop) -> Vec<i8> + Sync,
) -> Result<SampleSet, Error> {
    each_read(run, model, n_reads, |r, stop| {
        read(&mut Xoshiro::new(run.seed, run.stream, r as u64), stop)
    })
}

pub(super) fn check_reads(n_reads: usize) -> Result<(), Error> {
    if n_reads > 0 {
        return Ok(());
    }
    let (what, value) = ("the number of reads".into(), 0.0);
    Err(ErrorKind::OutOfRange { what, value, range: "one or more" }.into())
}
