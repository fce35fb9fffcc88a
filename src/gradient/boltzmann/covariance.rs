//! Covariances of the samples.

use super::{OneGradient, Problem};

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

/// Calls `term` with `-beta (u_s - mean u) / (S - 1)` and the spins of each sample.
fn each_term(problem: &Problem<'_>, mut term: impl FnMut(f64, &[f64])) {
    let reads = problem.spins.len() / problem.n.max(1);
    let wide: Vec<f64> = problem.spins.iter().map(|&s| s.into()).collect();
    let samples = || wide.chunks_exact(problem.n.max(1));
    let u: Vec<f64> = samples().map(|s| problem.statistics.project(problem.cotangent, s)).collect();
    let mean = u.iter().sum::<f64>() / reads as f64;
    let scale = -problem.beta / (reads as f64 - 1.0);
    samples().zip(&u).for_each(|(s, u)| term(scale * (u - mean), s));
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
