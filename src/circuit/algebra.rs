//! Sums and products of Pauli strings, and the strings of a Hermitian matrix.

use super::{Observable, PauliString, pauli::MAX_QUBITS};
use crate::error::{Error, ErrorKind, finite, length};
use num_complex::Complex64;
use std::collections::HashMap;
use std::ops::{Add, Mul, Neg, Sub};

/// The largest number of qubits of a matrix for [`Observable::hermitian`], which has
/// `4^n_qubits` strings.
pub const MAX_HERMITIAN_QUBITS: usize = 8;

impl PauliString {
    /// The product of any two strings, `self * other = phase * string`, with a phase of
    /// `1`, `i`, `-1` or `-i`.
    ///
    /// ```
    /// use burn_quantum::circuit::PauliString;
    /// use num_complex::Complex64;
    ///
    /// let (phase, string) = PauliString::x(0).product(PauliString::y(0));
    /// assert_eq!((phase, string), (Complex64::I, PauliString::z(0)));
    /// ```
    pub fn product(self, other: PauliString) -> (Complex64, PauliString) {
        let string = PauliString { x: self.x ^ other.x, z: self.z ^ other.z };
        // Each string is i^turns X^x Z^z. Moving Z^z of `self` past X^x of `other` flips a sign
        // for each qubit that has both.
        let turns = self.quarter_turns() + other.quarter_turns() + 4 - string.quarter_turns()
            + 2 * (self.z & other.x).count_ones();
        (Complex64::I.powu(turns % 4), string)
    }

    /// Whether `self * other = other * self`.
    pub fn commutes_with(self, other: PauliString) -> bool {
        let crossings = (self.x & other.z).count_ones() + (self.z & other.x).count_ones();
        crossings.is_multiple_of(2)
    }

    /// Whether the strings carry the same Pauli matrix on each qubit that both act on, so that
    /// measuring every qubit once gives the values of both.
    pub fn commutes_qubit_wise_with(self, other: PauliString) -> bool {
        let shared = (self.x | self.z) & (other.x | other.z);
        ((self.x ^ other.x) | (self.z ^ other.z)) & shared == 0
    }
}

impl Observable {
    /// The observable whose matrix on `qubits` is `matrix`, row-major, `qubits[0]` the least
    /// significant bit of its index: `sum_P tr(P M) / 2^n P` over all Pauli strings on them.
    ///
    /// # Errors
    ///
    /// When there are more than [`MAX_HERMITIAN_QUBITS`] qubits or one comes twice, the matrix
    /// does not have `4^n` entries, an entry is not finite, or differs from the conjugate of its
    /// mirror image by more than `1e-12` of the largest entry.
    ///
    /// ```
    /// use burn_quantum::circuit::Observable;
    ///
    /// let (x, z) = (0.6, 0.8);
    /// let matrix = [z, x, x, -z].map(|a| a.into());
    /// let spin = Observable::hermitian(&matrix, &[3])?;
    /// assert_eq!(spin, Observable::new([(x, "X3".parse()?), (z, "Z3".parse()?)])?);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn hermitian(matrix: &[Complex64], qubits: &[usize]) -> Result<Self, Error> {
        check_qubits(qubits)?;
        let dim = 1 << qubits.len();
        length("the Hermitian matrix", dim * dim, matrix.len())?;
        let scale = check_hermitian(matrix, dim)?;
        let mut terms = Vec::new();
        for (x, z) in (0..dim).flat_map(|x| (0..dim).map(move |z| (x, z))) {
            let string = PauliString { x, z };
            let diagonal = (0..dim).map(|i| string.phase(i) * matrix[i * dim + (i ^ x)]);
            let coefficient = diagonal.sum::<Complex64>().re / dim as f64;
            // Below the rounding of the sum, a coefficient is a zero.
            if coefficient.abs() > 4.0 * f64::EPSILON * scale {
                let placed = PauliString { x: spread(x, qubits), z: spread(z, qubits) };
                terms.push((coefficient, placed));
            }
        }
        terms.sort_by_key(|(_, string)| (string.z, string.x));
        Self::new(terms)
    }

    /// `self * other`, where the product is Hermitian.
    ///
    /// The square of an observable always is; a product is if and only if the factors commute.
    ///
    /// # Errors
    ///
    /// When the product is not Hermitian, or a coefficient overflows.
    ///
    /// ```
    /// use burn_quantum::circuit::{Observable, PauliString};
    ///
    /// let sum = Observable::from(PauliString::z(0)) + PauliString::z(1).into();
    /// let square = sum.product(&sum)?; // 2 + 2 Z0 Z1
    /// assert_eq!(square, Observable::new([(2.0, "I".parse()?), (2.0, "Z0 Z1".parse()?)])?);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn product(&self, other: &Observable) -> Result<Observable, Error> {
        let pairs = self.terms().iter().flat_map(|a| other.terms().iter().map(move |b| (a, b)));
        let products = pairs.map(|(&(a, p), &(b, q))| {
            let (phase, string) = p.product(q);
            (phase * a * b, string)
        });
        let terms = collected(products);
        let scale = terms.iter().map(|(c, _)| c.norm()).fold(0.0, f64::max);
        if let Some((c, p)) = terms.iter().find(|(c, _)| c.im.abs() > 1e-12 * scale) {
            let what = format!("the product has {}i times `{p}`", c.im);
            let remedy = "and only factors that commute have a Hermitian product";
            return Err(ErrorKind::NotHermitian { what, remedy }.into());
        }
        Self::new(terms.into_iter().map(|(c, p)| (c.re, p)).filter(|(c, _)| *c != 0.0))
    }
}

fn check_qubits(qubits: &[usize]) -> Result<(), Error> {
    if qubits.len() > MAX_HERMITIAN_QUBITS {
        return Err(ErrorKind::TooManyQubits {
            given: qubits.len(),
            limit: MAX_HERMITIAN_QUBITS,
            method: "Hermitian matrices",
            log2_bytes: 2 * qubits.len() + 4,
            remedy: "give the Pauli strings to `Observable::new`",
        }
        .into());
    }
    for (k, &qubit) in qubits.iter().enumerate() {
        if qubits[..k].contains(&qubit) {
            return Err(ErrorKind::RepeatedQubit { gate: "the matrix", qubit }.into());
        }
        if qubit >= MAX_QUBITS {
            return Err(ErrorKind::QubitOutOfRange { qubit, n_qubits: MAX_QUBITS }.into());
        }
    }
    Ok(())
}

/// The largest absolute value of an entry.
fn check_hermitian(matrix: &[Complex64], dim: usize) -> Result<f64, Error> {
    for (k, z) in matrix.iter().enumerate() {
        let name = || format!("entry [{}, {}] of the matrix", k / dim, k % dim);
        finite(name, z.re)?;
        finite(name, z.im)?;
    }
    let scale = matrix.iter().map(|z| z.norm()).fold(0.0, f64::max);
    for (i, j) in (0..dim).flat_map(|i| (i..dim).map(move |j| (i, j))) {
        let (a, b) = (matrix[i * dim + j], matrix[j * dim + i]);
        if (a - b.conj()).norm() > 1e-12 * scale {
            let what = format!("entry [{i}, {j}] of the matrix is {a} but [{j}, {i}] is {b}");
            return Err(ErrorKind::NotHermitian { what, remedy: "pass (M + M^dagger) / 2" }.into());
        }
    }
    Ok(scale)
}

/// Bit `k` of `bits` at place `qubits[k]`.
fn spread(bits: usize, qubits: &[usize]) -> usize {
    qubits.iter().enumerate().map(|(k, q)| (bits >> k & 1) << q).sum()
}

/// The terms with those of one string added up, in the order in which the strings first come.
fn collected<C: Copy + Add<Output = C>>(
    terms: impl IntoIterator<Item = (C, PauliString)>,
) -> Vec<(C, PauliString)> {
    let mut place = HashMap::new();
    let mut sums: Vec<(C, PauliString)> = Vec::new();
    for (c, string) in terms {
        let k = *place.entry(string).or_insert(sums.len());
        match sums.get_mut(k) {
            Some(sum) => sum.0 = sum.0 + c,
            None => sums.push((c, string)),
        }
    }
    sums
}

fn from_finite(terms: Vec<(f64, PauliString)>) -> Observable {
    let nonzero = terms.into_iter().filter(|(c, _)| *c != 0.0);
    Observable::new(nonzero).unwrap_or_else(|error| panic!("{error}"))
}

/// The sum, one term a string.
///
/// # Panics
///
/// Panics if a coefficient overflows, as do the other operators.
impl Add for Observable {
    type Output = Observable;

    fn add(self, other: Observable) -> Observable {
        from_finite(collected(self.terms().iter().chain(other.terms()).copied()))
    }
}

impl Sub for Observable {
    type Output = Observable;

    fn sub(self, other: Observable) -> Observable {
        self + -other
    }
}

impl Neg for Observable {
    type Output = Observable;

    fn neg(self) -> Observable {
        -1.0 * self
    }
}

/// # Panics
///
/// Panics if the factor is not finite, or a coefficient overflows.
impl Mul<Observable> for f64 {
    type Output = Observable;

    fn mul(self, observable: Observable) -> Observable {
        assert!(self.is_finite(), "the factor is {self}: it must be finite");
        from_finite(observable.terms().iter().map(|&(c, p)| (self * c, p)).collect())
    }
}
