//! What a comparison of training runs reports: means with confidence intervals, paired tests.

use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_2_PI;

/// Mean and spread of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The number of values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with `n - 1` in the denominator; none of a single value.
    pub standard_deviation: Option<f64>,
    /// Half the width of the 95 % confidence interval of the mean, by Student's t distribution; none
    /// of a single value.
    pub half_width: Option<f64>,
}

impl Summary {
    /// Summarises a sample; none of an empty one.
    ///
    /// ```
    /// use burn_quantum_models::statistics::Summary;
    ///
    /// let summary = Summary::of(&[97.0, 98.0, 99.0]).unwrap();
    /// assert_eq!((summary.mean, summary.standard_deviation), (98.0, Some(1.0)));
    /// assert!((summary.half_width.unwrap() - 4.302653 / 3f64.sqrt()).abs() < 1e-6);
    /// ```
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let standard_deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        let quantile = |sd: f64| two_sided_quantile(0.05, n - 1) * sd / (n as f64).sqrt();
        Some(Self { n, mean, standard_deviation, half_width: standard_deviation.map(quantile) })
    }
}

/// The probability that `|t|` is larger, for `n >= 1` degrees of freedom.
///
/// Abramowitz and Stegun, 26.7.3 and 26.7.4, with `t = sqrt(n) tan(theta)`: a finite sum.
fn two_sided(t: f64, n: usize) -> f64 {
    let theta = (t.abs() / (n as f64).sqrt()).atan();
    let (sin, cos) = theta.sin_cos();
    let odd = n % 2;
    let (mut term, mut sum) = (if odd == 1 { cos } else { 1.0 }, 0.0);
    for k in 1..=n / 2 {
        sum += term;
        let even = (2 * k - 1 + odd) as f64;
        term *= cos * cos * even / (even + 1.0);
    }
    match odd {
        1 => 1.0 - FRAC_2_PI * (theta + sin * sum),
        _ => 1.0 - sin * sum,
    }
}

/// The `t` with [`two_sided`] probability `p`, by bisection.
fn two_sided_quantile(p: f64, n: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided(high, n) > p {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if two_sided(middle, n) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// A paired t test of two samples, two-sided.
///
/// It assumes that the differences are about normal; with a handful of pairs nothing weaker can
/// reject at 5 % (Wilcoxon's signed-rank test needs six).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedTest {
    /// The differences, first less second.
    pub difference: Summary,
    /// `t = mean / (standard deviation / sqrt(n))`.
    pub t: f64,
    /// The probability of so large a `|t|` if the means are equal.
    pub p: f64,
}

impl PairedTest {
    /// Tests whether the means of `first` and `second` differ; none with fewer than two pairs, or if
    /// all differences are the same.
    ///
    /// # Panics
    ///
    /// Panics if the samples differ in size.
    pub fn of(first: &[f64], second: &[f64]) -> Option<Self> {
        assert_eq!(first.len(), second.len(), "a paired test needs samples of the same size");
        let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
        let difference = Summary::of(&differences)?;
        let deviation = difference.standard_deviation.filter(|&sd| sd > 0.0)?;
        let t = difference.mean / (deviation / (difference.n as f64).sqrt());
        Some(Self { difference, t, p: two_sided(t, difference.n - 1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R's `sleep`: extra hours of sleep under two drugs, for which `t.test(paired = TRUE)` gives
    /// t = -4.0621, p = 0.002833, and the interval -2.4598858 to -0.7001142.
    #[test]
    fn the_paired_test_is_that_of_r() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let test = PairedTest::of(&first, &second).unwrap();
        assert!((test.t + 4.0621).abs() < 1e-4, "{test:?}");
        assert!((test.p - 0.002833).abs() < 1e-6, "{test:?}");
        let (mean, half) = (test.difference.mean, test.difference.half_width.unwrap());
        assert!((mean - half + 2.4598858).abs() < 1e-6 && (mean + half + 0.7001142).abs() < 1e-6);
    }

    /// Quantiles as tables print them.
    #[test]
    fn quantiles_of_students_distribution() {
        for (n, expected) in
            [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423)]
        {
            let quantile = two_sided_quantile(0.05, n);
            assert!((quantile - expected).abs() < 1e-4, "{n}: {quantile}");
        }
        assert!((two_sided_quantile(0.01, 7) - 3.4995).abs() < 1e-4);
        assert_eq!(two_sided(0.0, 4), 1.0);
    }

    #[test]
    fn what_has_no_spread_has_no_test() {
        assert!(Summary::of(&[]).is_none());
        let one = Summary::of(&[3.0]).unwrap();
        assert_eq!((one.mean, one.standard_deviation, one.half_width), (3.0, None, None));
        assert!(PairedTest::of(&[1.0], &[2.0]).is_none());
        assert!(PairedTest::of(&[1.0, 2.0], &[2.0, 3.0]).is_none());
    }
}
