//! Ising models as data: what annealing samplers minimise.
//!
//! [`Ising`] is one model, dense or sparse; [`BatchedIsing`] many small dense ones, as a network
//! makes them.

mod batched;
mod model;
mod pairs;

pub use batched::BatchedIsing;
pub use model::Ising;
