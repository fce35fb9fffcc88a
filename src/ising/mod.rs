//! Ising models and QUBOs as data: what annealing samplers minimise.
//!
//! [`Ising`] is one model, dense or sparse; [`BatchedIsing`] many small dense ones, as a network
//! makes them; [`Qubo`] the same energies over bits. [`ConstrainedQubo`] replaces linear
//! constraints by exact penalties, [`BinaryExpansion`] writes numbers in bits, [`SubProblem`] is
//! what remains of a model when variables are fixed, [`Precision`] and [`RoundedIsing`] say what
//! hardware makes of it, and [`formats`] read and write files.

mod batched;
mod constrained;
mod expansion;
pub mod formats;
mod max_cut;
mod model;
mod pairs;
mod precision;
mod qubo;
mod restriction;

pub use batched::BatchedIsing;
pub use constrained::{ConstrainedQubo, Constraint, Penalised, PenaltyWeight, Relation};
pub use expansion::BinaryExpansion;
pub use max_cut::MaxCut;
pub use model::Ising;
pub use precision::{Precision, RoundedIsing};
pub use qubo::{Qubo, to_bits, to_spins};
pub use restriction::SubProblem;
