//! Quantum layers for the Burn deep-learning framework.
#![doc = ""]

pub mod circuit;
mod error;
pub mod gradient;
pub mod statevector;

pub use error::Error;
