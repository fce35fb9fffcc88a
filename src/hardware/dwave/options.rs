//! Choices of [`DWave`](super::DWave).

use serde::{Deserialize, Serialize};

/// How strongly the qubits of a chain hold together, in units of the model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChainStrength {
    /// This number times the root mean square of the couplings times the root of the mean number of
    /// neighbours, so that the torque of the rest of the model does not tear a chain: D-Wave's
    /// `uniform_torque_compensation`. Without couplings, `1`. The default, with `1.414`.
    ///
    /// Fields do not count: where they are much larger than the couplings, as in QAMA's models, they may
    /// tear chains, which the [`Report`](super::Report) shows; [`Relative`](Self::Relative) holds them.
    UniformTorque(f64),
    /// This number times the largest absolute value of a coefficient.
    Relative(f64),
    /// This number.
    Absolute(f64),
}

impl Default for ChainStrength {
    fn default() -> Self {
        Self::UniformTorque(1.414)
    }
}

/// What a spin is when the qubits of its chain disagree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Unembedding {
    /// What most of them are; in a tie, either with equal probability.
    #[default]
    MajorityVote,
    /// What lowers the energy, given the spins that are known: one broken chain after the other, the
    /// one with the largest local field first.
    MinimiseEnergy,
}

/// By which factor a model is multiplied before it is programmed. Samples of a device of inverse
/// temperature `beta` are those of the model at `beta` times the factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scale {
    /// The largest that keeps all coefficients in the ranges of the device, for each model anew.
    #[default]
    Fit,
    /// Always the same, so that models keep their temperature relative to each other. One that does
    /// not fit is refused.
    Fixed(f64),
}

/// What a device sends back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AnswerMode {
    /// Each configuration once with its count, the lowest energies first.
    #[default]
    Histogram,
    /// Each read, in the order of reading.
    Raw,
}
