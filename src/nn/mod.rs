//! Quantum layers as Burn modules: `Config -> init(&device) -> forward`.
//!
//! Modules hold their parameters under stable paths, so records of Burn load and save them; what
//! a config determines (circuits, schedules) is rebuilt from the config.

mod annealing;
pub mod attention;
mod circuit;
mod encoding;
mod fusion;
mod loss;
mod memory;
mod refinement;
mod robbins_monro;

pub use annealing::{
    AnnealingLayer, AnnealingLayerConfig, AnnealingReadout, AnnealingSampler, AnnealingSchedule,
    AnnealingStart, LearnedSchedule, SampleTemperature, Shots,
};
pub use circuit::{CircuitLayer, CircuitLayerConfig};
pub use encoding::{QuantumEncoding, QuantumEncodingConfig};
pub use fusion::{MultiScaleFusion, MultiScaleFusionConfig};
pub use loss::{LossWeights, MultiScaleLoss, MultiScaleLossConfig};
pub use memory::{
    ClassicalMemory, ClassicalMemoryConfig, QuantumMemory, QuantumMemoryConfig, StateOverlap,
};
pub use refinement::{ClassicalRefinement, ClassicalRefinementConfig, RefinementBlock};
pub use robbins_monro::{RobbinsMonroLrScheduler, RobbinsMonroLrSchedulerConfig};
