//! State-vector simulation of circuits and of closed-system annealing, in batches.
//!
//! A state is `2^n_qubits` complex amplitudes, here never stored for more than a tile of samples
//! at a time. Programs and evolutions are generic over [`Real`] (`f32`, `f64`) and run on slices;
//! noise is in double precision.
//!
//! - [`Program`]: a circuit with its observables; expectations and their gradient by un-computing;
//!   probabilities, variances, and estimates from finitely many shots.
//! - [`DensityMatrix`]: a circuit with noise, exactly; [`trajectories`]: by sampling pure states.
//! - [`ShotSimulator`]: a device that is none, behind the trait
//!   [`CircuitSampler`](crate::circuit::CircuitSampler), whose contract [`check_conformance`] is.
//! - [`Evolution`]: the dynamics of a transverse-field annealer, with the gradient of everything.
//! - [`dense`]: the slow oracle that everything here is compared with.
//!
//! Results do not depend on the number of threads.

mod adjoint;
mod affine;
pub(crate) mod amplitudes;
mod bound;
pub(crate) mod buffer;
mod conformance;
pub mod dense;
mod density;
mod evolution;
mod expectation;
mod kernels;
mod layout;
mod measurement;
mod plan;
mod pool;
mod program;
mod real;
mod shot_simulator;
pub(crate) mod simd;
mod tables;
mod trajectories;
mod worker;

pub use crate::circuit::Estimate;
pub use adjoint::{Gradient, States};
pub use conformance::{NonConformance, check_conformance};
pub use density::{DensityMatrix, MAX_QUBITS as MAX_DENSITY_QUBITS};
pub use evolution::{Evolution, EvolutionGradient, EvolutionInput};
pub(crate) use measurement::Distribution;
pub use program::{MAX_QUBITS, Program};
pub use real::Real;
pub use shot_simulator::ShotSimulator;
pub use trajectories::trajectories;
