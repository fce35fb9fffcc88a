//! Numbers in bits.

use crate::error::{Error, ErrorKind, finite};

/// The largest integer up to which `f64` holds all integers.
const EXACT: i64 = 1 << 53;

/// A bounded number written in bits: `v = lower + step * sum_k w_k b_k`.
///
/// The weights are `1, 2, 4, ...` and a last one that makes the largest sum equal to the number of
/// steps, so exactly the values of the range can be written, whether or not their number is a power
/// of two; some have several writings. `n` steps take `floor(log2(n)) + 1` bits.
///
/// ```
/// use burn_quantum::ising::BinaryExpansion;
///
/// let digit = BinaryExpansion::integer(0, 9)?;
/// assert_eq!(digit.weights().collect::<Vec<_>>(), [1.0, 2.0, 4.0, 2.0]);
/// assert_eq!(digit.decode(&digit.encode(9.0)?), 9.0);
///
/// let half = BinaryExpansion::fixed_point(-1.0, 1.0, 5)?; // -1, -0.5, 0, 0.5, 1
/// assert_eq!(half.decode(&half.encode(0.4)?), 0.5);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BinaryExpansion {
    lower: f64,
    step: f64,
    weights: Vec<u64>,
}

impl BinaryExpansion {
    /// The integers `lower` to `upper`, both included.
    ///
    /// # Errors
    ///
    /// When `lower > upper`, or a bound or their distance exceeds `2^53`.
    pub fn integer(lower: i64, upper: i64) -> Result<Self, Error> {
        for bound in [lower, upper] {
            if bound.unsigned_abs() > EXACT as u64 {
                return Err(out_of_range("the bound of an integer", bound as f64, "-2^53 to 2^53"));
            }
        }
        if lower > upper || upper - lower > EXACT {
            let what = format!("the upper bound over the lower bound {lower}");
            return Err(out_of_range(&what, upper as f64, "at least the lower, at most 2^53 more"));
        }
        let weights = weights((upper - lower) as u64);
        Ok(Self { lower: lower as f64, step: 1.0, weights })
    }

    /// `n_levels` equally spaced numbers from `lower` to `upper`, both included (up to the rounding
    /// of the last).
    ///
    /// # Errors
    ///
    /// When a bound or their distance is not finite, `lower >= upper`, or there are fewer than two
    /// levels or more than `2^53`.
    pub fn fixed_point(lower: f64, upper: f64, n_levels: u64) -> Result<Self, Error> {
        finite(|| "the lower bound".into(), lower)?;
        finite(|| "the upper bound".into(), upper)?;
        if lower >= upper {
            let what = format!("the upper bound over the lower bound {lower}");
            return Err(out_of_range(&what, upper, "one above the lower"));
        }
        if !(2..=EXACT as u64).contains(&n_levels) {
            return Err(out_of_range("the number of levels", n_levels as f64, "2 to 2^53"));
        }
        let step = finite(|| "the range".into(), upper - lower)? / (n_levels - 1) as f64;
        Ok(Self { lower, step, weights: weights(n_levels - 1) })
    }

    /// The number of bits.
    pub fn n_bits(&self) -> usize {
        self.weights.len()
    }

    /// The least value.
    pub fn lower(&self) -> f64 {
        self.lower
    }

    /// The largest value.
    pub fn upper(&self) -> f64 {
        self.lower + self.step * self.n_steps() as f64
    }

    /// The distance of neighbouring values.
    pub fn step(&self) -> f64 {
        self.step
    }

    fn n_steps(&self) -> u64 {
        self.weights.iter().sum()
    }

    /// What each bit adds to the value, `[n_bits]`.
    pub fn weights(&self) -> impl Iterator<Item = f64> + '_ {
        self.weights.iter().map(|&w| self.step * w as f64)
    }

    /// The value that the bits write.
    ///
    /// # Panics
    ///
    /// Panics unless there are `n_bits` bits.
    pub fn decode(&self, bits: &[u8]) -> f64 {
        assert_eq!(bits.len(), self.n_bits(), "bits of a number of {} bits", self.n_bits());
        let sum: u64 = self.weights.iter().zip(bits).map(|(w, &bit)| w * u64::from(bit)).sum();
        self.lower + self.step * sum as f64
    }

    /// A writing of the value of the range that is nearest to `value`.
    ///
    /// # Errors
    ///
    /// When `value` is not finite or out of range by more than half a step.
    pub fn encode(&self, value: f64) -> Result<Vec<u8>, Error> {
        finite(|| "the value to encode".into(), value)?;
        let level = ((value - self.lower) / self.step).round();
        if !(0.0..=self.n_steps() as f64).contains(&level) {
            let what = format!("the value to encode in [{}, {}]", self.lower, self.upper());
            return Err(out_of_range(&what, value, "a value of that range"));
        }
        let mut rest = level as u64;
        let mut bits = vec![0; self.n_bits()];
        // Below each weight, the others sum to at least what remains after it is taken or left.
        for (bit, &w) in bits.iter_mut().zip(&self.weights).rev() {
            if rest >= w {
                (*bit, rest) = (1, rest - w);
            }
        }
        debug_assert_eq!(rest, 0);
        Ok(bits)
    }
}

fn out_of_range(what: &str, value: f64, range: &'static str) -> Error {
    ErrorKind::OutOfRange { what: what.into(), value, range }.into()
}

/// Powers of two and a last weight, summing to `n_steps`.
pub(super) fn weights(n_steps: u64) -> Vec<u64> {
    let mut weights = Vec::new();
    let mut rest = n_steps;
    while rest > 0 {
        let weight = rest.min(1 << weights.len());
        weights.push(weight);
        rest -= weight;
    }
    weights
}
