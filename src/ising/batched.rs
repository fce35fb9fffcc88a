//! Many small dense models.

use super::model::{Ising, check_spins};
use crate::error::{Error, ErrorKind, length};
use std::borrow::Cow;

/// `P` dense models of `N` spins in single precision, as tensors hold them:
/// `E_p(s) = sum_i h[p, i] s_i + sum_{i<j} J[p, i, j] s_i s_j`.
///
/// Models that follow each other may share their couplings, `P / G` of them in each of `G` groups.
///
/// It borrows or owns its slices. Only the entries of `J` above the diagonal are read, so a symmetric
/// matrix means the same as its upper triangle; what lies elsewhere may even be NaN.
///
/// ```
/// use burn_quantum::ising::BatchedIsing;
///
/// // The same coupling for three pairs of spins in different fields.
/// let h = [0.0, 0.0, 1.0, 1.0, -1.0, 2.0];
/// let batch = BatchedIsing::new(3, 2, &h[..], vec![0.0, -1.0, -1.0, 0.0])?;
/// assert!(batch.is_shared());
/// assert_eq!(batch.energy(1, &[-1, -1]), -3.0);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BatchedIsing<'a> {
    n_problems: usize,
    n_spins: usize,
    n_groups: usize,
    fields: Cow<'a, [f32]>,
    couplings: Cow<'a, [f32]>,
}

impl<'a> BatchedIsing<'a> {
    /// A batch of `n_problems` models.
    ///
    /// # Shapes
    ///
    /// - fields: `[n_problems, n_spins]`
    /// - couplings: `[n_groups, n_spins, n_spins]`, where the number of groups divides that of the
    ///   models: 1 if all share them, `n_problems` if none do
    ///
    /// # Errors
    ///
    /// When a slice is of another length, or a field or a coupling above the diagonal is NaN or
    /// infinite.
    pub fn new(
        n_problems: usize,
        n_spins: usize,
        fields: impl Into<Cow<'a, [f32]>>,
        couplings: impl Into<Cow<'a, [f32]>>,
    ) -> Result<Self, Error> {
        let (fields, couplings) = (fields.into(), couplings.into());
        length("the fields", n_problems.saturating_mul(n_spins), fields.len())?;
        let one = n_spins.saturating_mul(n_spins);
        let n_groups = couplings.len().checked_div(one).unwrap_or(1);
        let is_whole = n_groups.checked_mul(one) == Some(couplings.len());
        if !is_whole || n_groups == 0 || !n_problems.is_multiple_of(n_groups) {
            length("the couplings", n_problems.saturating_mul(one), couplings.len())?;
        }
        let batch = Self { n_problems, n_spins, n_groups, fields, couplings };
        match batch.all_finite() {
            true => Ok(batch),
            false => Err(batch.refusal()),
        }
    }

    /// Branch-free in each row, as it reads as much as a sampler's sweep.
    fn all_finite(&self) -> bool {
        let n = self.n_spins;
        let finite = |values: &[f32]| {
            let largest = values.iter().fold(0, |max, v| (v.to_bits() & (u32::MAX >> 1)).max(max));
            largest < f32::INFINITY.to_bits()
        };
        let upper = |(k, row): (usize, &[f32])| finite(&row[k % n + 1..]);
        finite(&self.fields) && self.couplings.chunks(n.max(1)).enumerate().all(upper)
    }

    fn refusal(&self) -> Error {
        let n = self.n_spins.max(1);
        let field = |(k, &value): (usize, &f32)| (format!("field [{}, {}]", k / n, k % n), value);
        let coupling = |(k, &value): (usize, &f32)| {
            let (p, i, j) = (k / (n * n), k / n % n, k % n);
            (i < j).then(|| (format!("coupling [{p}, {i}, {j}]"), value))
        };
        let bad = |(_, value): &(usize, &f32)| !value.is_finite();
        let mut named = self.fields.iter().enumerate().filter(bad).map(field);
        let of_pairs = || self.couplings.iter().enumerate().filter(bad).find_map(coupling);
        let (what, value) = named.next().or_else(of_pairs).unwrap_or_default();
        ErrorKind::NotFinite { what, value: value.into() }.into()
    }

    /// The number of models `P`.
    pub fn n_problems(&self) -> usize {
        self.n_problems
    }

    /// The number of spins `N` of each model.
    pub fn n_spins(&self) -> usize {
        self.n_spins
    }

    /// All fields, `[n_problems, n_spins]`.
    pub fn fields(&self) -> &[f32] {
        &self.fields
    }

    /// All couplings, `[n_groups, n_spins, n_spins]`.
    pub fn couplings(&self) -> &[f32] {
        &self.couplings
    }

    /// Whether all models have the same couplings.
    pub fn is_shared(&self) -> bool {
        self.n_groups == 1
    }

    /// The number of groups that share their couplings.
    pub fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// The number of models in each group.
    pub(crate) fn group_size(&self) -> usize {
        self.n_problems / self.n_groups.max(1)
    }

    /// The fields of one model, `[n_spins]`.
    ///
    /// # Panics
    ///
    /// Panics if `problem >= n_problems`, as do the other methods that take a problem.
    pub fn fields_of(&self, problem: usize) -> &[f32] {
        assert!(problem < self.n_problems, "problem {problem} of {}", self.n_problems);
        &self.fields[problem * self.n_spins..][..self.n_spins]
    }

    /// The couplings of one model, `[n_spins, n_spins]`; only entries above the diagonal count.
    pub fn couplings_of(&self, problem: usize) -> &[f32] {
        assert!(problem < self.n_problems, "problem {problem} of {}", self.n_problems);
        let one = self.n_spins * self.n_spins;
        let start = problem / self.group_size() * one;
        &self.couplings[start..][..one]
    }

    /// One model in double precision.
    pub fn problem(&self, problem: usize) -> Ising {
        let n = self.n_spins;
        let fields = self.fields_of(problem).iter().map(|&h| h.into()).collect();
        let entry = |(k, &value): (usize, &f32)| if k / n < k % n { value.into() } else { 0.0 };
        let couplings = self.couplings_of(problem).iter().enumerate().map(entry);
        let couplings: Vec<f64> = couplings.collect();
        Ising::dense(fields, &couplings, 0.0).expect("coefficients were checked")
    }

    /// The energy of a configuration of one model, summed in double precision.
    ///
    /// # Panics
    ///
    /// Panics unless `spins` holds `n_spins` values `+1` or `-1`.
    pub fn energy(&self, problem: usize, spins: &[i8]) -> f64 {
        check_spins(self.n_spins, spins);
        let (fields, couplings) = (self.fields_of(problem), self.couplings_of(problem));
        let term = |(&value, &s): (&f32, &i8)| f64::from(value) * f64::from(s);
        let row = |i: usize| {
            let row = &couplings[i * self.n_spins..][..self.n_spins];
            let sum: f64 = row[i + 1..].iter().zip(&spins[i + 1..]).map(term).sum();
            f64::from(spins[i]) * (f64::from(fields[i]) + sum)
        };
        (0..self.n_spins).map(row).sum()
    }
}
