//! Networks built from burn-quantum's layers.
//!
//! - [`Qhon`]: the quantum-enhanced hierarchical optimisation network, with its classical twin and
//!   its frozen variant for comparison.
//! - `training` (feature `train`): a training run with checkpoints, for any image classifier.

mod features;
mod qhon;
#[cfg(feature = "train")]
pub mod training;

pub use features::{ClassicalFeatures, QuantumFeatures, TokenFeatures};
pub use qhon::{Qhon, QhonConfig, QuantumPart};

/// What most programs import.
pub mod prelude {
    pub use crate::{Qhon, QhonConfig, QuantumPart};
}
