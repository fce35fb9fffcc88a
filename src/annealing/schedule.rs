//! Inverse temperatures of an anneal.

use crate::error::{Error, ErrorKind, finite};
use crate::ising::Ising;
use serde::{Deserialize, Serialize};

/// The inverse temperatures `beta` of the sweeps of an anneal, hot first.
///
/// The default is a [geometric](Schedule::Geometric) schedule over [`Schedule::range`].
///
/// ```
/// use burn_quantum::annealing::Schedule;
/// use burn_quantum::ising::Ising;
///
/// let model = Ising::sparse(vec![0.0, 0.0], [(0, 1, 2.0)], 0.0)?;
/// let betas = Schedule::Linear { from: 0.0, to: 3.0 }.betas(&model, 4)?;
/// assert_eq!(betas, [0.0, 1.0, 2.0, 3.0]);
/// let (hot, cold) = Schedule::range(&model);
/// assert!(hot < 0.5 && cold > 2.0);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Schedule {
    /// Geometric, over [`Schedule::range`] of the model; the last 1/32 of the sweeps at 1000 times
    /// the cold end, which takes nearly every read to the bottom of its valley.
    #[default]
    Automatic,
    /// `beta_t = from + (to - from) t / (n_sweeps - 1)`.
    Linear {
        /// The first inverse temperature.
        from: f64,
        /// The last one.
        to: f64,
    },
    /// `beta_t = from (to / from)^(t / (n_sweeps - 1))`.
    Geometric {
        /// The first inverse temperature, above zero.
        from: f64,
        /// The last one, above zero.
        to: f64,
    },
    /// One inverse temperature for each sweep, whatever the number of sweeps that was asked for.
    Custom(Vec<f64>),
}

/// `sigma beta` at the hot and the cold end.
const HOT: f64 = 0.5;
const COLD: f64 = 6.0;

impl Schedule {
    /// The same inverse temperature for all sweeps.
    pub fn constant(beta: f64) -> Self {
        Self::Linear { from: beta, to: beta }
    }

    /// The inverse temperatures of an anneal of the model.
    ///
    /// # Errors
    ///
    /// When one is negative, NaN or infinite, or an end of a geometric schedule is zero.
    pub fn betas(&self, model: &Ising, n_sweeps: usize) -> Result<Vec<f64>, Error> {
        match self {
            Self::Automatic => {
                let (from, to) = Self::range(model);
                Self::quenched(from, to, n_sweeps)
            }
            other => other.fixed(n_sweeps),
        }
    }

    /// The schedule without a model; the automatic one for coefficients of unit scale.
    pub(super) fn fixed(&self, n_sweeps: usize) -> Result<Vec<f64>, Error> {
        let fraction = |t: usize| t as f64 / (n_sweeps.max(2) - 1) as f64;
        let betas: Vec<f64> = match *self {
            Self::Automatic => return Self::quenched(HOT, COLD, n_sweeps),
            Self::Linear { from, to } => {
                (0..n_sweeps).map(|t| from + (to - from) * fraction(t)).collect()
            }
            Self::Geometric { from, to } => {
                for value in [from, to] {
                    if value == 0.0 {
                        let (what, range) = ("beta of a geometric schedule".into(), "above zero");
                        return Err(ErrorKind::OutOfRange { what, value, range }.into());
                    }
                }
                (0..n_sweeps).map(|t| from * (to / from).powf(fraction(t))).collect()
            }
            Self::Custom(ref betas) => betas.clone(),
        };
        betas.iter().try_for_each(|&value| check_beta(value))?;
        Ok(betas)
    }

    fn quenched(from: f64, to: f64, n_sweeps: usize) -> Result<Vec<f64>, Error> {
        let mut betas = Self::Geometric { from, to }.fixed(n_sweeps - n_sweeps / 32)?;
        betas.resize(n_sweeps, (1000.0 * to).min(f64::MAX));
        Ok(betas)
    }

    /// The inverse temperatures between which spins of the model freeze.
    ///
    /// With `sigma_i^2 = h_i^2 + sum_j J_ij^2`, the size of the local field of spin `i` among random
    /// spins: from `0.5 / max sigma` (every spin moves freely) to `6` over the lower quartile of the
    /// `sigma_i` that are not zero (nearly all are frozen). Sums of squares vary little between the
    /// spins of a model with real coefficients. The smallest coupling, of which the range is often
    /// taken, is close to zero there, and leaves most of the sweeps frozen.
    pub fn range(model: &Ising) -> (f64, f64) {
        let (unit, mut sigmas) = sigmas(model);
        sigmas.retain(|&sigma| sigma > 0.0);
        sigmas.sort_unstable_by(f64::total_cmp);
        let Some(&max) = sigmas.last() else { return (HOT, COLD) };
        let quartile = sigmas[sigmas.len() / 4];
        let beta = |b: f64, sigma: f64| (b / sigma * unit).clamp(f64::MIN_POSITIVE, f64::MAX);
        (beta(HOT, max), beta(COLD, quartile))
    }
}

/// A scale and `sigma_i` times that scale: squares of huge coefficients would overflow.
fn sigmas(model: &Ising) -> (f64, Vec<f64>) {
    let unit = unit(model.max_abs_coefficient());
    let square = |x: &f64| (x * unit) * (x * unit);
    let mut sums: Vec<f64> = model.fields().iter().map(square).collect();
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum += match model.row(i) {
            Some(row) => row.iter().map(square).sum::<f64>(),
            None => model.neighbours(i).1.iter().map(square).sum(),
        };
    }
    (unit, sums.into_iter().map(f64::sqrt).collect())
}

/// The root mean square of the `sigma_i` of all spins, times `unit`.
pub(super) fn sigma(model: &Ising, unit: f64) -> f64 {
    let square = |x: f64| (x * unit) * (x * unit);
    let fields: f64 = model.fields().iter().map(|&h| square(h)).sum();
    let couplings: f64 = model.couplings().map(|(_, _, j)| square(j)).sum();
    ((fields + 2.0 * couplings) / model.n_spins().max(1) as f64).sqrt()
}

/// The power of two that brings the largest coefficient to about one; `1` for no coefficient.
pub(super) fn unit(max_abs: f64) -> f64 {
    if max_abs > 0.0 { (-max_abs.log2().round()).clamp(-1000.0, 1000.0).exp2() } else { 1.0 }
}

pub(super) fn check_beta(value: f64) -> Result<(), Error> {
    finite(|| "beta".into(), value)?;
    if value < 0.0 {
        let (what, range) = ("beta".into(), "zero or more");
        return Err(ErrorKind::OutOfRange { what, value, range }.into());
    }
    Ok(())
}
