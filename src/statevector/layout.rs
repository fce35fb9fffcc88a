//! How a batch is laid out in memory, and how its work is cut into pieces.

use super::simd::{Element, Machine};
use rayon::prelude::*;
use std::ops::Range;

/// States of more qubits go one by one: a tile of them would leave the caches.
const MAX_TILED: usize = 12;

/// From so many qubits on, work on one state is cut into pieces that threads can share.
const MIN_CUT: usize = 16;

/// The number of pieces of a large state. It does not depend on the number of threads, so that
/// sums do not either.
const PIECES: usize = 32;

/// Samples that are laid out alike.
#[derive(Debug, Clone)]
pub struct Share {
    pub samples: Range<usize>,
    pub machine: Machine,
}

/// Whole tiles first; the rest one by one, if that is less work than a tile.
pub fn shares<T: Element>(batch: usize, n_qubits: usize) -> Vec<Share> {
    let lanes = Machine::new(false).lanes::<T>();
    let fits_lanes = 1 << n_qubits >= lanes;
    let rest = if n_qubits > MAX_TILED { batch } else { batch % lanes };
    let rest = if rest == batch || 2 * rest < lanes { rest } else { 0 };
    let one_by_one = fits_lanes && (n_qubits > MAX_TILED || 2 * rest < lanes);
    let tiled = if one_by_one { batch - rest } else { batch };
    let share = |samples: Range<usize>, single| Share { samples, machine: Machine::new(single) };
    let all = [share(0..tiled, false), share(tiled..batch, true)];
    all.into_iter().filter(|share| !share.samples.is_empty()).collect()
}

/// How one state is worked on.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    large: bool,
    threads: bool,
}

impl Cut {
    /// For a share of `n_samples` states.
    pub fn new(n_qubits: usize, n_samples: usize) -> Self {
        let large = n_qubits >= MIN_CUT;
        Self { large, threads: large && n_samples < rayon::current_num_threads() }
    }

    /// Whether threads share each state, and samples follow each other.
    pub fn in_state(self) -> bool {
        self.threads
    }

    /// Runs `f` on all of `0..units`.
    pub fn each(self, units: usize, f: impl Fn(Range<usize>) + Sync + Send) {
        match self.threads {
            true => pieces(units).into_par_iter().for_each(f),
            false => f(0..units),
        }
    }

    /// As [`each`](Self::each); every piece adds to sums of its own, which are added to `sums` in
    /// their order.
    pub fn sum<T: Element>(
        self,
        units: usize,
        sums: &mut [T],
        f: impl Fn(Range<usize>, &mut [T]) + Sync + Send,
    ) {
        if !self.large {
            return f(0..units, sums);
        }
        let share = |piece| {
            let mut share = vec![T::zero(); sums.len()];
            f(piece, &mut share);
            share
        };
        let shares: Vec<_> = match self.threads {
            true => pieces(units).into_par_iter().map(share).collect(),
            false => pieces(units).into_iter().map(share).collect(),
        };
        for share in shares {
            sums.iter_mut().zip(share).for_each(|(sum, x)| *sum = *sum + x);
        }
    }
}

fn pieces(units: usize) -> Vec<Range<usize>> {
    let n = units.clamp(1, PIECES);
    (0..n).map(|k| units * k / n..units * (k + 1) / n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_has_one_place() {
        for n_qubits in [1, 3, 4, 8, 12, 13] {
            for batch in 0..70 {
                let shares = shares::<f32>(batch, n_qubits);
                let all: Vec<usize> = shares.iter().flat_map(|s| s.samples.clone()).collect();
                assert_eq!(all, (0..batch).collect::<Vec<_>>());
            }
        }
        assert!(shares::<f32>(100, 13).iter().all(|share| share.machine.single));
        assert!(shares::<f32>(1, 10).iter().all(|share| share.machine.single));
        assert!(shares::<f32>(100, 1).iter().all(|share| !share.machine.single));
    }

    #[test]
    fn pieces_cover_all_units() {
        for units in [0, 1, 5, 31, 32, 33, 1000] {
            let all: Vec<usize> = pieces(units).into_iter().flatten().collect();
            assert_eq!(all, (0..units).collect::<Vec<_>>());
        }
    }
}
