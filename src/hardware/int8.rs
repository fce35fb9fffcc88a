//! Models as matrices of 8-bit integers, which coherent Ising machines take.

use crate::error::Error;
use crate::ising::Ising;

/// The largest entry.
const MOST: f64 = i8::MAX as f64;

/// A model as a symmetric matrix `M` of integers from -127 to 127 with a zero diagonal: what a
/// coherent Ising machine takes, which minimises `-s^T M s`.
///
/// Fields become couplings to one further spin, the last, if there are any:
/// `M_ij = -J_ij / step` and `M_in = -h_i / step`, rounded. So with `s_n = +1` the energy of the rounded model is
/// `offset - step / 2 s^T M s`. The machine knows no offset, and `s` is as good to it as `-s`:
/// [`spins_of_model`](Self::spins_of_model) turns a solution round so that the further spin is `+1` (Kaiwu's "negtail
/// flip") and drops it.
///
/// Coefficients that are multiples of a common step, at most 127 of it, are exact. Others are
/// rounded as by [`Ising::rounded`] to 8 bits, and [`error_bound`](Self::error_bound) says what
/// that does to energies.
///
/// ```
/// use burn_quantum::hardware::Int8Ising;
/// use burn_quantum::ising::Ising;
///
/// let model = Ising::sparse(vec![0.5, 0.0], [(0, 1, -1.5)], 2.0)?;
/// let machine = Int8Ising::new(&model)?;
/// assert_eq!((machine.size(), machine.step(), machine.error_bound()), (3, 0.5, 0.0));
/// assert_eq!(machine.matrix(), [0, 3, -1, 3, 0, 0, -1, 0, 0]);
///
/// let spins = machine.spins_of_model(&[1, 1, -1]);
/// assert_eq!(spins, [-1, -1]);
/// assert_eq!(machine.energy(&[1, 1, -1]), -8); // both terms are satisfied
/// assert_eq!(model.energy(&spins), 2.0 + 0.5 / 2.0 * -8.0);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Int8Ising {
    n_spins: usize,
    size: usize,
    matrix: Vec<i8>,
    step: f64,
    error_bound: f64,
}

impl Int8Ising {
    /// The matrix of a model, of `size^2` bytes.
    ///
    /// # Errors
    ///
    /// When the coefficients are so small that the step underflows.
    pub fn new(model: &Ising) -> Result<Self, Error> {
        let (levels, step, error_bound) = levels(model)?;
        let n_spins = model.n_spins();
        let size = n_spins + usize::from(model.fields().iter().any(|&h| h != 0.0));
        let mut matrix = vec![0; size * size];
        let mut set = |i: usize, j: usize, level: f64| {
            let entry = -level as i8;
            (matrix[i * size + j], matrix[j * size + i]) = (entry, entry);
        };
        levels.couplings().for_each(|(i, j, level)| set(i, j, level));
        if size > n_spins {
            levels.fields().iter().enumerate().for_each(|(i, &level)| set(i, n_spins, level));
        }
        Ok(Self { n_spins, size, matrix, step, error_bound })
    }

    /// The number of spins of the machine: those of the model, and one more if it has fields.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The number of spins of the model.
    pub fn n_spins(&self) -> usize {
        self.n_spins
    }

    /// The matrix `M`, `[size, size]`.
    pub fn matrix(&self) -> &[i8] {
        &self.matrix
    }

    /// What one level is worth in the model.
    pub fn step(&self) -> f64 {
        self.step
    }

    /// The largest possible change of an energy of the model by the rounding, as
    /// [`RoundedIsing::error_bound`](crate::ising::RoundedIsing::error_bound).
    pub fn error_bound(&self) -> f64 {
        self.error_bound
    }

    /// `-s^T M s`.
    ///
    /// # Panics
    ///
    /// Panics unless there are `size` spins.
    pub fn energy(&self, spins: &[i8]) -> i64 {
        assert_eq!(spins.len(), self.size, "spins for a matrix of side {}", self.size);
        let row = |(row, &s): (&[i8], &i8)| {
            let terms = row.iter().zip(spins).map(|(&m, &s)| i64::from(m) * i64::from(s));
            i64::from(s) * terms.sum::<i64>()
        };
        -self.matrix.chunks(self.size.max(1)).zip(spins).map(row).sum::<i64>()
    }

    /// The spins of the model in a solution of the machine: all of them turned round if the further
    /// spin is `-1`, and without it.
    ///
    /// # Panics
    ///
    /// Panics unless there are `size` spins.
    pub fn spins_of_model(&self, spins: &[i8]) -> Vec<i8> {
        assert_eq!(spins.len(), self.size, "spins for a matrix of side {}", self.size);
        let (spins, further) = spins.split_at(self.n_spins);
        let sign = further.first().copied().unwrap_or(1);
        spins.iter().map(|s| s * sign).collect()
    }
}

/// The model in units of a step, this step, and the bound of the error.
fn levels(model: &Ising) -> Result<(Ising, f64, f64), Error> {
    let precision = model.precision();
    let (Some(step), Some(2..=8)) = (precision.step(), precision.n_bits()) else {
        let rounded = model.rounded(8)?;
        return Ok((rounded.levels().clone(), rounded.step(), rounded.error_bound()));
    };
    // These quotients are integers, so the division does not round.
    let fields = model.fields().iter().map(|h| h / step).collect();
    let couplings = model.couplings().map(|(i, j, value)| (i, j, value / step));
    let levels = Ising::sparse(fields, couplings, 0.0)?;
    debug_assert!(levels.max_abs_coefficient() <= MOST);
    Ok((levels, step, 0.0))
}
