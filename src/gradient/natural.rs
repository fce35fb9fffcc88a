//! The natural gradient.

use crate::error::{Error, ErrorKind, finite, length};

/// The natural gradient `(g + damping 1)^-1 gradient`, by Cholesky's factorisation.
///
/// A circuit with more weights than directions has a singular metric, which a damping of, say,
/// `1e-3` makes positive. `metric` is `[n, n]`, row-major; only its lower triangle is read.
///
/// # Errors
///
/// When the metric does not have `n^2` entries, a number is not finite, the damping is negative,
/// or the damped metric is not positive definite.
///
/// ```
/// use burn_quantum::gradient::natural_gradient;
///
/// let x = natural_gradient(&[3.0, 0.0, 0.0, 0.0], &[2.0, 0.5], 1.0)?;
/// assert_eq!(x, [0.5, 0.5]);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn natural_gradient(metric: &[f64], gradient: &[f64], damping: f64) -> Result<Vec<f64>, Error> {
    let n = gradient.len();
    length("the metric", n * n, metric.len())?;
    for (i, &g) in metric.iter().enumerate() {
        finite(|| format!("metric[{}, {}]", i / n, i % n), g)?;
    }
    for (i, &g) in gradient.iter().enumerate() {
        finite(|| format!("gradient[{i}]"), g)?;
    }
    if !(damping >= 0.0 && damping.is_finite()) {
        let range = "a finite number, 0 or more";
        return Err(
            ErrorKind::OutOfRange { what: "the damping".into(), value: damping, range }.into()
        );
    }
    let l = cholesky(metric, damping, n)?;
    let mut x = gradient.to_vec();
    for i in 0..n {
        let sum: f64 = (0..i).map(|k| l[i * n + k] * x[k]).sum();
        x[i] = (x[i] - sum) / l[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| l[k * n + i] * x[k]).sum();
        x[i] = (x[i] - sum) / l[i * n + i];
    }
    Ok(x)
}

/// The lower triangle `L` with `L L^T = metric + damping 1`.
fn cholesky(metric: &[f64], damping: f64, n: usize) -> Result<Vec<f64>, Error> {
    let mut l = vec![0.0; n * n];
    let largest = (0..n).map(|i| metric[i * n + i] + damping).fold(0.0, f64::max);
    for (i, j) in (0..n).flat_map(|i| (0..=i).map(move |j| (i, j))) {
        let sum: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
        let rest = metric[i * n + j] - sum;
        if i != j {
            l[i * n + j] = rest / l[j * n + j];
        } else if rest + damping > n as f64 * f64::EPSILON * largest {
            l[i * n + i] = (rest + damping).sqrt();
        } else {
            return Err(ErrorKind::Singular { index: i, pivot: rest + damping }.into());
        }
    }
    Ok(l)
}
