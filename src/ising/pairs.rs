//! Coefficients of pairs of variables, the part that Ising models and QUBOs share.

use crate::error::{Error, ErrorKind, finite, length};
use std::sync::OnceLock;

/// The rows and columns of a tile, so that a tile and its mirror image stay in the first cache.
const TILE: usize = 32;

/// What the coefficients are called in messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub variable: &'static str,
    pub linear: &'static str,
    pub pair: &'static str,
    pub matrix: &'static str,
    pub diagonal: &'static str,
}

/// A symmetric matrix with an empty diagonal.
#[derive(Debug, Clone)]
pub(super) struct Pairs {
    n: usize,
    n_pairs: usize,
    /// `[n, n]` where dense.
    matrix: Option<Vec<f64>>,
    rows: OnceLock<Rows>,
}

/// Compressed rows of a symmetric matrix, without zeros; columns ascend in each row.
#[derive(Debug, Clone, Default)]
struct Rows {
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl Rows {
    fn row(&self, i: usize) -> (&[u32], &[f64]) {
        let range = self.starts[i]..self.starts[i + 1];
        (&self.columns[range.clone()], &self.values[range])
    }

    fn of_matrix(n: usize, n_pairs: usize, matrix: &[f64]) -> Rows {
        let mut rows = Rows {
            starts: Vec::with_capacity(n + 1),
            columns: Vec::with_capacity(2 * n_pairs),
            values: Vec::with_capacity(2 * n_pairs),
        };
        rows.starts.push(0);
        for row in matrix.chunks(n.max(1)) {
            for (j, &value) in row.iter().enumerate().filter(|(_, value)| **value != 0.0) {
                rows.columns.push(j as u32);
                rows.values.push(value);
            }
            rows.starts.push(rows.columns.len());
        }
        rows
    }

    /// A counting sort by row, then each row sorted by column and its duplicates summed in the
    /// order given, which is the same for `(i, j)` and `(j, i)`.
    fn of_triplets(n: usize, triplets: &[(u32, u32, f64)]) -> Rows {
        let mut ends = vec![0; n + 1];
        for &(i, j, _) in triplets {
            ends[i as usize] += 1;
            ends[j as usize] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += std::mem::replace(end, sum);
        }
        let mut entries = vec![(0u32, 0.0f64); sum];
        for &(i, j, value) in triplets {
            for (row, column) in [(i, j), (j, i)] {
                entries[ends[row as usize]] = (column, value);
                ends[row as usize] += 1;
            }
        }
        let mut rows = Rows { starts: vec![0], ..Rows::default() };
        let mut start = 0;
        for &end in &ends[..n] {
            let row = &mut entries[start..end];
            start = end;
            row.sort_by_key(|&(column, _)| column);
            for same in row.chunk_by(|a, b| a.0 == b.0) {
                let value: f64 = same.iter().map(|&(_, value)| value).sum();
                if value != 0.0 {
                    rows.columns.push(same[0].0);
                    rows.values.push(value);
                }
            }
            rows.starts.push(rows.columns.len());
        }
        rows
    }
}

/// The entries of one row above the diagonal.
#[derive(Clone)]
enum Upper<'a> {
    Dense(std::iter::Enumerate<std::slice::Iter<'a, f64>>, usize),
    Sparse(std::iter::Zip<std::slice::Iter<'a, u32>, std::slice::Iter<'a, f64>>),
}

impl Iterator for Upper<'_> {
    type Item = (usize, f64);

    fn next(&mut self) -> Option<(usize, f64)> {
        match self {
            Upper::Dense(entries, first) => {
                entries.find(|(_, value)| **value != 0.0).map(|(j, &value)| (*first + j, value))
            }
            Upper::Sparse(entries) => entries.next().map(|(&j, &value)| (j as usize, value)),
        }
    }
}

impl Pairs {
    /// The least limit of all storages: column numbers are `u32`.
    pub fn check_size(n: usize, names: Names) -> Result<(), Error> {
        let limit = u32::MAX as usize;
        if n <= limit {
            return Ok(());
        }
        Err(ErrorKind::TooManyVariables {
            given: n,
            limit,
            what: names.variable,
            method: "one model",
            remedy: "split it",
        }
        .into())
    }

    /// The upper triangle of a matrix whose lower triangle is empty or mirrors it.
    pub fn dense(n: usize, given: &[f64], names: Names) -> Result<Pairs, Error> {
        Self::check_size(n, names)?;
        length(names.matrix, n.saturating_mul(n), given.len())?;
        let mut matrix = vec![0.0; n * n];
        let (mut mirrors, mut empty, mut all_finite, mut n_pairs) = (true, true, true, 0);
        for top in (0..n).step_by(TILE) {
            for left in (top..n).step_by(TILE) {
                for i in top..(top + TILE).min(n) {
                    for j in left.max(i + 1)..(left + TILE).min(n) {
                        let (upper, lower) = (given[i * n + j], given[j * n + i]);
                        mirrors &= upper == lower;
                        empty &= lower == 0.0;
                        all_finite &= upper.is_finite();
                        n_pairs += usize::from(upper != 0.0);
                        (matrix[i * n + j], matrix[j * n + i]) = (upper, upper);
                    }
                }
            }
        }
        let diagonal_is_empty = (0..n).all(|i| given[i * n + i] == 0.0);
        if !(all_finite && (mirrors || empty) && diagonal_is_empty) {
            return Err(refusal(n, given, names));
        }
        Ok(Pairs { n, n_pairs, matrix: Some(matrix), rows: OnceLock::new() })
    }

    /// The sum of a matrix's two triangles.
    pub fn dense_folded(n: usize, given: &[f64], names: Names) -> Result<Pairs, Error> {
        Self::check_size(n, names)?;
        length(names.matrix, n.saturating_mul(n), given.len())?;
        let mut matrix = vec![0.0; n * n];
        let (mut all_finite, mut n_pairs) = (true, 0);
        for top in (0..n).step_by(TILE) {
            for left in (top..n).step_by(TILE) {
                for i in top..(top + TILE).min(n) {
                    for j in left.max(i + 1)..(left + TILE).min(n) {
                        let value = given[i * n + j] + given[j * n + i];
                        all_finite &= value.is_finite();
                        n_pairs += usize::from(value != 0.0);
                        (matrix[i * n + j], matrix[j * n + i]) = (value, value);
                    }
                }
            }
        }
        if !all_finite {
            return Err(refusal_of_fold(n, given, names));
        }
        Ok(Pairs { n, n_pairs, matrix: Some(matrix), rows: OnceLock::new() })
    }

    /// The sum of entries in any order.
    pub fn sparse(
        n: usize,
        entries: impl IntoIterator<Item = (usize, usize, f64)>,
        names: Names,
    ) -> Result<Pairs, Error> {
        Self::check_size(n, names)?;
        let entries = entries.into_iter();
        let mut triplets = Vec::with_capacity(entries.size_hint().0.min(1 << 20));
        for (i, j, value) in entries {
            if i >= n || j >= n {
                let (what, variable) = (names.pair, names.variable);
                return Err(ErrorKind::PairOutOfRange { what, i, j, variable, n }.into());
            }
            finite(|| format!("{} ({i}, {j})", names.pair), value)?;
            if i == j {
                return Err(diagonal(i, value, names));
            }
            triplets.push((i as u32, j as u32, value));
        }
        Self::of_triplets(n, &triplets, names)
    }

    fn of_triplets(n: usize, triplets: &[(u32, u32, f64)], names: Names) -> Result<Pairs, Error> {
        let rows = Rows::of_triplets(n, triplets);
        let n_pairs = rows.columns.len() / 2;
        let pairs = Pairs { n, n_pairs, matrix: None, rows: OnceLock::from(rows) };
        for (i, j, value) in pairs.iter() {
            finite(|| format!("the sum of {} ({i}, {j})", names.pair), value)?;
        }
        Ok(pairs)
    }

    pub fn len(&self) -> usize {
        self.n_pairs
    }

    pub fn is_dense(&self) -> bool {
        self.matrix.is_some()
    }

    /// The share of pairs whose coefficient is not zero; 0 without pairs.
    pub fn density(&self) -> f64 {
        let pairs = self.n as f64 * (self.n as f64 - 1.0) / 2.0;
        if self.n_pairs == 0 { 0.0 } else { self.n_pairs as f64 / pairs }
    }

    pub fn row(&self, i: usize) -> Option<&[f64]> {
        assert!(i < self.n, "row {i} of {}", self.n);
        self.matrix.as_ref().map(|matrix| &matrix[i * self.n..][..self.n])
    }

    pub fn neighbours(&self, i: usize) -> (&[u32], &[f64]) {
        self.rows().row(i)
    }

    fn rows(&self) -> &Rows {
        self.rows.get_or_init(|| {
            Rows::of_matrix(self.n, self.n_pairs, self.matrix.as_deref().unwrap_or(&[]))
        })
    }

    fn upper(&self, i: usize) -> Upper<'_> {
        match self.row(i) {
            Some(row) => Upper::Dense(row[i + 1..].iter().enumerate(), i + 1),
            None => {
                let (columns, values) = self.neighbours(i);
                let first = columns.partition_point(|&j| j as usize <= i);
                Upper::Sparse(columns[first..].iter().zip(&values[first..]))
            }
        }
    }

    /// `(i, j, value)` with `i < j`, in ascending order, without zeros.
    pub fn iter(&self) -> impl Iterator<Item = (usize, usize, f64)> + Clone + '_ {
        let row = |i| Row { i, upper: self.upper(i) };
        (0..self.n).flat_map(row)
    }

    /// `sum_j value_ij v_j`.
    pub fn row_dot(&self, i: usize, variables: &[i8]) -> f64 {
        match self.row(i) {
            Some(row) => dot(row, variables),
            None => {
                let (columns, values) = self.neighbours(i);
                let term = |(&j, value): (&u32, &f64)| value * f64::from(variables[j as usize]);
                columns.iter().zip(values).map(term).sum()
            }
        }
    }

    /// `sum_i v_i (linear_i + sum_{j>i} value_ij v_j)`.
    pub fn energy(&self, linear: &[f64], variables: &[i8]) -> f64 {
        let row = |(i, &v): (usize, &i8)| {
            let sum = match self.row(i) {
                Some(row) if v != 0 => dot(&row[i + 1..], &variables[i + 1..]),
                Some(_) => 0.0,
                None => self.upper(i).map(|(j, value)| value * f64::from(variables[j])).sum(),
            };
            f64::from(v) * (linear[i] + sum)
        };
        variables.iter().enumerate().map(row).sum()
    }

    pub fn map(&self, f: impl Fn(f64) -> f64, names: Names) -> Result<Pairs, Error> {
        let entries = self.iter().map(|(i, j, value)| (i, j, f(value)));
        match &self.matrix {
            None => Self::sparse(self.n, entries, names),
            Some(_) => {
                let mut matrix = vec![0.0; self.n * self.n];
                entries.for_each(|(i, j, value)| matrix[i * self.n + j] = value);
                Self::dense(self.n, &matrix, names)
            }
        }
    }

    /// The same coefficients as a matrix.
    pub fn to_dense(&self, names: Names) -> Result<Pairs, Error> {
        let mut matrix = vec![0.0; self.n.saturating_mul(self.n)];
        self.iter().for_each(|(i, j, value)| matrix[i * self.n + j] = value);
        Self::dense(self.n, &matrix, names)
    }

    /// The same coefficients as compressed rows alone.
    pub fn to_sparse(&self) -> Pairs {
        let rows = OnceLock::from(self.rows().clone());
        Pairs { n: self.n, n_pairs: self.n_pairs, matrix: None, rows }
    }

    pub fn max_abs(&self) -> f64 {
        self.iter().fold(0.0, |max, (_, _, value)| max.max(value.abs()))
    }
}

/// Equal coefficients, whatever the storage.
impl PartialEq for Pairs {
    fn eq(&self, other: &Self) -> bool {
        self.n == other.n && self.n_pairs == other.n_pairs && self.iter().eq(other.iter())
    }
}

#[derive(Clone)]
struct Row<'a> {
    i: usize,
    upper: Upper<'a>,
}

impl Iterator for Row<'_> {
    type Item = (usize, usize, f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.upper.next().map(|(j, value)| (self.i, j, value))
    }
}

/// Partial sums in eight lanes, so that it runs at the speed of memory; the order is fixed.
fn dot(values: &[f64], variables: &[i8]) -> f64 {
    let mut sums = [0.0; 8];
    let (blocks, rest) = values.as_chunks::<8>();
    let (of_blocks, of_rest) = variables.as_chunks::<8>();
    for (block, v) in blocks.iter().zip(of_blocks) {
        for lane in 0..8 {
            sums[lane] += block[lane] * f64::from(v[lane]);
        }
    }
    let tail: f64 = rest.iter().zip(of_rest).map(|(value, &v)| value * f64::from(v)).sum();
    sums.iter().sum::<f64>() + tail
}

fn diagonal(i: usize, value: f64, names: Names) -> Error {
    ErrorKind::DiagonalPair { what: names.pair, i, value, remedy: names.diagonal }.into()
}

/// Why [`Pairs::dense`] does not take a matrix.
fn refusal(n: usize, given: &[f64], names: Names) -> Error {
    let at = |i: usize, j: usize| given[i * n + j];
    let pairs = || (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    for (k, &value) in given.iter().enumerate() {
        if let Err(error) = finite(|| format!("{} ({}, {})", names.pair, k / n, k % n), value) {
            return error;
        }
        if k / n == k % n && value != 0.0 {
            return diagonal(k / n, value, names);
        }
    }
    let (i, j) = pairs().find(|&(i, j)| at(i, j) != at(j, i)).unwrap_or_default();
    let (k, l) = pairs().find(|&(i, j)| at(j, i) != 0.0).unwrap_or_default();
    let (upper, lower, other) = (at(i, j), at(j, i), at(l, k));
    ErrorKind::Asymmetric { what: names.pair, i, j, upper, lower, row: l, column: k, other }.into()
}

/// Why [`Pairs::dense_folded`] does not take a matrix.
fn refusal_of_fold(n: usize, given: &[f64], names: Names) -> Error {
    let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
    let of_entries = pairs.clone().map(|(i, j)| (i, j, given[i * n + j]));
    let of_sums = pairs.map(|(i, j)| (i, j, given[i * n + j] + given[j * n + i]));
    let bad = of_entries.chain(of_sums).find(|(_, _, value)| !value.is_finite());
    let (i, j, value) = bad.unwrap_or_default();
    ErrorKind::NotFinite { what: format!("{} ({i}, {j})", names.pair), value }.into()
}
