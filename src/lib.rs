#![doc = include_str!("../README.md")]
//!
//! # Conventions
//!
//! Stated once; everything else links here.
//!
//! | | |
//! | --- | --- |
//! | qubits | little-endian: qubit 0 is the least significant bit of a basis index (PennyLane's wire 0 is the most significant: convert) |
//! | rotations | `R_G(theta) = exp(-i theta G / 2)`, radians, `hbar = 1` |
//! | spins | `s = +1` for basis bit 0, `s = -1` for bit 1, so `<Z_i>` is the mean spin |
//! | Ising energy | `E(s) = offset + sum_i h_i s_i + sum_{i<j} J_ij s_i s_j`, minimised (as dimod) |
//! | QUBO | `E(x) = offset + sum_i Q_ii x_i + sum_{i<j} Q_ij x_i x_j`, `x = (1 + s) / 2`, minimised (as dimod) |
//! | masks | true = masked out (as burn-nn) |
//! | complex numbers | split planes in kernels, `num_complex::Complex` in host APIs |
//! | dtypes | `f32` by default, `f64` everywhere it is asked for; oracles in `f64` |
//!
//! # Modules, bottom to top
//!
//! [`ising`] (Ising models and QUBOs as data), [`circuit`] (circuits as data), [`encoding`] (features
//! to circuits), [`statevector`] (simulation and its gradient, noise, shots), [`annealing`] (samplers
//! of Ising models), [`gradient`] (ways to differentiate), [`ops`] (tensor operations, the only code that names a
//! backend), [`nn`] (Burn modules). With the feature `hardware`, on the level of [`gradient`]:
//! `hardware`, the way to real devices.

pub mod annealing;
pub mod circuit;
pub mod encoding;
mod error;
pub mod gradient;
#[cfg(feature = "hardware")]
pub mod hardware;
pub mod ising;
pub mod nn;
pub mod ops;
mod random;
pub mod statevector;

pub use error::Error;

/// What most programs import.
pub mod prelude {
    pub use crate::Error;
    pub use crate::annealing::{IsingSampler, SampleSet, SimulatedAnnealing};
    pub use crate::circuit::{
        Angle, Channel, Circuit, CircuitSampler, CircuitShots, Gate, NoisyCircuit, Observable,
        Pauli, PauliString, ReadoutErrors, ansatz,
    };
    pub use crate::encoding;
    pub use crate::gradient::GradientMethod;
    pub use crate::ising::{BatchedIsing, ConstrainedQubo, Ising, Qubo};
    pub use crate::nn::attention::{
        HierarchicalAttention, HierarchicalAttentionConfig, HierarchicalInput, HierarchicalOutput,
    };
    pub use crate::nn::{
        AnnealingLayer, AnnealingLayerConfig, AnnealingReadout, AnnealingSchedule, AnnealingStart,
        CircuitLayer, CircuitLayerConfig, ClassicalMemory, ClassicalMemoryConfig,
        ClassicalRefinement, ClassicalRefinementConfig, LossWeights, MultiScaleFusion,
        MultiScaleFusionConfig, MultiScaleLoss, MultiScaleLossConfig, QuantumEncoding,
        QuantumEncodingConfig, QuantumMemory, QuantumMemoryConfig, RobbinsMonroLrScheduler,
        RobbinsMonroLrSchedulerConfig,
    };
}
