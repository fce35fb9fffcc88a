//! Covariances of the samples.

use super::{IsingGradient, OneGradient, Problem, SampledModels};
use rayon::prelude::*;

/// Problems that share their couplings are summed by so many, whatever the number of threads.
const GROUP: usize = 32;

/// Sums that stay in registers while all samples pass by.
const LANES: usize = 16;

/// The gradient of all problems, which takes no memory for each of those that share couplings.
pub(super) fn of_all(sampled: &SampledModels<'_>, cotangent: &[f64]) -> IsingGradient {
    let (n, n_problems) = (sampled.models.n_spins(), sampled.models.n_problems());
    let mut couplings = vec![0.0; sampled.models.couplings().len()];
    let mut fields = vec![0.0; n_problems * n];
    if fields.is_empty() {
        return IsingGradient { fields, couplings };
    }
    let size = sampled.models.group_size();
    let part = size.min(GROUP);
    let sums_of_part = |(first, fields): (usize, &mut [f64])| {
        let mut sums = vec![0.0; n * n.next_multiple_of(LANES)];
        for (k, fields) in fields.chunks_exact_mut(n).enumerate() {
            add_problem(&sampled.problem(cotangent, first + k), fields, &mut sums);
        }
        (first / size, sums)
    };
    // The last part of a group may be smaller.
    let parts = fields.chunks_mut(size * n).enumerate().flat_map(|(g, fields)| {
        let parts = fields.chunks_mut(part * n).enumerate();
        parts.map(move |(k, fields)| (g * size + k * part, fields))
    });
    let parts: Vec<_> = parts.collect();
    let parts = parts.into_par_iter().with_min_len(sampled.min_problems().div_ceil(part));
    let sums: Vec<_> = parts.map(sums_of_part).collect();
    for (g, sums) in &sums {
        let rows = couplings[g * n * n..][..n * n].chunks_exact_mut(n);
        for (i, (row, sums)) in rows.zip(sums.chunks_exact(sums.len() / n)).enumerate() {
            let above = row.iter_mut().zip(sums).skip(i + 1);
            above.for_each(|(sum, x)| *sum += x);
        }
    }
    IsingGradient { fields, couplings }
}

/// Adds the gradient of a problem: by its fields, and by the couplings `[n, n]` in rows that are
/// rounded up to whole blocks, of which only those above the diagonal mean something.
fn add_problem(problem: &Problem<'_>, fields: &mut [f64], couplings: &mut [f64]) {
    let (weights, spins) = weighted(problem);
    pulp::Arch::new().dispatch(Products { weights: &weights, spins: &spins, fields, couplings });
}

/// Adds the spins of all samples, times their weights, and the products of two.
struct Products<'a> {
    weights: &'a [f64],
    /// `[n_reads, n]`, in rows of whole blocks.
    spins: &'a [f64],
    /// `[n]`.
    fields: &'a mut [f64],
    /// `[n, n]`, likewise.
    couplings: &'a mut [f64],
}

impl pulp::WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let width = self.fields.len().next_multiple_of(LANES);
        let samples = || self.weights.iter().zip(self.spins.chunks_exact(width));
        for (weight, s) in samples() {
            self.fields.iter_mut().zip(s).for_each(|(sum, s)| *sum += weight * s);
        }
        for (i, row) in self.couplings.chunks_exact_mut(width).enumerate() {
            let (blocks, _) = row.as_chunks_mut::<LANES>();
            for (block, sums) in blocks.iter_mut().enumerate().skip((i + 1) / LANES) {
                let mut products = [0.0; LANES];
                for (weight, s) in samples() {
                    let weight = weight * s[i];
                    let s = &s[block * LANES..][..LANES];
                    products.iter_mut().zip(s).for_each(|(sum, s)| *sum += weight * s);
                }
                sums.iter_mut().zip(products).for_each(|(sum, x)| *sum += x);
            }
        }
    }
}

/// The gradient of one problem and the variances of its numbers, `sum_s (t_s - g)^2 / (S (S - 1))`, where the mean
/// of the terms `t_s` is the gradient `g`.
pub(super) fn with_variance(problem: &Problem<'_>) -> (OneGradient, OneGradient) {
    let reads = (problem.spins.len() / problem.n.max(1)) as f64;
    // A term is `S` times a weight times a product of spins, whose square is 1.
    let (mut sum, mut squares) = (OneGradient::zero(problem.n), 0.0);
    each_term(problem, |weight, spins| {
        add(&mut sum, weight, spins);
        squares += (reads * weight).powi(2);
    });
    let mut variance = sum.clone();
    let of = |g: &mut f64| *g = (squares - reads * *g * *g).max(0.0) / (reads * (reads - 1.0));
    variance.numbers_mut().for_each(of);
    (sum, variance)
}

/// Calls `term` with the weight and the spins of each sample.
fn each_term(problem: &Problem<'_>, mut term: impl FnMut(f64, &[f64])) {
    let (weights, spins) = weighted(problem);
    let samples = spins.chunks_exact(problem.n.next_multiple_of(LANES).max(1));
    weights.iter().zip(samples).for_each(|(w, s)| term(*w, &s[..problem.n]));
}

/// `-beta (u_s - mean u) / (S - 1)` of each sample, and all spins, in rows of whole blocks.
fn weighted(problem: &Problem<'_>) -> (Vec<f64>, Vec<f64>) {
    let (n, width) = (problem.n, problem.n.next_multiple_of(LANES));
    let reads = problem.spins.len() / n.max(1);
    let mut spins = vec![0.0; reads * width];
    let mut u = Vec::with_capacity(reads);
    for (row, s) in spins.chunks_exact_mut(width.max(1)).zip(problem.spins.chunks_exact(n.max(1))) {
        row.iter_mut().zip(s).for_each(|(wide, &s)| *wide = s.into());
        u.push(problem.statistics.project(problem.cotangent, &row[..n]));
    }
    let mean = u.iter().sum::<f64>() / reads as f64;
    let scale = -problem.beta / (reads as f64 - 1.0);
    u.iter_mut().for_each(|u| *u = scale * (*u - mean));
    (u, spins)
}

fn add(sum: &mut OneGradient, weight: f64, s: &[f64]) {
    sum.fields.iter_mut().zip(s).for_each(|(sum, s)| *sum += weight * s);
    let mut rest = &mut sum.pairs[..];
    for i in 0..s.len() {
        let (row, others) = rest.split_at_mut(s.len() - i - 1);
        let weight = weight * s[i];
        row.iter_mut().zip(&s[i + 1..]).for_each(|(sum, s)| *sum += weight * s);
        rest = others;
    }
}
