//! The temperature of given samples.

use super::SampleSet;
use crate::error::{Error, ErrorKind, length};
use crate::ising::Ising;

/// The inverse temperature of samples, with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct EffectiveBeta {
    /// The estimate. Infinite if no spin of any sample opposes its local field, negative if most
    /// do.
    pub beta: f64,
    /// The standard error, if the samples are independent. Infinite where `beta` is.
    pub standard_error: f64,
}

/// The inverse temperature at which the samples are most likely, spin by spin given the others
/// (maximum pseudo-likelihood).
///
/// With `x = -s_i f_i` and the local field `f_i = h_i + sum_j J_ij s_j`, the conditional probability
/// of a spin is `1 / (1 + exp(-2 beta x))`. The estimate maximises the sum of its logarithms over
/// all spins and samples, which is concave in `beta`. Its cost is that of one energy for each
/// sample. The standard error is that of the estimating equation (sandwich), which takes the
/// dependence of the spins of one sample into account.
///
/// ```
/// use burn_quantum::annealing::{GibbsSampler, IsingSampler, effective_beta};
/// use burn_quantum::ising::Ising;
///
/// let ring = (0..12).map(|i| (i, (i + 1) % 12, -1.0));
/// let model = Ising::sparse(vec![0.0; 12], ring, 0.0)?;
/// let set = GibbsSampler::new(0.7).with_seed(5).sample(&model, 2000)?;
/// let estimate = effective_beta(&model, &set)?;
/// assert!((estimate.beta - 0.7).abs() < 4.0 * estimate.standard_error);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # Errors
///
/// When the samples are of another number of spins, or tell nothing: there are none, or all local
/// fields are zero.
///
/// # References
///
/// - [Besag (1975)](https://doi.org/10.2307/2987782)
pub fn effective_beta(model: &Ising, samples: &SampleSet) -> Result<EffectiveBeta, Error> {
    length("a sample of this model", model.n_spins(), samples.n_spins())?;
    let n = model.n_spins();
    // Weights are counts; x in units of the largest.
    let mut x = Vec::with_capacity(samples.len() * n);
    for sample in samples.iter() {
        let of_spin = |i| -f64::from(sample.spins[i]) * model.local_field(i, sample.spins);
        x.extend((0..n).map(of_spin));
    }
    let unit = x.iter().fold(0f64, |max, x| max.max(x.abs()));
    if unit == 0.0 || !unit.is_finite() {
        let (what, value) = ("the largest local field of the samples".into(), unit);
        return Err(
            ErrorKind::OutOfRange { what, value, range: "a finite number above zero" }.into()
        );
    }
    x.iter_mut().for_each(|x| *x /= unit);
    if x.iter().all(|&x| x >= 0.0) || x.iter().all(|&x| x <= 0.0) {
        let sign = if x.iter().any(|&x| x > 0.0) { 1.0 } else { -1.0 };
        return Ok(EffectiveBeta { beta: sign * f64::INFINITY, standard_error: f64::INFINITY });
    }
    // The score falls with beta: bracket its zero, then bisect.
    let score_of = |x: &[f64], beta: f64| -> f64 {
        x.iter().map(|x| 2.0 * x / (1.0 + (2.0 * beta * x).exp())).sum()
    };
    let counts = || samples.iter().map(|sample| sample.count as f64);
    let score = |beta: f64| -> f64 {
        x.chunks(n).zip(counts()).map(|(x, count)| count * score_of(x, beta)).sum()
    };
    let sign = if score(0.0) >= 0.0 { 1.0 } else { -1.0 };
    let (mut low, mut high) = (0.0, sign);
    while sign * score(high) > 0.0 && f64::abs(high) < 1e12 {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if sign * score(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let beta = 0.5 * (low + high);
    let information = |x: &f64| (x / (beta * x).cosh()).powi(2);
    let total: f64 = x
        .chunks(n)
        .zip(counts())
        .map(|(x, count)| count * x.iter().map(information).sum::<f64>())
        .sum();
    let variance: f64 =
        x.chunks(n).zip(counts()).map(|(x, count)| count * score_of(x, beta).powi(2)).sum();
    Ok(EffectiveBeta { beta: beta / unit, standard_error: variance.sqrt() / total / unit })
}
