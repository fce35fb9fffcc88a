//! Networks built from burn-quantum's layers.
//!
//! - [`Qhon`]: the quantum-enhanced hierarchical optimisation network, with its classical twin and
//!   its frozen variant for comparison.
//! - [`VisionTransformer`], [`TextClassifier`], [`LanguageModel`]: small ones, with any attention, to
//!   compare QAMA with others; [`EncoderLayer`] is what they are made of.
//! - [`HeadMeter`]: how many keys the queries of a head select.
//! - [`Variant`]: QHON less one of its parts at a time, for ablations.
//! - [`QhonSetup`]: a training set-up from a YAML or JSON file.
//! - [`statistics`]: what a comparison of training runs reports.
//! - `training` (feature `train`): a training run with checkpoints, for any classifier.

mod attention;
mod embedding;
mod encoder;
mod features;
mod heads;
mod language;
mod qhon;
mod schedule;
mod setup;
pub mod statistics;
mod text;
#[cfg(feature = "train")]
pub mod training;
mod variant;
mod vit;

pub use attention::{AttentionKind, AttentionOutput, TokenAttention, TokenMasks};
pub use embedding::TokenEmbedding;
pub use encoder::{EncoderLayer, EncoderLayerConfig};
pub use features::{
    ClassicalFeatures, QuantumFeatures, QuantumFeaturesConfig, ReadoutNoise, TokenFeatures,
};
pub use heads::{HeadMeter, HeadStatistics};
pub use language::{LanguageModel, LanguageModelConfig};
pub use qhon::{Qhon, QhonConfig, QhonOutput, QuantumPart, ScaleHeads};
pub use schedule::LearningRateSchedule;
pub use setup::{ModelSetup, QhonSetup, RegularizationSetup, SetupError, TrainingSetup};
pub use text::{TextClassifier, TextClassifierConfig};
pub use variant::Variant;
pub use vit::{VisionTransformer, VisionTransformerConfig};

/// What most programs import.
pub mod prelude {
    pub use crate::{
        AttentionKind, EncoderLayer, EncoderLayerConfig, LanguageModel, LanguageModelConfig,
        LearningRateSchedule, Qhon, QhonConfig, QhonOutput, QhonSetup, QuantumPart, ReadoutNoise,
        TextClassifier, TextClassifierConfig, TokenMasks, Variant, VisionTransformer,
        VisionTransformerConfig,
    };
}
