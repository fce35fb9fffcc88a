//! One Ising model.

use super::pairs::{Names, Pairs};
use crate::error::{Error, finite};

pub(super) const NAMES: Names = Names {
    variable: "spins",
    linear: "field",
    pair: "coupling",
    matrix: "the matrix of couplings",
    diagonal: "s_i s_i = 1, so add it to the offset",
};

/// An Ising model: `E(s) = offset + sum_i h_i s_i + sum_{i<j} J_ij s_i s_j`, `s_i = +1` or `-1`,
/// to be minimised.
///
/// The couplings are stored as a symmetric matrix ([`dense`](Self::dense)) or as compressed
/// symmetric rows ([`sparse`](Self::sparse)); models are equal when their coefficients are.
///
/// ```
/// use burn_quantum::ising::Ising;
///
/// // An antiferromagnetic triangle: one bond stays unsatisfied.
/// let triangle = Ising::sparse(vec![0.0; 3], [(0, 1, 1.0), (1, 2, 1.0), (0, 2, 1.0)], 0.0)?;
/// assert_eq!(triangle.energy(&[1, -1, 1]), -1.0);
/// assert_eq!(triangle.local_field(0, &[1, -1, 1]), 0.0);
/// assert_eq!(triangle.neighbours(1), (&[0, 2][..], &[1.0, 1.0][..]));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Ising {
    pub(super) fields: Vec<f64>,
    pub(super) pairs: Pairs,
    pub(super) offset: f64,
}

impl Ising {
    /// A model whose couplings are a matrix, `[n_spins, n_spins]` row-major.
    ///
    /// Each pair counts once, with the entry above the diagonal. Below the diagonal there must be
    /// zeros, or the matrix must be symmetric (so for `s^T J s` with a symmetric `J`, double it).
    /// The cost is `n_spins^2`.
    ///
    /// ```
    /// use burn_quantum::ising::Ising;
    ///
    /// let triangle = Ising::dense(vec![0.0, 0.5], &[0.0, -1.0, 0.0, 0.0], 0.0)?;
    /// let symmetric = Ising::dense(vec![0.0, 0.5], &[0.0, -1.0, -1.0, 0.0], 0.0)?;
    /// assert_eq!(triangle, symmetric);
    /// assert_eq!(triangle.energy(&[-1, -1]), -1.5);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the matrix is not of that size, is neither a triangle nor symmetric, has an entry on
    /// its diagonal, or anything is NaN or infinite.
    pub fn dense(fields: Vec<f64>, couplings: &[f64], offset: f64) -> Result<Self, Error> {
        let pairs = Pairs::dense(fields.len(), couplings, NAMES)?;
        Self::of(fields, pairs, offset)
    }

    /// A model of the couplings `(i, j, J_ij)`, in any order.
    ///
    /// Couplings of the same pair add up, also `(i, j)` and `(j, i)`; those that are zero are
    /// dropped.
    ///
    /// # Errors
    ///
    /// When a coupling names a spin that is not there or joins a spin to itself, or anything is
    /// NaN or infinite.
    pub fn sparse(
        fields: Vec<f64>,
        couplings: impl IntoIterator<Item = (usize, usize, f64)>,
        offset: f64,
    ) -> Result<Self, Error> {
        let pairs = Pairs::sparse(fields.len(), couplings, NAMES)?;
        Self::of(fields, pairs, offset)
    }

    pub(super) fn of(fields: Vec<f64>, pairs: Pairs, offset: f64) -> Result<Self, Error> {
        for (i, &h) in fields.iter().enumerate() {
            finite(|| format!("{} {i}", NAMES.linear), h)?;
        }
        finite(|| "the offset".into(), offset)?;
        Ok(Self { fields, pairs, offset })
    }

    /// The number of spins.
    pub fn n_spins(&self) -> usize {
        self.fields.len()
    }

    /// The number of couplings that are not zero.
    pub fn n_couplings(&self) -> usize {
        self.pairs.len()
    }

    /// The fields `h`, `[n_spins]`.
    pub fn fields(&self) -> &[f64] {
        &self.fields
    }

    /// The constant part of the energy.
    pub fn offset(&self) -> f64 {
        self.offset
    }

    /// The couplings `(i, j, J_ij)` that are not zero, with `i < j`, in ascending order.
    pub fn couplings(&self) -> impl Iterator<Item = (usize, usize, f64)> + Clone + '_ {
        self.pairs.iter()
    }

    /// The spins coupled to spin `i`, ascending, and the couplings to them.
    ///
    /// Of a dense model the compressed rows are built by the first call, once.
    ///
    /// # Panics
    ///
    /// Panics if `i >= n_spins`.
    pub fn neighbours(&self, i: usize) -> (&[u32], &[f64]) {
        self.pairs.neighbours(i)
    }

    /// Whether the couplings are stored as a matrix.
    pub fn is_dense(&self) -> bool {
        self.pairs.is_dense()
    }

    /// The share of pairs of spins that are coupled, `0` to `1`.
    pub fn density(&self) -> f64 {
        self.pairs.density()
    }

    /// Row `i` of the symmetric matrix of couplings, `[n_spins]` with zero at `i`, where the model
    /// is dense.
    ///
    /// # Panics
    ///
    /// Panics if `i >= n_spins`.
    pub fn row(&self, i: usize) -> Option<&[f64]> {
        self.pairs.row(i)
    }

    /// The same model with its couplings as a matrix, `8 n_spins^2` bytes.
    pub fn to_dense(&self) -> Self {
        let pairs = self.pairs.to_dense(NAMES).expect("coefficients were checked");
        Self { fields: self.fields.clone(), pairs, offset: self.offset }
    }

    /// The same model with its couplings as compressed rows, 24 bytes a coupling.
    pub fn to_sparse(&self) -> Self {
        Self { fields: self.fields.clone(), pairs: self.pairs.to_sparse(), offset: self.offset }
    }

    /// The energy of a configuration, in `n_spins + n_couplings` steps (`n_spins^2` if dense).
    ///
    /// Coefficients that are integers give the exact energy, as long as the sums of their absolute
    /// values stay below `2^53`.
    ///
    /// # Panics
    ///
    /// Panics unless `spins` holds `n_spins` values `+1` or `-1`.
    pub fn energy(&self, spins: &[i8]) -> f64 {
        check_spins(self.n_spins(), spins);
        self.offset + self.pairs.energy(&self.fields, spins)
    }

    /// `h_i + sum_j J_ij s_j`: flipping spin `i` changes the energy by `-2 s_i` times this.
    ///
    /// # Panics
    ///
    /// Panics if `i >= n_spins` or `spins` does not hold `n_spins` values.
    pub fn local_field(&self, i: usize, spins: &[i8]) -> f64 {
        assert_eq!(spins.len(), self.n_spins(), "spins for a model of {} spins", self.n_spins());
        self.fields[i] + self.pairs.row_dot(i, spins)
    }

    /// The largest absolute value of a field or coupling; `0` without any.
    pub fn max_abs_coefficient(&self) -> f64 {
        self.fields.iter().fold(self.pairs.max_abs(), |max, h| max.max(h.abs()))
    }
}

/// # Panics
///
/// Panics unless there are `n_spins` values `+1` or `-1`.
pub(super) fn check_spins(n_spins: usize, spins: &[i8]) {
    assert_eq!(spins.len(), n_spins, "spins for a model of {n_spins} spins");
    // Branch-free, as it precedes every evaluation.
    let odd = spins.iter().fold(false, |odd, &s| odd | ((s != 1) & (s != -1)));
    assert!(!odd, "spins must be +1 or -1");
}
