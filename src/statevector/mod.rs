//! State-vector simulation of circuits and of closed-system annealing, in batches.
//!
//! A state is `2^n_qubits` complex amplitudes, here never stored for more than a tile of samples
//! at a time. Programs and evolutions are generic over [`Real`] (`f32`, `f64`) and run on slices;
//! noise is in double precision.
//!
//! - [`Program`]: a circuit with its observables; expectations and their gradient by un-computing;
//!   probabilities, variances, and estimates from finitely many shots.
//! - [`DensityMatrix`]: a circuit with noise, exactly; [`trajectories`]: by sampling pure states.
//! - [`Evolution`]: the dynamics of a transverse-field annealer, with the gradient of everything.
//! - [`dense`]: the slow oracle that everything here is compared with.
//!
//! Results do not depend on the number of threads.

mod adjoint;
pub mod dense;
mod density;
mod dispatch;
mod evolution;
mod expectation;
pub(crate) mod kernel;
mod lanes;
mod measurement;
mod passes;
mod plan;
mod program;
mod real;
mod single;
mod tile;
mod trajectories;
mod walsh;

pub use adjoint::Gradient;
pub use density::{DensityMatrix, MAX_QUBITS as MAX_DENSITY_QUBITS};
pub use evolution::{Evolution, EvolutionGradient, EvolutionInput};
use lanes::Lanes;
pub use measurement::Estimate;
pub use program::{MAX_QUBITS, Program};
pub use real::Real;
use tile::{Complex, Tile};
pub use trajectories::trajectories;

/// Copies feature `i` of each of the samples in `rows` into the lanes; missing samples are 0.
#[inline(always)]
fn gather<T: Real, const L: usize>(rows: &[T], width: usize, i: usize) -> Lanes<T, L> {
    let mut lanes = Lanes::zero();
    for (lane, row) in lanes.0.iter_mut().zip(rows.chunks_exact(width)) {
        *lane = row[i];
    }
    lanes
}

/// The inverse of [`gather`].
#[inline(always)]
fn scatter<T: Real, const L: usize>(lanes: Lanes<T, L>, rows: &mut [T], width: usize, i: usize) {
    for (&lane, row) in lanes.0.iter().zip(rows.chunks_exact_mut(width)) {
        row[i] = lane;
    }
}

/// A number of whole tiles for each of a few jobs per thread.
fn samples_per_job(batch: usize, lanes: usize) -> usize {
    let tiles = batch.div_ceil(lanes);
    tiles.div_ceil(4 * rayon::current_num_threads()).max(1) * lanes
}
