//! Ising models and QUBOs as data: what annealing samplers minimise.
//!
//! [`Ising`] is one model, dense or sparse; [`BatchedIsing`] many small dense ones, as a network
//! makes them; [`Qubo`] the same energies over bits. [`ConstrainedQubo`] replaces linear
//! constraints by exact penalties, [`BinaryExpansion`] writes numbers in bits, [`SubProblem`] is
//! what remains of a model when variables are fixed, and [`Precision`] and [`RoundedIsing`] say
//! what hardware makes of it.

mod batched;
mod constrained;
mod expansion;
mod model;
mod pairs;
mod precision;
mod qubo;
mod restriction;

pub use batched::BatchedIsing;
pub use constrained::{ConstrainedQubo, Constraint, Penalised, PenaltyWeight, Relation};
pub use expansion::BinaryExpansion;
pub use model::Ising;
pub use precision::{Precision, RoundedIsing};
pub use qubo::{Qubo, to_bits, to_spins};
pub use restriction::SubProblem;
