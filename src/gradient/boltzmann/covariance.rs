//! Covariances of the samples.

use super::{IsingGradient, OneGradient, Problem, SampledModels};
use rayon::prelude::*;

/// Problems that share their couplings are summed by so many, whatever the number of threads.
const GROUP: usize = 32;

/// The gradient of all problems, which takes no memory for each of those that share couplings.
pub(super) fn of_all(sampled: &SampledModels<'_>, cotangent: &[f64]) -> IsingGradient {
    let (n, n_problems) = (sampled.models.n_spins(), sampled.models.n_problems());
    let mut couplings = vec![0.0; sampled.models.couplings().len()];
    let mut fields = vec![0.0; n_problems * n];
    if fields.is_empty() {
        return IsingGradient { fields, couplings };
    }
    let add = |(p, fields, sums): (usize, &mut [f64], &mut [f64])| {
        add_problem(&sampled.problem(cotangent, p), fields, sums);
    };
    if !sampled.models.is_shared() {
        let parts = fields.par_chunks_mut(n).zip(couplings.par_chunks_mut(n * n)).enumerate();
        let parts = parts.with_min_len(sampled.min_problems());
        parts.for_each(|(p, (fields, sums))| add((p, fields, sums)));
        return IsingGradient { fields, couplings };
    }
    let groups = fields.par_chunks_mut(GROUP * n).enumerate();
    let sum_of_group = |(group, fields): (usize, &mut [f64])| {
        let mut sums = vec![0.0; n * n];
        let problems = fields.chunks_exact_mut(n).enumerate();
        problems.for_each(|(k, fields)| add((group * GROUP + k, fields, &mut sums)));
        sums
    };
    let min_groups = sampled.min_problems().div_ceil(GROUP);
    let sums: Vec<_> = groups.with_min_len(min_groups).map(sum_of_group).collect();
    for sums in sums {
        couplings.iter_mut().zip(sums).for_each(|(sum, x)| *sum += x);
    }
    IsingGradient { fields, couplings }
}

/// Adds the gradient of a problem to that of its fields, and to the couplings above the diagonal.
fn add_problem(problem: &Problem<'_>, fields: &mut [f64], couplings: &mut [f64]) {
    let n = problem.n;
    let (weights, spins) = weighted(problem);
    let samples = || weights.iter().zip(spins.chunks_exact(n));
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for (weight, s) in samples() {
                fields.iter_mut().zip(s).for_each(|(sum, s)| *sum += weight * s);
            }
            for (i, row) in couplings.chunks_exact_mut(n).enumerate() {
                for (weight, s) in samples() {
                    let weight = weight * s[i];
                    let row = row[i + 1..].iter_mut().zip(&s[i + 1..]);
                    row.for_each(|(sum, s)| *sum += weight * s);
                }
            }
        },
    );
}

/// `-beta Cov(u, s_i)` and `-beta Cov(u, s_i s_j)`.
pub(super) fn gradient(problem: &Problem<'_>) -> OneGradient {
    let mut sum = OneGradient::zero(problem.n);
    each_term(problem, |weight, spins| add(&mut sum, weight, spins));
    sum
}

/// The gradient and the variances of its numbers, `sum_s (t_s - g)^2 / (S (S - 1))`, where the mean
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
    weights.iter().zip(spins.chunks_exact(problem.n.max(1))).for_each(|(w, s)| term(*w, s));
}

/// `-beta (u_s - mean u) / (S - 1)` of each sample, and all spins.
fn weighted(problem: &Problem<'_>) -> (Vec<f64>, Vec<f64>) {
    let reads = problem.spins.len() / problem.n.max(1);
    let spins: Vec<f64> = problem.spins.iter().map(|&s| s.into()).collect();
    let of_sample = |s: &[f64]| problem.statistics.project(problem.cotangent, s);
    let mut u: Vec<f64> = spins.chunks_exact(problem.n.max(1)).map(of_sample).collect();
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
