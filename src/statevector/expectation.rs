//! Expectation values of a batch.

use super::bound::Bound;
use super::layout::{self, Share};
use super::worker::Worker;
use super::{Program, Real};
use crate::error::{Error, ErrorKind, length};
use num_complex::Complex as Number;
use rayon::prelude::*;
use std::ops::Range;

impl Program {
    /// `out[b, k] = <psi_b| O_k |psi_b>`, row-major, for `batch` samples.
    ///
    /// `inputs` is `[batch, n_inputs]`, `weights` is `[n_weights]`. Cost
    /// `O(batch * n_operations * 2^n_qubits)`.
    ///
    /// # Errors
    ///
    /// When a slice has another length, or holds NaN or infinity.
    pub fn expectation<T: Real>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
    ) -> Result<Vec<T>, Error> {
        self.check(batch, inputs, weights)?;
        Ok(T::expectation(self, batch, inputs, weights))
    }

    /// The amplitudes of one sample, qubit 0 the least significant bit of the index.
    ///
    /// # Errors
    ///
    /// As [`expectation`](Self::expectation).
    pub fn state<T: Real>(&self, inputs: &[T], weights: &[T]) -> Result<Vec<Number<T>>, Error> {
        self.check(1, inputs, weights)?;
        Ok(T::state(self, inputs, weights))
    }

    pub(super) fn check<T: Real>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
    ) -> Result<(), Error> {
        length("inputs", batch * self.n_inputs, inputs.len())?;
        length("weights", self.n_weights, weights.len())?;
        check_finite("inputs", inputs, self.n_inputs)?;
        check_finite("weights", weights, self.n_weights)
    }
}

/// Refuses NaN and infinity in a `[_, width]` slice, naming the place.
pub(super) fn check_finite<T: Real>(
    name: &'static str,
    values: &[T],
    width: usize,
) -> Result<(), Error> {
    // Without a way out of the loop it runs in lanes.
    if values.iter().fold(true, |finite, x| finite & x.is_finite()) {
        return Ok(());
    }
    let bad = values.iter().position(|x| !x.is_finite()).unwrap_or(0);
    Err(ErrorKind::NotFinite {
        what: format!("{name}[{}, {}]", bad / width, bad % width),
        value: values[bad].as_f64(),
    }
    .into())
}

/// The samples of a share, cut into jobs of whole tiles. A job is the same on any number of threads.
pub(super) fn jobs<T: Real>(bound: &Bound<T>, samples: &Range<usize>) -> Vec<Range<usize>> {
    let tile = if bound.machine.single { 1 } else { bound.lanes };
    let length = tile * (256 >> bound.program.n_qubits).clamp(1, 4);
    let starts = samples.clone().step_by(length);
    starts.map(|start| start..(start + length).min(samples.end)).collect()
}

/// Below so many amplitudes times passes each thread gets one share.
const EVEN_SHARES: usize = 1 << 19;

/// Below so many amplitudes times passes, sharing the work takes longer than doing it: waking a pool
/// from outside costs much more than asking a thread of the same pool.
fn min_parallel() -> usize {
    if rayon::current_thread_index().is_some() { 1 << 15 } else { 1 << 18 }
}

/// Runs `f` on every item with memory to work in, in parallel unless threads share each state.
pub(super) fn for_each_item<'a, T: Real, I: Send, R: Send>(
    bound: &'a Bound<'a, T>,
    share: &Share,
    items: Vec<I>,
    f: impl Fn(&mut Worker<'a, T>, I) -> R + Sync + Send,
) -> Vec<R> {
    let work = (share.samples.len() * bound.program.plan.len()) << bound.program.n_qubits;
    let n_threads = rayon::current_num_threads();
    if bound.cut.in_state() || work < min_parallel() || n_threads == 1 {
        let mut worker = Worker::new(bound);
        return items.into_iter().map(|item| f(&mut worker, item)).collect();
    }
    // Little work is dealt out once, much of it in smaller shares for whoever is free.
    let least = if work < EVEN_SHARES { items.len().div_ceil(n_threads) } else { 1 };
    items.into_par_iter().with_min_len(least).map_init(|| Worker::new(bound), f).collect()
}

/// The rows of `samples`, a tile (or one sample) at a time.
pub(super) fn tiles<T: Real>(
    bound: &Bound<T>,
    samples: Range<usize>,
) -> impl Iterator<Item = Range<usize>> {
    let tile = if bound.machine.single { 1 } else { bound.lanes };
    samples.clone().step_by(tile).map(move |first| first..(first + tile).min(samples.end))
}

/// The elements of a range of rows.
pub(super) fn rows(samples: &Range<usize>, width: usize) -> Range<usize> {
    samples.start * width..samples.end * width
}

/// The inverse of laying samples in lanes: registers of columns to `n` rows.
pub(super) fn gather_rows<T: Real>(registers: &[T], lanes: usize, n: usize, out: &mut Vec<T>) {
    let width = registers.len() / lanes;
    for l in 0..n {
        out.extend((0..width).map(|i| registers[i * lanes + l]));
    }
}

pub(super) fn run<T: Real>(program: &Program, batch: usize, x: &[T], w: &[T]) -> Vec<T> {
    let width = program.n_observables;
    let mut out = Vec::with_capacity(batch * width);
    for share in layout::shares::<T>(batch, program.n_qubits) {
        let bound = Bound::new(program, w, &share);
        let parts = for_each_item(&bound, &share, jobs(&bound, &share.samples), |worker, job| {
            let mut values = vec![T::zero(); width * bound.lanes];
            let mut part = Vec::with_capacity(job.len() * width);
            for tile in tiles(&bound, job) {
                worker.load(&x[rows(&tile, program.n_inputs)]);
                worker.forward();
                worker.measure(&mut values);
                gather_rows(&values, bound.lanes, tile.len(), &mut part);
            }
            part
        });
        out.extend(parts.into_iter().flatten());
    }
    out
}

/// The amplitudes of one sample.
pub(super) fn state<T: Real>(program: &Program, x: &[T], w: &[T]) -> Vec<Number<T>> {
    let share = layout::shares::<T>(1, program.n_qubits).remove(0);
    let bound = Bound::new(program, w, &share);
    let mut worker = Worker::new(&bound);
    worker.load(x);
    worker.forward();
    // Of a tile only the first lane is the sample.
    let n = bound.lanes;
    let taken = if bound.machine.single { n } else { 1 };
    let registers = worker.ket().chunks_exact(2 * n);
    let numbers = registers.flat_map(|r| (0..taken).map(move |l| Number::new(r[l], r[n + l])));
    numbers.collect()
}
