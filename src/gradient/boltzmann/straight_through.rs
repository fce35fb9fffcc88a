//! Samples as if they were conditional means.

use super::{OneGradient, Problem, pairs};

/// Mean over the samples of `du/ds_i dm_i` with `m_i = tanh(-beta f_i(s))`, whose field the
/// neighbours' samples make.
pub(super) fn gradient(problem: &Problem<'_>) -> OneGradient {
    let n = problem.n;
    let reads = problem.spins.len() / n.max(1);
    let mut sum = OneGradient::zero(n);
    for spins in problem.spins.chunks_exact(n.max(1)) {
        let s: Vec<f64> = spins.iter().map(|&s| s.into()).collect();
        let by_field: Vec<f64> = (0..n)
            .map(|i| {
                let m = (-problem.beta * problem.local_field(i, spins)).tanh();
                let slope = problem.statistics.slope(problem.cotangent, i, &s);
                -problem.beta * slope * (1.0 - m * m) / reads as f64
            })
            .collect();
        sum.fields.iter_mut().zip(&by_field).for_each(|(sum, g)| *sum += g);
        for (sum, (i, j)) in sum.pairs.iter_mut().zip(pairs(n)) {
            *sum += by_field[i] * s[j] + by_field[j] * s[i];
        }
    }
    sum
}
