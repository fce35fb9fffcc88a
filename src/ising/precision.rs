//! What precision a model needs, and the model that hardware of less precision sees.

use super::model::{self, Ising};
use crate::error::{Error, ErrorKind, finite};

/// The coefficients of a model, as a device must hold them.
///
/// ```
/// use burn_quantum::ising::Ising;
///
/// let model = Ising::sparse(vec![0.5, -3.0], [(0, 1, 1.5)], 0.0)?;
/// let precision = model.precision();
/// assert_eq!(precision.dynamic_range(), 6.0);
/// assert_eq!((precision.step(), precision.n_bits()), (Some(0.5), Some(4))); // -6 to 6
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Precision {
    fields: Option<(f64, f64)>,
    couplings: Option<(f64, f64)>,
    step: Option<f64>,
    n_bits: Option<u32>,
}

impl Precision {
    /// The smallest and largest absolute value of the fields that are not zero.
    pub fn fields(&self) -> Option<(f64, f64)> {
        self.fields
    }

    /// The smallest and largest absolute value of the couplings.
    pub fn couplings(&self) -> Option<(f64, f64)> {
        self.couplings
    }

    /// The largest over the smallest absolute value that is not zero; `1` if all are zero.
    pub fn dynamic_range(&self) -> f64 {
        let all = || self.fields.iter().chain(&self.couplings);
        let least = all().map(|range| range.0).fold(f64::INFINITY, f64::min);
        let most = all().map(|range| range.1).fold(0.0, f64::max);
        if most == 0.0 { 1.0 } else { most / least }
    }

    /// The largest number of which every coefficient is an integer multiple, exactly; none if all
    /// are zero or the multiples exceed `2^64`.
    pub fn step(&self) -> Option<f64> {
        self.step
    }

    /// The least number of bits, sign included, that hold these multiples: `b` bits hold
    /// `-(2^(b-1) - 1)` to `2^(b-1) - 1`.
    pub fn n_bits(&self) -> Option<u32> {
        self.n_bits
    }
}

/// A model whose coefficients were rounded to `n_bits` bits.
///
/// For every configuration `|E(s) - E'(s)| <= error_bound = sum |h - h'| + sum |J - J'|`, since
/// spins are `+1` or `-1`. So a ground state of the rounded model lies at most `2 error_bound`
/// above the optimum of the given one: `E(s') <= E'(s') + d <= E'(s*) + d <= E(s*) + 2 d`.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundedIsing {
    model: Ising,
    levels: Ising,
    step: f64,
    error_bound: f64,
}

impl RoundedIsing {
    /// The rounded model in the units of the given one.
    pub fn model(&self) -> &Ising {
        &self.model
    }

    /// The rounded model in units of [`step`](Self::step): integers of `n_bits` bits, no offset.
    pub fn levels(&self) -> &Ising {
        &self.levels
    }

    /// What one level is worth.
    pub fn step(&self) -> f64 {
        self.step
    }

    /// The largest possible change of an energy.
    pub fn error_bound(&self) -> f64 {
        self.error_bound
    }
}

/// The smallest and largest absolute value that is not zero.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.map(f64::abs).filter(|&value| value > 0.0).fold(None, |range, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((f64::min(low, value), f64::max(high, value)))
    })
}

/// `value = mantissa * 2^exponent` with an odd mantissa, for a positive value.
fn odd_parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
    let (mantissa, exponent) =
        if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    let zeros = mantissa.trailing_zeros();
    (mantissa >> zeros, exponent + zeros as i32)
}

/// The greatest common divisor of positive numbers and the largest multiple of it.
fn common_step(values: impl Iterator<Item = f64> + Clone) -> Option<(f64, u64)> {
    let lowest = values.clone().map(|value| odd_parts(value).1).min()?;
    let gcd = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let (mut step, mut most) = (0u64, 0u64);
    for value in values {
        let (mantissa, exponent) = odd_parts(value);
        let shift = (exponent - lowest) as u32;
        if shift > mantissa.leading_zeros() {
            return None;
        }
        step = gcd(step, mantissa << shift);
        most = most.max(mantissa << shift);
    }
    // The step divides a 53-bit mantissa, so it is exact; 2^lowest may be subnormal.
    let (half, rest) = (lowest / 2, lowest - lowest / 2);
    Some((step as f64 * 2f64.powi(half) * 2f64.powi(rest), most / step))
}

impl Ising {
    /// The precision that the coefficients need. The offset does not matter.
    pub fn precision(&self) -> Precision {
        let couplings = self.couplings().map(|(_, _, value)| value);
        let all = self.fields.iter().copied().chain(couplings.clone()).map(f64::abs);
        let common = common_step(all.filter(|&value| value > 0.0));
        Precision {
            fields: range(self.fields.iter().copied()),
            couplings: range(couplings),
            step: common.map(|(step, _)| step),
            n_bits: common.map(|(_, most)| u64::BITS - most.leading_zeros() + 1),
        }
    }

    /// The model times `factor`, offset included.
    ///
    /// # Errors
    ///
    /// When the factor is not finite or not positive, or a product overflows.
    pub fn scaled(&self, factor: f64) -> Result<Ising, Error> {
        if finite(|| "the factor".into(), factor)? <= 0.0 {
            let (what, range) = ("the factor".into(), "a positive factor");
            return Err(ErrorKind::OutOfRange { what, value: factor, range }.into());
        }
        let fields = self.fields.iter().map(|h| h * factor).collect();
        let pairs = self.pairs.map(|value| value * factor, model::NAMES)?;
        Ising::of(fields, pairs, self.offset * factor)
    }

    /// The model times the largest factor that keeps every field in `h_range` and every coupling
    /// in `j_range`, and that factor. Energies grow by the factor, so configurations keep their
    /// order.
    ///
    /// A model without coefficients is returned as it is, with the factor 1.
    ///
    /// ```
    /// use burn_quantum::ising::Ising;
    ///
    /// let model = Ising::sparse(vec![2.0, 0.0], [(0, 1, -8.0)], 0.0)?;
    /// let (scaled, factor) = model.scaled_into([-4.0, 4.0], [-2.0, 1.0])?;
    /// assert_eq!(factor, 0.25);
    /// assert_eq!(scaled.fields(), [0.5, 0.0]);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When a bound is not finite, or a coefficient has a sign for which its range has no room.
    pub fn scaled_into(&self, h_range: [f64; 2], j_range: [f64; 2]) -> Result<(Ising, f64), Error> {
        for (what, range) in [("h_range", h_range), ("j_range", j_range)] {
            range.iter().try_for_each(|&bound| finite(|| what.into(), bound).map(|_| ()))?;
        }
        let fields = self.fields.iter().enumerate().map(|(i, &h)| (i, i, h));
        let mut factor = f64::INFINITY;
        for (i, j, value) in fields.chain(self.couplings()).filter(|entry| entry.2 != 0.0) {
            let (name, [low, high]) = match i == j {
                true => (format!("field {i}"), h_range),
                false => (format!("coupling ({i}, {j})"), j_range),
            };
            let ratio = if value > 0.0 { high } else { low } / value;
            if ratio <= 0.0 {
                let what = format!("{name} for the range [{low}, {high}]");
                let range = "a range with room on that side of zero";
                return Err(ErrorKind::OutOfRange { what, value, range }.into());
            }
            factor = factor.min(ratio);
        }
        if factor.is_infinite() {
            return Ok((self.clone(), 1.0));
        }
        // A product may exceed the bound by its rounding.
        let fields = self.fields.iter().map(|h| (h * factor).clamp(h_range[0], h_range[1]));
        let clamp = |value: f64| (value * factor).clamp(j_range[0], j_range[1]);
        let pairs = self.pairs.map(clamp, model::NAMES)?;
        Ok((Ising::of(fields.collect(), pairs, self.offset * factor)?, factor))
    }

    /// The model with coefficients of `n_bits` bits, sign included: multiples of
    /// `step = max |coefficient| / (2^(n_bits-1) - 1)`, each the nearest.
    ///
    /// ```
    /// use burn_quantum::ising::Ising;
    ///
    /// let model = Ising::sparse(vec![0.2, 1.0], [(0, 1, -0.7)], 0.0)?;
    /// let rounded = model.rounded(3)?; // -3/3 to 3/3
    /// assert_eq!(rounded.levels().fields(), [1.0, 3.0]);
    /// assert!((rounded.error_bound() - (1.0 / 3.0 - 0.2) - (0.7 - 2.0 / 3.0)).abs() < 1e-15);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When `n_bits` is not 2 to 53, or the coefficients are so small that the step underflows.
    pub fn rounded(&self, n_bits: u32) -> Result<RoundedIsing, Error> {
        if !(2..=53).contains(&n_bits) {
            let (what, range) = ("the number of bits".into(), "2 to 53");
            return Err(ErrorKind::OutOfRange { what, value: n_bits.into(), range }.into());
        }
        let most = ((1u64 << (n_bits - 1)) - 1) as f64;
        let largest = self.max_abs_coefficient();
        let step = if largest == 0.0 { 1.0 } else { largest / most };
        if step < f64::MIN_POSITIVE {
            let (what, range) = ("the step of the rounding".into(), "larger coefficients");
            return Err(ErrorKind::OutOfRange { what, value: step, range }.into());
        }
        let level = |value: f64| (value / step).round().clamp(-most, most);
        let of = |round: &dyn Fn(f64) -> f64, offset| {
            let fields = self.fields.iter().map(|&h| round(h)).collect();
            Ising::of(fields, self.pairs.map(round, model::NAMES)?, offset)
        };
        let levels = of(&level, 0.0)?;
        // The largest level is the largest coefficient itself, not its rounded quotient times step.
        let value = |v: f64| {
            if level(v).abs() == most { largest.copysign(v) } else { level(v) * step }
        };
        let model = of(&value, self.offset)?;
        let couplings = self.couplings().map(|(_, _, value)| value);
        let all = self.fields.iter().copied().chain(couplings);
        let error_bound = all.map(|v| (v - value(v)).abs()).sum();
        Ok(RoundedIsing { model, levels, step, error_bound })
    }
}
