//! Trainable memories: of states, by their overlap, and of values, by attention.

mod classical;
mod quantum;

pub use classical::{ClassicalMemory, ClassicalMemoryConfig};
pub use quantum::{QuantumMemory, QuantumMemoryConfig, StateOverlap};
