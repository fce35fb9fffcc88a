//! Noise channels.

use super::PauliString;
use crate::error::{Error, ErrorKind, finite, length};
use num_complex::Complex64;

/// A quantum channel on one or two qubits, `E(rho) = sum_k K_k rho K_k^dagger` with
/// `sum_k K_k^dagger K_k = 1`.
///
/// # References
///
/// - Nielsen and Chuang, Quantum Computation and Quantum Information, section 8.3. Their `p` of
///   the depolarizing channel is our `4 p / 3`, their `p` of the flips is our `1 - p`.
///
/// ```
/// use burn_quantum::circuit::Channel;
///
/// assert_eq!(Channel::depolarizing(0.01)?.kraus().len(), 4);
/// let error = Channel::bit_flip(1.5).unwrap_err();
/// assert_eq!(error.to_string(), "the probability of a bit flip is 1.5: use 0 to 1");
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    n_qubits: usize,
    kraus: Vec<Vec<Complex64>>,
}

/// How far `sum_k K_k^dagger K_k` may be from the identity, in each entry.
const TOLERANCE: f64 = 1e-10;

impl Channel {
    /// `X` with probability `p`, so `<Z>` and `<Y>` shrink by `1 - 2 p`.
    ///
    /// # Errors
    ///
    /// When `p` is not between 0 and 1; so do all channels for their probabilities.
    pub fn bit_flip(p: f64) -> Result<Self, Error> {
        let p = probability("the probability of a bit flip", p)?;
        Self::pauli(p, 0.0, 0.0)
    }

    /// `Z` with probability `p`, so `<X>` and `<Y>` shrink by `1 - 2 p`.
    pub fn phase_flip(p: f64) -> Result<Self, Error> {
        let p = probability("the probability of a phase flip", p)?;
        Self::pauli(0.0, 0.0, p)
    }

    /// `Y` with probability `p`, so `<X>` and `<Z>` shrink by `1 - 2 p`.
    pub fn bit_phase_flip(p: f64) -> Result<Self, Error> {
        let p = probability("the probability of a bit-phase flip", p)?;
        Self::pauli(0.0, p, 0.0)
    }

    /// `X`, `Y` or `Z`, each with probability `p / 3`, so the Bloch vector shrinks by
    /// `1 - 4 p / 3`. At `p = 3/4` nothing is left of it.
    pub fn depolarizing(p: f64) -> Result<Self, Error> {
        let p = probability("the probability of depolarizing", p)?;
        Self::pauli(p / 3.0, p / 3.0, p / 3.0)
    }

    /// On two qubits, each of the 15 Pauli strings but the identity with probability `p / 15`.
    pub fn two_qubit_depolarizing(p: f64) -> Result<Self, Error> {
        let p = probability("the probability of depolarizing", p)?;
        let strings = (0..16).map(|k| PauliString { x: k % 4, z: k / 4 });
        let weighted =
            strings.map(|s| (if s == PauliString::IDENTITY { 1.0 - p } else { p / 15.0 }, s));
        Ok(Self { n_qubits: 2, kraus: of_strings(2, weighted) })
    }

    /// `X`, `Y` and `Z` with the probabilities `p_x`, `p_y` and `p_z`.
    pub fn pauli(p_x: f64, p_y: f64, p_z: f64) -> Result<Self, Error> {
        probability("the probability of X", p_x)?;
        probability("the probability of Y", p_y)?;
        probability("the probability of Z", p_z)?;
        let p_i = probability("the probability of no error", 1.0 - p_x - p_y - p_z)?;
        let strings = [(p_i, (0, 0)), (p_x, (1, 0)), (p_y, (1, 1)), (p_z, (0, 1))];
        let weighted = strings.into_iter().map(|(p, (x, z))| (p, PauliString { x, z }));
        Ok(Self { n_qubits: 1, kraus: of_strings(1, weighted) })
    }

    /// Decay of `|1>` to `|0>` with probability `gamma = 1 - exp(-t / T1)` in a time `t`.
    pub fn amplitude_damping(gamma: f64) -> Result<Self, Error> {
        Self::generalized_amplitude_damping(gamma, 1.0)
    }

    /// Relaxation with probability `gamma` towards a state that is `|0>` with probability `p` and
    /// `|1>` otherwise: amplitude damping at a temperature.
    pub fn generalized_amplitude_damping(gamma: f64, p: f64) -> Result<Self, Error> {
        let gamma = probability("the probability of decay", gamma)?;
        let p = probability("the equilibrium probability of |0>", p)?;
        let (keep, jump) = ((1.0 - gamma).sqrt(), gamma.sqrt());
        let (down, up) = (p.sqrt(), (1.0 - p).sqrt());
        let kraus = [
            [down, 0.0, 0.0, down * keep],
            [0.0, down * jump, 0.0, 0.0],
            [up * keep, 0.0, 0.0, up],
            [0.0, 0.0, up * jump, 0.0],
        ];
        Ok(Self { n_qubits: 1, kraus: nonzero(kraus) })
    }

    /// Loss of phase without loss of energy: `rho_01` shrinks by `sqrt(1 - gamma)`. The same
    /// channel as a phase flip with `1 - 2 p = sqrt(1 - gamma)`.
    pub fn phase_damping(gamma: f64) -> Result<Self, Error> {
        let gamma = probability("the probability of a phase jump", gamma)?;
        let kraus = [[1.0, 0.0, 0.0, (1.0 - gamma).sqrt()], [0.0, 0.0, 0.0, gamma.sqrt()]];
        Ok(Self { n_qubits: 1, kraus: nonzero(kraus) })
    }

    /// Any Kraus operators on 1 or 2 qubits, `2^n x 2^n` matrices, row-major, the first qubit the
    /// least significant bit of the index.
    ///
    /// # Errors
    ///
    /// When there are other numbers of qubits or entries, an entry is not finite, or
    /// `sum_k K_k^dagger K_k` is further than `1e-10` from the identity.
    ///
    /// ```
    /// use burn_quantum::circuit::Channel;
    ///
    /// let half = [0.5, 0.0, 0.0, 0.5].map(|a| a.into()).to_vec();
    /// let error = Channel::from_kraus(1, vec![half]).unwrap_err().to_string();
    /// assert!(error.contains("deviates by 0.75"), "{error}");
    /// ```
    pub fn from_kraus(n_qubits: usize, kraus: Vec<Vec<Complex64>>) -> Result<Self, Error> {
        if !(1..=2).contains(&n_qubits) {
            let (what, value) = ("the number of qubits of a channel".into(), n_qubits as f64);
            return Err(ErrorKind::OutOfRange { what, value, range: "1 or 2" }.into());
        }
        for (k, operator) in kraus.iter().enumerate() {
            length("a Kraus operator", 1 << (2 * n_qubits), operator.len())?;
            for z in operator {
                finite(|| format!("an entry of Kraus operator {k}"), z.re)?;
                finite(|| format!("an entry of Kraus operator {k}"), z.im)?;
            }
        }
        let channel = Self { n_qubits, kraus };
        match channel.deviation() {
            deviation if deviation <= TOLERANCE => Ok(channel),
            deviation => Err(ErrorKind::Incomplete { deviation, limit: TOLERANCE }.into()),
        }
    }

    /// The largest entry of `sum_k K_k^dagger K_k - 1`.
    fn deviation(&self) -> f64 {
        let dim = 1 << self.n_qubits;
        let entry = |i: usize, j: usize| -> Complex64 {
            let column = |k: &Vec<Complex64>| -> Complex64 {
                (0..dim).map(|r| k[r * dim + i].conj() * k[r * dim + j]).sum()
            };
            self.kraus.iter().map(column).sum()
        };
        let unit = |i, j| Complex64::from((i == j) as u8 as f64);
        let pairs = (0..dim).flat_map(|i| (0..dim).map(move |j| (i, j)));
        pairs.map(|(i, j)| (entry(i, j) - unit(i, j)).norm()).fold(0.0, f64::max)
    }

    /// The number of qubits it acts on, 1 or 2.
    pub fn n_qubits(&self) -> usize {
        self.n_qubits
    }

    /// The Kraus operators, row-major.
    pub fn kraus(&self) -> &[Vec<Complex64>] {
        &self.kraus
    }
}

fn probability(what: &str, value: f64) -> Result<f64, Error> {
    // Rounding may leave a difference of probabilities just below 0.
    if (-1e-15..=1.0).contains(&value) {
        return Ok(value.max(0.0));
    }
    Err(ErrorKind::OutOfRange { what: what.into(), value, range: "0 to 1" }.into())
}

/// `sqrt(p) P` for each string that has a probability.
fn of_strings(
    n_qubits: usize,
    strings: impl Iterator<Item = (f64, PauliString)>,
) -> Vec<Vec<Complex64>> {
    let dim = 1usize << n_qubits;
    let matrix = |(p, s): (f64, PauliString)| {
        let mut matrix = vec![Complex64::ZERO; dim * dim];
        (0..dim).for_each(|i| matrix[(i ^ s.x) * dim + i] = p.sqrt() * s.phase(i));
        matrix
    };
    strings.filter(|(p, _)| *p > 0.0).map(matrix).collect()
}

fn nonzero<const N: usize>(kraus: [[f64; 4]; N]) -> Vec<Vec<Complex64>> {
    let some = kraus.into_iter().filter(|k| k.iter().any(|&x| x != 0.0));
    some.map(|k| k.map(Complex64::from).to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_is_complete() {
        for p in [0.0, 0.3, 1.0] {
            let channels = [
                Channel::bit_flip(p),
                Channel::phase_flip(p),
                Channel::bit_phase_flip(p),
                Channel::depolarizing(p),
                Channel::two_qubit_depolarizing(p),
                Channel::pauli(p / 2.0, p / 4.0, p / 4.0),
                Channel::amplitude_damping(p),
                Channel::generalized_amplitude_damping(p, 0.4),
                Channel::phase_damping(p),
            ];
            for channel in channels {
                let channel = channel.unwrap();
                assert!(channel.deviation() < 1e-15, "{channel:?}");
                assert!(Channel::from_kraus(channel.n_qubits, channel.kraus).is_ok());
            }
        }
    }

    #[test]
    fn what_is_no_channel_is_refused() {
        let message = |channel: Result<Channel, Error>| channel.unwrap_err().to_string();
        let nan = message(Channel::amplitude_damping(f64::NAN));
        assert_eq!(nan, "the probability of decay is NaN: use 0 to 1");
        let sum = message(Channel::pauli(0.5, 0.5, 0.5));
        assert!(sum.starts_with("the probability of no error is -0"), "{sum}");
        let size = message(Channel::from_kraus(2, vec![vec![Complex64::ONE; 4]]));
        assert_eq!(size, "a Kraus operator has 4 values, expected 16");
        assert!(Channel::from_kraus(1, vec![]).unwrap_err().is_invalid_value());
        assert!(message(Channel::from_kraus(3, vec![])).contains("use 1 or 2"));
    }
}
