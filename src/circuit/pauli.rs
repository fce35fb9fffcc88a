//! Pauli strings and the observables built from them.

use crate::error::{Error, ErrorKind, finite};
use num_complex::Complex64;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// One Pauli matrix.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pauli {
    X,
    Y,
    Z,
}

/// A product of Pauli matrices on different qubits, such as `Z0 X3`; empty, the identity.
///
/// Kept as two bit masks: qubit `q` carries X if only bit `q` of `x` is set, Z if only that of
/// `z`, Y if both are. On a basis state `P|i> = phase(i) |i ^ x>`.
///
/// ```
/// use burn_quantum::circuit::PauliString;
///
/// let string: PauliString = "Z0 X3".parse()?;
/// assert_eq!(string, PauliString::z(0) * PauliString::x(3));
/// assert_eq!(string.to_string(), "Z0 X3");
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PauliString {
    pub(crate) x: usize,
    pub(crate) z: usize,
}

/// The highest qubit number that a Pauli string can name, plus one.
pub const MAX_QUBITS: usize = usize::BITS as usize;

impl PauliString {
    /// The identity.
    pub const IDENTITY: PauliString = PauliString { x: 0, z: 0 };

    /// Pauli `X` on one qubit.
    ///
    /// # Panics
    ///
    /// Panics if `qubit >= MAX_QUBITS`, as do [`y`](Self::y) and [`z`](Self::z).
    pub fn x(qubit: usize) -> Self {
        Self::single(qubit, Pauli::X)
    }

    /// Pauli `Y` on one qubit.
    pub fn y(qubit: usize) -> Self {
        Self::single(qubit, Pauli::Y)
    }

    /// Pauli `Z` on one qubit.
    pub fn z(qubit: usize) -> Self {
        Self::single(qubit, Pauli::Z)
    }

    /// One Pauli matrix on one qubit.
    pub fn single(qubit: usize, pauli: Pauli) -> Self {
        assert!(qubit < MAX_QUBITS, "qubit {qubit} exceeds {}", MAX_QUBITS - 1);
        let bit = 1 << qubit;
        match pauli {
            Pauli::X => Self { x: bit, z: 0 },
            Pauli::Y => Self { x: bit, z: bit },
            Pauli::Z => Self { x: 0, z: bit },
        }
    }

    /// Whether the string holds only `Z` and identities, so that a basis state is an eigenstate.
    pub fn is_diagonal(&self) -> bool {
        self.x == 0
    }

    /// The least number of qubits on which the string can act.
    pub fn n_qubits(&self) -> usize {
        MAX_QUBITS - (self.x | self.z).leading_zeros() as usize
    }

    /// `k` such that `P|i> = i^k (-1)^parity(i & z) |i ^ x>`: the number of `Y` factors, modulo 4.
    pub(crate) fn quarter_turns(&self) -> u32 {
        (self.x & self.z).count_ones() % 4
    }

    /// `P|i> = phase(i) |i ^ x>`.
    pub(crate) fn phase(&self, index: usize) -> Complex64 {
        let turns = self.quarter_turns() + 2 * ((index & self.z).count_ones() % 2);
        Complex64::I.powu(turns % 4)
    }

    pub(super) fn factor(&self, qubit: usize) -> Option<Pauli> {
        match (self.x >> qubit & 1, self.z >> qubit & 1) {
            (1, 0) => Some(Pauli::X),
            (1, 1) => Some(Pauli::Y),
            (0, 1) => Some(Pauli::Z),
            _ => None,
        }
    }
}

/// The product of strings on different qubits.
///
/// # Panics
///
/// Panics where both act on the same qubit: the product would carry a phase.
impl std::ops::Mul for PauliString {
    type Output = PauliString;

    fn mul(self, other: PauliString) -> PauliString {
        let shared = (self.x | self.z) & (other.x | other.z);
        assert_eq!(shared, 0, "`{self}` and `{other}` share a qubit");
        PauliString { x: self.x | other.x, z: self.z | other.z }
    }
}

impl fmt::Display for PauliString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = (0..self.n_qubits()).filter_map(|q| Some((q, self.factor(q)?)));
        let text: Vec<String> = named.map(|(q, p)| format!("{p:?}{q}")).collect();
        f.write_str(if text.is_empty() { "I".into() } else { text.join(" ") }.as_str())
    }
}

impl FromStr for PauliString {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let syntax = || ErrorKind::PauliSyntax { given: text.into() };
        let mut string = PauliString::IDENTITY;
        for word in text.split_whitespace().filter(|&word| word != "I") {
            let pauli = match word.as_bytes()[0] {
                b'X' => Pauli::X,
                b'Y' => Pauli::Y,
                b'Z' => Pauli::Z,
                _ => return Err(syntax().into()),
            };
            let qubit: usize = word[1..].parse().map_err(|_| syntax())?;
            let taken = string.x | string.z;
            if qubit >= MAX_QUBITS || taken >> qubit & 1 == 1 {
                return Err(syntax().into());
            }
            string = string * PauliString::single(qubit, pauli);
        }
        Ok(string)
    }
}

impl Serialize for PauliString {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PauliString {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A Hermitian observable: a real combination of Pauli strings, `O = sum_k c_k P_k`.
///
/// ```
/// use burn_quantum::circuit::{Observable, PauliString};
///
/// let energy = Observable::new([(0.5, PauliString::z(0)), (-1.0, "Z0 Z1".parse()?)])?;
/// assert_eq!(energy.terms().len(), 2);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(f64, PauliString)>", into = "Vec<(f64, PauliString)>")]
pub struct Observable {
    terms: Vec<(f64, PauliString)>,
}

impl Observable {
    /// The combination of these terms.
    ///
    /// # Errors
    ///
    /// When a coefficient is NaN or infinite.
    pub fn new(terms: impl IntoIterator<Item = (f64, PauliString)>) -> Result<Self, Error> {
        let check = |(c, p)| Ok((finite(|| format!("the coefficient of `{p}`"), c)?, p));
        let terms = terms.into_iter().map(check).collect::<Result<_, Error>>()?;
        Ok(Self { terms })
    }

    /// `[Z_0, ..., Z_{n-1}]`, the read-out that gives mean spins.
    pub fn each_z(n_qubits: usize) -> Vec<Observable> {
        (0..n_qubits).map(|q| PauliString::z(q).into()).collect()
    }

    /// The coefficients and their strings.
    pub fn terms(&self) -> &[(f64, PauliString)] {
        &self.terms
    }

    /// The least number of qubits on which the observable can act.
    pub fn n_qubits(&self) -> usize {
        self.terms.iter().map(|(_, p)| p.n_qubits()).max().unwrap_or(0)
    }
}

impl From<PauliString> for Observable {
    fn from(string: PauliString) -> Self {
        Self { terms: vec![(1.0, string)] }
    }
}

impl TryFrom<Vec<(f64, PauliString)>> for Observable {
    type Error = Error;

    fn try_from(terms: Vec<(f64, PauliString)>) -> Result<Self, Error> {
        Self::new(terms)
    }
}

impl From<Observable> for Vec<(f64, PauliString)> {
    fn from(observable: Observable) -> Self {
        observable.terms
    }
}

/// The dense matrix of a string, one Pauli a qubit, row-major, the first the least significant.
pub(crate) fn dense(paulis: &[Pauli]) -> Vec<Complex64> {
    let dim = 1usize << paulis.len();
    let strings = paulis.iter().enumerate().map(|(q, &p)| PauliString::single(q, p));
    let string = strings.fold(PauliString::IDENTITY, |a, b| a * b);
    let mut matrix = vec![Complex64::ZERO; dim * dim];
    for i in 0..dim {
        matrix[(i ^ string.x) * dim + i] = string.phase(i);
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_single_matrices_are_the_textbook_ones() {
        let (o, l, i) = (Complex64::ZERO, Complex64::ONE, Complex64::I);
        assert_eq!(dense(&[Pauli::X]), [o, l, l, o]);
        assert_eq!(dense(&[Pauli::Y]), [o, -i, i, o]);
        assert_eq!(dense(&[Pauli::Z]), [l, o, o, -l]);
    }

    #[test]
    fn text_round_trips_and_nonsense_is_refused() {
        for text in ["I", "Z0", "X0 Y1 Z5"] {
            assert_eq!(text.parse::<PauliString>().unwrap().to_string(), text);
        }
        for text in ["W0", "Z", "Z0 X0", "Z-1", "Z64", "é0"] {
            let error = text.parse::<PauliString>().unwrap_err();
            assert!(error.is_syntax() && error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn a_coefficient_that_is_not_finite_is_refused() {
        let error = Observable::new([(f64::NAN, PauliString::z(3))]).unwrap_err();
        assert!(error.is_invalid_value());
        assert_eq!(error.to_string(), "the coefficient of `Z3` is NaN: it must be finite");
    }
}
