//! The naive mean-field approximation and its implicit derivative.

use super::{OneGradient, Problem, out_of_range, pairs};
use crate::error::Error;
use crate::ising::Ising;

/// Where the fixed point counts as found, and when the search ends.
const TOLERANCE: f64 = 1e-13;
const MAX_ITERATIONS: usize = 10_000;

/// Magnetisations of the naive mean-field approximation, `m_i = tanh(-beta (h_i + sum_j J_ij m_j))`.
///
/// Found from `m = 0` by damped iteration, spin by spin. The fixed point is unique while `beta`
/// times the largest eigenvalue of `|J|` is below one; beyond, it is the one that the iteration
/// reaches.
///
/// ```
/// use burn_quantum::gradient::mean_field;
/// use burn_quantum::ising::Ising;
///
/// let pair = Ising::sparse(vec![0.3, 0.0], [(0, 1, -0.5)], 0.0)?;
/// let m = mean_field(&pair, 1.0)?;
/// assert!((m[0] - (-0.3 + 0.5 * m[1]).tanh()).abs() < 1e-12);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # Errors
///
/// When `beta` is not finite.
pub fn mean_field(model: &Ising, beta: f64) -> Result<Vec<f64>, Error> {
    out_of_range("beta", beta, "a finite number", beta.is_finite())?;
    let n = model.n_spins();
    let mut neighbours = vec![Vec::new(); n];
    for (i, j, value) in model.couplings() {
        neighbours[i].push((j, value));
        neighbours[j].push((i, value));
    }
    let field = |i: usize, m: &[f64]| {
        let sum: f64 = neighbours[i].iter().map(|&(j, value)| value * m[j]).sum();
        model.fields()[i] + sum
    };
    Ok(fixed_point(n, beta, field))
}

fn fixed_point(n: usize, beta: f64, field: impl Fn(usize, &[f64]) -> f64) -> Vec<f64> {
    let mut m = vec![0.0; n];
    for iteration in 0..MAX_ITERATIONS {
        // Plain steps are the fastest where they converge; damping ends oscillations.
        let step = if iteration < 50 { 1.0 } else { 0.3 };
        let mut largest = 0f64;
        for i in 0..n {
            let change = (-beta * field(i, &m)).tanh() - m[i];
            m[i] += step * change;
            largest = largest.max(change.abs());
        }
        if largest < TOLERANCE {
            break;
        }
    }
    m
}

/// With `D = beta diag(1 - m^2)`, `(1 + D J) dm = -D (dh + dJ m)`: one linear system for the
/// adjoint.
pub(super) fn gradient(problem: &Problem<'_>) -> OneGradient {
    let n = problem.n;
    let field = |i: usize, m: &[f64]| {
        let others = (0..n).filter(|&j| j != i);
        f64::from(problem.fields[i]) + others.map(|j| problem.coupling(i, j) * m[j]).sum::<f64>()
    };
    let m = fixed_point(n, problem.beta, field);
    let d: Vec<f64> = m.iter().map(|m| problem.beta * (1.0 - m * m)).collect();
    let slope = |i| problem.statistics.slope(problem.cotangent, i, &m);
    // (1 + J D) v = du/dm.
    let entry = |i: usize, j: usize| match i == j {
        true => 1.0,
        false => problem.coupling(i, j) * d[j],
    };
    let matrix = (0..n * n).map(|k| entry(k / n, k % n)).collect();
    let v = solve(matrix, (0..n).map(slope).collect());
    let fields: Vec<f64> = v.iter().zip(&d).map(|(v, d)| -v * d).collect();
    let pairs = pairs(n).map(|(i, j)| fields[i] * m[j] + fields[j] * m[i]).collect();
    OneGradient { fields, pairs }
}

/// Gauss elimination with pivots; a singular direction (a critical point) gets no gradient.
fn solve(mut a: Vec<f64>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let by_size = |&i: &usize, &j: &usize| a[i * n + k].abs().total_cmp(&a[j * n + k].abs());
        let pivot = (k..n).max_by(by_size).unwrap_or(k);
        if a[pivot * n + k].abs() < f64::EPSILON {
            continue;
        }
        (0..n).for_each(|j| a.swap(k * n + j, pivot * n + j));
        b.swap(k, pivot);
        let (top, below) = a.split_at_mut((k + 1) * n);
        let row = &top[k * n..];
        for (i, other) in below.chunks_exact_mut(n).enumerate() {
            let factor = other[k] / row[k];
            other[k..].iter_mut().zip(&row[k..]).for_each(|(x, r)| *x -= factor * r);
            b[k + 1 + i] -= factor * b[k];
        }
    }
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| a[k * n + j] * b[j]).sum();
        let pivot = a[k * n + k];
        b[k] = if pivot.abs() < f64::EPSILON { 0.0 } else { (b[k] - known) / pivot };
    }
    b
}
