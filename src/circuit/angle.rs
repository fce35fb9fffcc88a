//! Where the angle of a gate comes from.

use serde::{Deserialize, Serialize};

/// The source of a gate's angle, in radians.
///
/// A circuit is data: its angles are bound when it runs, from the features of one sample
/// (`Input`) or from the trainable parameters that all samples share (`Weight`).
///
/// ```
/// use burn_quantum::circuit::Angle;
///
/// let bound = Angle::Input(1).resolve(&[0.1, 0.2], &[]);
/// assert_eq!(bound, 0.2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Angle {
    /// A fixed angle.
    Constant(f64),
    /// Feature `i` of the sample.
    Input(usize),
    /// Trainable parameter `i`.
    Weight(usize),
}

impl Angle {
    /// The angle for one sample.
    ///
    /// # Panics
    ///
    /// Panics if the index is not below the length of its slice.
    pub fn resolve(&self, inputs: &[f64], weights: &[f64]) -> f64 {
        match *self {
            Angle::Constant(angle) => angle,
            Angle::Input(i) => inputs[i],
            Angle::Weight(i) => weights[i],
        }
    }
}

impl From<f64> for Angle {
    fn from(angle: f64) -> Self {
        Angle::Constant(angle)
    }
}
