//! What is read out of spin configurations.

use super::pairs;
use crate::annealing::BatchSampleSet;

/// The values read out of a spin configuration: `s_i`, and if wanted `s_i s_j` for `i < j` in
/// lexicographic order after them.
///
/// ```
/// use burn_quantum::gradient::SpinStatistics;
///
/// let statistics = SpinStatistics::spins_and_pairs(3);
/// assert_eq!(statistics.of(&[1, -1, -1]), [1.0, -1.0, -1.0, -1.0, -1.0, 1.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpinStatistics {
    n_spins: usize,
    pairs: bool,
}

impl SpinStatistics {
    /// `s_i` of each spin.
    pub fn spins(n_spins: usize) -> Self {
        Self { n_spins, pairs: false }
    }

    /// `s_i` of each spin, then `s_i s_j` of each pair.
    pub fn spins_and_pairs(n_spins: usize) -> Self {
        Self { n_spins, pairs: true }
    }

    /// The number of spins.
    pub fn n_spins(&self) -> usize {
        self.n_spins
    }

    /// The number of values.
    #[expect(clippy::len_without_is_empty, reason = "a number of outputs, not a container")]
    pub fn len(&self) -> usize {
        let n = self.n_spins;
        if self.pairs { n + n * n.saturating_sub(1) / 2 } else { n }
    }

    /// The values of one configuration.
    pub fn of(&self, spins: &[i8]) -> Vec<f64> {
        let product = |(i, j): (usize, usize)| f64::from(spins[i] * spins[j]);
        let of_pairs = pairs(if self.pairs { self.n_spins } else { 0 }).map(product);
        spins.iter().map(|&s| f64::from(s)).chain(of_pairs).collect()
    }

    /// The means over the reads of each problem, `[n_problems, n_statistics]`.
    pub fn means(&self, samples: &BatchSampleSet) -> Vec<f64> {
        (0..samples.n_problems()).flat_map(|p| self.mean(samples.spins_of(p))).collect()
    }

    /// The means over the rows of `spins`, `[n_reads, n_spins]`.
    pub fn mean(&self, spins: &[i8]) -> Vec<f64> {
        let (n, reads) = (self.n_spins, spins.len() / self.n_spins.max(1));
        let mut sums = vec![0i32; self.len()];
        for s in spins.chunks_exact(n.max(1)) {
            let (of_spins, mut of_pairs) = sums.split_at_mut(n);
            of_spins.iter_mut().zip(s).for_each(|(sum, &s)| *sum += i32::from(s));
            for i in 0..if self.pairs { n } else { 0 } {
                let (row, rest) = of_pairs.split_at_mut(n - i - 1);
                row.iter_mut().zip(&s[i + 1..]).for_each(|(sum, &t)| *sum += i32::from(s[i] * t));
                of_pairs = rest;
            }
        }
        sums.into_iter().map(|sum| f64::from(sum) / reads.max(1) as f64).collect()
    }

    /// `u = sum_k c_k r_k` of a configuration, for values of spins in `[-1, 1]`.
    pub(super) fn project(&self, c: &[f64], spins: &[f64]) -> f64 {
        if !self.pairs {
            return dot(c, spins);
        }
        let slopes = |(i, &s): (usize, &f64)| s * (c[i] + 0.5 * self.pair_slope(c, i, spins));
        spins.iter().enumerate().map(slopes).sum()
    }

    /// `du/ds_i` at values of spins in `[-1, 1]`.
    pub(super) fn slope(&self, c: &[f64], i: usize, spins: &[f64]) -> f64 {
        c[i] + self.pair_slope(c, i, spins)
    }

    /// `sum_j c_ij s_j`.
    fn pair_slope(&self, c: &[f64], i: usize, spins: &[f64]) -> f64 {
        if !self.pairs {
            return 0.0;
        }
        let n = self.n_spins;
        // Row i begins after the rows 0..i of n - 1, n - 2, ... pairs.
        let place = |i: usize, j: usize| n + i * (2 * n - i - 1) / 2 + j - i - 1;
        let before: f64 = (0..i).map(|j| c[place(j, i)] * spins[j]).sum();
        let row = &c[n + i * (2 * n - i - 1) / 2..][..n - i - 1];
        before + row.iter().zip(&spins[i + 1..]).map(|(c, s)| c * s).sum::<f64>()
    }
}

/// Eight sums, which do not wait for each other.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        let products = a.iter().zip(b).map(|(a, b)| a * b);
        sums.iter_mut().zip(products).for_each(|(sum, x)| *sum += x);
    }
    sums.iter().sum()
}
