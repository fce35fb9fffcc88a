//! Errors of the measurement itself, and their removal from expectation values.

use super::{Circuit, CircuitSampler, MAX_QUBITS};
use crate::error::{Error, ErrorKind, finite};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often each qubit is read out wrongly: `P(1|0)` of a qubit in 0, and `P(0|1)` of one in 1.
///
/// Qubits err independently, so the confusion matrix of a device is the tensor product of
/// `A_q = [[1 - P(1|0), P(0|1)], [P(1|0), 1 - P(0|1)]]`. Its inverse is one, too: an expectation
/// value without these errors is the mean of `prod_q f_q(bit_q)` over the shots, with `f_q` the
/// solution of `A_q^T f_q = (1, -1)`, in place of the mean of `prod_q (-1)^bit_q`. Only the qubits
/// that a Pauli string acts on enter. The mean stays unbiased; its standard error grows, for each of
/// them, by up to `1 / (1 - P(1|0) - P(0|1))`.
///
/// # References
///
/// - [Bravyi et al. (2021)](https://arxiv.org/abs/2006.14044), section II, the tensor product noise
///   model.
///
/// ```
/// use burn_quantum::circuit::ReadoutErrors;
/// use burn_quantum::statevector::ShotSimulator;
///
/// let errors = ReadoutErrors::new([[0.01, 0.03], [0.02, 0.05]])?;
/// let device = ShotSimulator::new(2026).with_readout_errors(errors.clone());
/// let measured = ReadoutErrors::calibrate(&device, 2, 100_000)?;
/// for (measured, truth) in measured.flips().iter().zip(errors.flips()) {
///     assert!((measured[0] - truth[0]).abs() < 0.005 && (measured[1] - truth[1]).abs() < 0.005);
/// }
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<[f64; 2]>", into = "Vec<[f64; 2]>")]
pub struct ReadoutErrors {
    flips: Vec<[f64; 2]>,
}

/// The least determinant of a confusion matrix that is inverted: a string of one qubit then takes
/// 400 times the shots.
const MIN_DETERMINANT: f64 = 0.05;

impl ReadoutErrors {
    /// `[P(1|0), P(0|1)]` of each qubit, from qubit 0 on.
    ///
    /// # Errors
    ///
    /// When a probability is not between 0 and 1, or there are more qubits than a basis index has
    /// bits.
    pub fn new(flips: impl IntoIterator<Item = [f64; 2]>) -> Result<Self, Error> {
        let flips: Vec<[f64; 2]> = flips.into_iter().collect();
        if flips.len() > MAX_QUBITS {
            let qubit = flips.len() - 1;
            return Err(ErrorKind::QubitOutOfRange { qubit, n_qubits: MAX_QUBITS }.into());
        }
        for (q, pair) in flips.iter().enumerate() {
            for (what, &p) in ["P(1|0)", "P(0|1)"].iter().zip(pair) {
                let what = || format!("{what} of qubit {q}");
                if !(0.0..=1.0).contains(&finite(what, p)?) {
                    let range = "0 to 1";
                    return Err(ErrorKind::OutOfRange { what: what(), value: p, range }.into());
                }
            }
        }
        Ok(Self { flips })
    }

    /// Measures the errors of a device: one call of [`CircuitSampler::run`] with two circuits, all
    /// qubits in 0 and all in 1. Errors of the gates that flip them are taken for errors of the
    /// read-out.
    ///
    /// Each probability `p` has the standard error `sqrt(p (1 - p) / shots)`.
    ///
    /// # Errors
    ///
    /// When the device refuses or fails.
    pub fn calibrate(
        sampler: &dyn CircuitSampler,
        n_qubits: usize,
        shots: usize,
    ) -> Result<Self, Error> {
        let zeros = Circuit::new(n_qubits);
        let mut ones = zeros.clone();
        for q in 0..n_qubits {
            ones.x(q);
        }
        let counts = super::sampler::counts(sampler, &[zeros, ones], shots)?;
        let found = |counts: &BTreeMap<usize, usize>, q: usize, bit: usize| {
            let matching = counts.iter().filter(|(bits, _)| *bits >> q & 1 == bit);
            matching.map(|(_, &count)| count).sum::<usize>() as f64 / shots as f64
        };
        Self::new((0..n_qubits).map(|q| [found(&counts[0], q, 1), found(&counts[1], q, 0)]))
    }

    /// `[P(1|0), P(0|1)]` of each qubit.
    pub fn flips(&self) -> &[[f64; 2]] {
        &self.flips
    }

    /// What qubit `q`, found in 0 and in 1, contributes to a parity.
    pub(super) fn signs(&self) -> Result<Vec<[f64; 2]>, Error> {
        let invert = |(q, &[up, down]): (usize, &[f64; 2])| {
            let determinant = 1.0 - up - down;
            if determinant >= MIN_DETERMINANT {
                return Ok([up - down + 1.0, up - down - 1.0].map(|f| f / determinant));
            }
            let what = format!("P(1|0) + P(0|1) of qubit {q}");
            let range = "0.95 at most, as the outcomes say too little otherwise: avoid this qubit";
            Err(ErrorKind::OutOfRange { what, value: up + down, range }.into())
        };
        self.flips.iter().enumerate().map(invert).collect()
    }
}

impl TryFrom<Vec<[f64; 2]>> for ReadoutErrors {
    type Error = Error;

    fn try_from(flips: Vec<[f64; 2]>) -> Result<Self, Error> {
        Self::new(flips)
    }
}

impl From<ReadoutErrors> for Vec<[f64; 2]> {
    fn from(errors: ReadoutErrors) -> Self {
        errors.flips
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_solve_the_transposed_confusion_matrix() {
        for [up, down] in [[0.0, 0.0], [0.1, 0.02], [0.0, 0.9], [0.5, 0.44]] {
            let [zero, one] = ReadoutErrors::new([[up, down]]).unwrap().signs().unwrap()[0];
            assert!(((1.0 - up) * zero + up * one - 1.0).abs() < 1e-13);
            assert!((down * zero + (1.0 - down) * one + 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn singular_and_impossible_errors_are_refused() {
        let singular = ReadoutErrors::new([[0.1, 0.1], [0.5, 0.5]]).unwrap().signs().unwrap_err();
        assert_eq!(
            singular.to_string(),
            "P(1|0) + P(0|1) of qubit 1 is 1: use 0.95 at most, as the outcomes say too little \
             otherwise: avoid this qubit"
        );
        let message = |flips| ReadoutErrors::new([flips]).unwrap_err().to_string();
        assert_eq!(message([0.0, 1.5]), "P(0|1) of qubit 0 is 1.5: use 0 to 1");
        assert_eq!(message([f64::NAN, 0.0]), "P(1|0) of qubit 0 is NaN: it must be finite");
        assert!(serde_json::from_str::<ReadoutErrors>("[[0.1, -0.1]]").is_err());
    }
}
