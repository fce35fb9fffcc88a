//! The temperature of given samples.

use super::{BatchSampleSet, SampleSet};
use crate::error::{Error, ErrorKind, length};
use crate::ising::{BatchedIsing, Ising};

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
    let rows = samples.iter().map(|sample| {
        let of_spin = |i| -f64::from(sample.spins[i]) * model.local_field(i, sample.spins);
        (sample.count, (0..model.n_spins()).map(of_spin).collect())
    });
    Alignments::new(rows)?.estimate()
}

/// The inverse temperature of the samples of a whole batch, if all models were sampled at the same:
/// as [`effective_beta`], from all of them together.
///
/// # Errors
///
/// As [`effective_beta`].
pub fn effective_beta_of_batch(
    models: &BatchedIsing<'_>,
    samples: &BatchSampleSet,
) -> Result<EffectiveBeta, Error> {
    length("a sample of these models", models.n_spins(), samples.n_spins())?;
    length("the problems of the sample set", models.n_problems(), samples.n_problems())?;
    Alignments::new(rows(models, samples))?.estimate()
}

/// That of batches of models of different sizes.
pub(crate) fn effective_beta_of_batches(
    batches: &[(BatchedIsing<'_>, BatchSampleSet)],
) -> Result<EffectiveBeta, Error> {
    Alignments::new(batches.iter().flat_map(|(models, samples)| rows(models, samples)))?.estimate()
}

fn rows<'a>(
    models: &'a BatchedIsing<'_>,
    samples: &'a BatchSampleSet,
) -> impl Iterator<Item = (usize, Vec<f64>)> + 'a {
    let n = models.n_spins();
    (0..models.n_problems()).flat_map(move |p| {
        let model = models.problem(p);
        let row = move |spins: &[i8]| {
            let of_spin = |i| -f64::from(spins[i]) * model.local_field(i, spins);
            (1, (0..n).map(of_spin).collect())
        };
        samples.spins_of(p).chunks_exact(n.max(1)).map(row)
    })
}

/// `x = -s_i f_i` of each spin of each sample, in units of the largest: how well spins follow their
/// fields.
struct Alignments {
    x: Vec<Vec<f64>>,
    counts: Vec<f64>,
    unit: f64,
}

impl Alignments {
    fn new(rows: impl Iterator<Item = (usize, Vec<f64>)>) -> Result<Self, Error> {
        let (counts, mut x): (Vec<f64>, Vec<Vec<f64>>) =
            rows.map(|(count, x)| (count as f64, x)).unzip();
        let unit = x.iter().flatten().fold(0f64, |max, x| max.max(x.abs()));
        if unit == 0.0 || !unit.is_finite() {
            let (what, value) = ("the largest local field of the samples".into(), unit);
            let range = "a finite number above zero";
            return Err(ErrorKind::OutOfRange { what, value, range }.into());
        }
        x.iter_mut().flatten().for_each(|x| *x /= unit);
        Ok(Self { x, counts, unit })
    }

    fn estimate(&self) -> Result<EffectiveBeta, Error> {
        let all = || self.x.iter().flatten();
        if all().all(|&x| x >= 0.0) || all().all(|&x| x <= 0.0) {
            let sign = if all().any(|&x| x > 0.0) { 1.0 } else { -1.0 };
            return Ok(EffectiveBeta { beta: sign * f64::INFINITY, standard_error: f64::INFINITY });
        }
        let beta = self.root();
        let information = self.sum(|row| row.iter().map(|x| (x / (beta * x).cosh()).powi(2)).sum());
        let variance = self.sum(|row| score(row, beta).powi(2));
        Ok(EffectiveBeta {
            beta: beta / self.unit,
            standard_error: variance.sqrt() / information / self.unit,
        })
    }

    /// The sum over all samples, with their counts.
    fn sum(&self, of: impl Fn(&[f64]) -> f64) -> f64 {
        self.x.iter().zip(&self.counts).map(|(row, count)| count * of(row)).sum()
    }

    /// The score falls with beta: bracket its zero, then bisect.
    fn root(&self) -> f64 {
        let total = |beta: f64| self.sum(|row| score(row, beta));
        let sign = if total(0.0) >= 0.0 { 1.0 } else { -1.0 };
        let (mut low, mut high) = (0.0, sign);
        while sign * total(high) > 0.0 && f64::abs(high) < 1e12 {
            (low, high) = (high, 2.0 * high);
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if sign * total(middle) > 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    }
}

/// The derivative of the logarithm of the pseudo-likelihood of a sample.
fn score(x: &[f64], beta: f64) -> f64 {
    x.iter().map(|x| 2.0 * x / (1.0 + (2.0 * beta * x).exp())).sum()
}
