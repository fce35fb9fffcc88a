//! Networks built from burn-quantum's layers.
//!
//! - [`Qhon`]: the quantum-enhanced hierarchical optimisation network, with its classical twin and
//!   its frozen variant for comparison.
//! - [`VisionTransformer`]: a small one, with any attention, to compare QAMA with others.
//! - [`Variant`]: QHON less one of its parts at a time, for ablations.
//! - [`QhonSetup`]: a training set-up from a YAML or JSON file.
//! - [`statistics`]: what a comparison of training runs reports.
//! - `training` (feature `train`): a training run with checkpoints, for any image classifier.

mod features;
mod qhon;
mod schedule;
mod setup;
pub mod statistics;
#[cfg(feature = "train")]
pub mod training;
mod variant;
mod vit;

pub use features::{
    ClassicalFeatures, QuantumFeatures, QuantumFeaturesConfig, ReadoutNoise, TokenFeatures,
};
pub use qhon::{Qhon, QhonConfig, QhonOutput, QuantumPart, ScaleHeads};
pub use schedule::LearningRateSchedule;
pub use setup::{ModelSetup, QhonSetup, RegularizationSetup, SetupError, TrainingSetup};
pub use variant::Variant;
pub use vit::{TokenAttention, VisionTransformer, VisionTransformerConfig, VitAttention, VitBlock};

/// What most programs import.
pub mod prelude {
    pub use crate::{
        LearningRateSchedule, Qhon, QhonConfig, QhonOutput, QhonSetup, QuantumPart, ReadoutNoise,
        Variant, VisionTransformer, VisionTransformerConfig, VitAttention,
    };
}
