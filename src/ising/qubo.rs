//! One QUBO, and the way between it and an Ising model.

use super::model::{self, Ising, check_spins};
use super::pairs::{Names, Pairs};
use crate::error::{Error, ErrorKind, finite, length};

pub(super) const NAMES: Names = Names {
    variable: "variables",
    linear: "linear coefficient",
    pair: "quadratic coefficient",
    matrix: "the matrix Q",
    diagonal: "x_i x_i = x_i, so it is a linear coefficient",
};

/// A quadratic unconstrained binary program:
/// `E(x) = offset + sum_i Q_ii x_i + sum_{i<j} Q_ij x_i x_j`, `x_i = 0` or `1`, to be minimised.
///
/// ```
/// use burn_quantum::ising::{Qubo, to_spins};
///
/// // Exactly one of two: (x_0 + x_1 - 1)^2.
/// let qubo = Qubo::sparse(2, [(0, 0, -1.0), (1, 1, -1.0), (0, 1, 2.0)], 1.0)?;
/// assert_eq!([qubo.energy(&[1, 0]), qubo.energy(&[1, 1])], [0.0, 1.0]);
///
/// let ising = qubo.to_ising()?;
/// assert_eq!(ising.energy(&to_spins(&[1, 1])), 1.0);
/// assert_eq!(ising.to_qubo()?, qubo);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Qubo {
    pub(super) linear: Vec<f64>,
    pub(super) pairs: Pairs,
    pub(super) offset: f64,
}

impl Qubo {
    /// `E(x) = offset + x^T Q x` of any matrix `Q`, `[n_variables, n_variables]` row-major.
    ///
    /// Entries below the diagonal add to those above, so an upper triangle is read as in the
    /// formula of this type and a symmetric matrix counts each pair twice. (An
    /// [Ising](Ising::dense) matrix counts each pair once.)
    ///
    /// # Errors
    ///
    /// When the matrix is of another size, or anything is NaN or infinite.
    pub fn dense(n_variables: usize, matrix: &[f64], offset: f64) -> Result<Self, Error> {
        let pairs = Pairs::dense_folded(n_variables, matrix, NAMES)?;
        let linear = (0..n_variables).map(|i| matrix[i * n_variables + i]).collect();
        Self::of(linear, pairs, offset)
    }

    /// A QUBO of the entries `(i, j, Q_ij)`, in any order; those with `i = j` are linear.
    ///
    /// Entries of the same pair add up, also `(i, j)` and `(j, i)`; pairs whose sum is zero are
    /// dropped.
    ///
    /// # Errors
    ///
    /// When an entry names a variable that is not there, or anything is NaN or infinite.
    pub fn sparse(
        n_variables: usize,
        entries: impl IntoIterator<Item = (usize, usize, f64)>,
        offset: f64,
    ) -> Result<Self, Error> {
        Pairs::check_size(n_variables, NAMES)?;
        let mut linear = vec![0.0; n_variables];
        let mut off_diagonal = Vec::new();
        for (i, j, value) in entries {
            if i == j && i < n_variables {
                linear[i] += finite(|| format!("{} {i}", NAMES.linear), value)?;
            } else {
                off_diagonal.push((i, j, value));
            }
        }
        Self::of(linear, Pairs::sparse(n_variables, off_diagonal, NAMES)?, offset)
    }

    pub(super) fn of(linear: Vec<f64>, pairs: Pairs, offset: f64) -> Result<Self, Error> {
        for (i, &value) in linear.iter().enumerate() {
            finite(|| format!("{} {i}", NAMES.linear), value)?;
        }
        finite(|| "the offset".into(), offset)?;
        Ok(Self { linear, pairs, offset })
    }

    /// The number of variables.
    pub fn n_variables(&self) -> usize {
        self.linear.len()
    }

    /// The number of pairs whose coefficient is not zero.
    pub fn n_quadratic(&self) -> usize {
        self.pairs.len()
    }

    /// The coefficients `Q_ii`, `[n_variables]`.
    pub fn linear(&self) -> &[f64] {
        &self.linear
    }

    /// The constant part of the energy.
    pub fn offset(&self) -> f64 {
        self.offset
    }

    /// The coefficients `(i, j, Q_ij)` that are not zero, with `i < j`, in ascending order.
    pub fn quadratic(&self) -> impl Iterator<Item = (usize, usize, f64)> + Clone + '_ {
        self.pairs.iter()
    }

    /// The variables that share a coefficient with variable `i`, ascending, and those coefficients.
    ///
    /// # Panics
    ///
    /// Panics if `i >= n_variables`.
    pub fn neighbours(&self, i: usize) -> (&[u32], &[f64]) {
        self.pairs.neighbours(i)
    }

    /// Whether the quadratic coefficients are stored as a matrix.
    pub fn is_dense(&self) -> bool {
        self.pairs.is_dense()
    }

    /// The share of pairs whose coefficient is not zero, `0` to `1`.
    pub fn density(&self) -> f64 {
        self.pairs.density()
    }

    /// The energy of an assignment.
    ///
    /// # Panics
    ///
    /// Panics unless `bits` holds `n_variables` values `0` or `1`.
    pub fn energy(&self, bits: &[u8]) -> f64 {
        self.offset + self.pairs.energy(&self.linear, &self.signed(bits))
    }

    /// `Q_ii + sum_j Q_ij x_j`: what setting `x_i` costs over clearing it.
    ///
    /// # Panics
    ///
    /// Panics if `i >= n_variables`, or unless `bits` holds `n_variables` values `0` or `1`.
    pub fn local_field(&self, i: usize, bits: &[u8]) -> f64 {
        self.linear[i] + self.pairs.row_dot(i, &self.signed(bits))
    }

    fn signed(&self, bits: &[u8]) -> Vec<i8> {
        let n = self.n_variables();
        assert_eq!(bits.len(), n, "bits for a QUBO of {n} variables");
        assert!(bits.iter().all(|&bit| bit <= 1), "bits must be 0 or 1");
        bits.iter().map(|&bit| bit as i8).collect()
    }

    /// The largest absolute value of a coefficient; `0` without any.
    pub fn max_abs_coefficient(&self) -> f64 {
        self.linear.iter().fold(self.pairs.max_abs(), |max, value| max.max(value.abs()))
    }

    /// The Ising model of the same energies, `x = (1 + s) / 2`: `J_ij = Q_ij / 4`,
    /// `h_i = Q_ii / 2 + sum_j Q_ij / 4`, in the same storage.
    ///
    /// Exact for integer coefficients (whose sums stay below `2^51`), else up to rounding.
    ///
    /// # Errors
    ///
    /// When a sum of coefficients overflows.
    pub fn to_ising(&self) -> Result<Ising, Error> {
        let mut fields: Vec<f64> = self.linear.iter().map(|value| value / 2.0).collect();
        let mut offset = self.offset + fields.iter().sum::<f64>();
        for (i, j, value) in self.pairs.iter() {
            fields[i] += value / 4.0;
            fields[j] += value / 4.0;
            offset += value / 4.0;
        }
        Ising::of(fields, self.pairs.map(|value| value / 4.0, model::NAMES)?, offset)
    }

    /// Minus the energy, offset included: turns a maximisation into this crate's minimisation.
    pub fn negated(&self) -> Self {
        let pairs = self.pairs.map(|value| -value, NAMES).expect("coefficients were checked");
        let linear = self.linear.iter().map(|value| -value).collect();
        Self { linear, pairs, offset: -self.offset }
    }

    /// A quadratic function of numbers written in bits:
    /// `offset + sum_i linear_i v_i + sum_(i,j,c) c v_i v_j`, `v_i` the value of `expansions[i]`.
    ///
    /// The variables of the QUBO are the bits of `v_0`, then those of `v_1`, and so on. Products
    /// `(i, i, c)` are squares.
    ///
    /// ```
    /// use burn_quantum::ising::{BinaryExpansion, Qubo};
    ///
    /// // (v - 3)^2 over v = -1, ..., 5.
    /// let v = BinaryExpansion::integer(-1, 5)?;
    /// let square = Qubo::of_expansions(&[v.clone()], &[-6.0], [(0, 0, 1.0)], 9.0)?;
    /// assert_eq!(square.energy(&v.encode(3.0)?), 0.0);
    /// assert_eq!(square.energy(&v.encode(-1.0)?), 16.0);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When `linear` does not have one entry for each expansion, a product names one that is not
    /// there, or a coefficient is NaN, infinite or overflows.
    pub fn of_expansions(
        expansions: &[super::BinaryExpansion],
        linear: &[f64],
        products: impl IntoIterator<Item = (usize, usize, f64)>,
        offset: f64,
    ) -> Result<Self, Error> {
        length("the linear coefficients", expansions.len(), linear.len())?;
        let mut starts = vec![0];
        for expansion in expansions {
            starts.push(starts[starts.len() - 1] + expansion.n_bits());
        }
        // A number is a constant and its bits.
        let terms = |i: usize| expansions[i].weights().enumerate();
        let (mut entries, mut offset) = (Vec::new(), offset);
        for (i, &c) in linear.iter().enumerate() {
            offset += c * expansions[i].lower();
            entries.extend(terms(i).map(|(k, w)| (starts[i] + k, starts[i] + k, c * w)));
        }
        for (i, j, c) in products {
            let n = expansions.len();
            if i >= n || j >= n {
                let (what, variable) = ("product", "numbers");
                return Err(ErrorKind::PairOutOfRange { what, i, j, variable, n }.into());
            }
            let (a, b) = (expansions[i].lower(), expansions[j].lower());
            offset += c * a * b;
            entries.extend(terms(i).map(|(k, w)| (starts[i] + k, starts[i] + k, c * w * b)));
            entries.extend(terms(j).map(|(k, w)| (starts[j] + k, starts[j] + k, c * a * w)));
            for (k, v) in terms(i) {
                entries.extend(terms(j).map(|(l, w)| (starts[i] + k, starts[j] + l, c * v * w)));
            }
        }
        Self::sparse(starts[expansions.len()], entries, offset)
    }
}

impl Ising {
    /// The QUBO of the same energies, `s = 2x - 1`: `Q_ij = 4 J_ij`,
    /// `Q_ii = 2 h_i - 2 sum_j J_ij`, in the same storage.
    ///
    /// Exact for integer coefficients (whose sums stay below `2^51`), else up to rounding.
    ///
    /// # Errors
    ///
    /// When a coefficient or a sum of them overflows.
    pub fn to_qubo(&self) -> Result<Qubo, Error> {
        let mut linear: Vec<f64> = self.fields.iter().map(|h| 2.0 * h).collect();
        let mut offset = self.offset - self.fields.iter().sum::<f64>();
        for (i, j, value) in self.pairs.iter() {
            linear[i] -= 2.0 * value;
            linear[j] -= 2.0 * value;
            offset += value;
        }
        Qubo::of(linear, self.pairs.map(|value| 4.0 * value, NAMES)?, offset)
    }
}

/// `s = 2x - 1`: bit 1 is spin `+1`.
///
/// # Panics
///
/// Panics if a bit is neither `0` nor `1`.
pub fn to_spins(bits: &[u8]) -> Vec<i8> {
    assert!(bits.iter().all(|&bit| bit <= 1), "bits must be 0 or 1");
    bits.iter().map(|&bit| 2 * bit as i8 - 1).collect()
}

/// `x = (1 + s) / 2`: spin `+1` is bit 1.
///
/// # Panics
///
/// Panics if a spin is neither `+1` nor `-1`.
pub fn to_bits(spins: &[i8]) -> Vec<u8> {
    check_spins(spins.len(), spins);
    spins.iter().map(|&s| u8::from(s == 1)).collect()
}
