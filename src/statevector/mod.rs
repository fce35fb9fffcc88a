//! State-vector simulation of circuits and of closed-system annealing, in batches.
//!
//! A state is `2^n_qubits` complex amplitudes, here never stored for more than a tile of samples
//! at a time. Everything is generic over [`Real`] (`f32`, `f64`) and runs on slices.
//!
//! - [`Program`]: a circuit with its observables; expectations and their gradient by un-computing.
//! - [`Evolution`]: the dynamics of a transverse-field annealer, with the gradient of everything.
//! - [`dense`]: the slow oracle that everything here is compared with.
//!
//! Results do not depend on the number of threads.

mod adjoint;
mod affine;
mod bound;
mod buffer;
pub mod dense;
mod evolution;
mod expectation;
mod kernels;
mod layout;
mod plan;
mod program;
mod real;
mod simd;
mod worker;

pub use adjoint::Gradient;
pub use evolution::{Evolution, EvolutionGradient, EvolutionInput};
pub use program::{MAX_QUBITS, Program};
pub use real::Real;
