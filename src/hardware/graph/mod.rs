//! Graphs of annealing chips, and minor embeddings into them.

mod clique;
mod embedding;
mod topology;
mod working;

pub use clique::{cliques, largest_clique};
pub use embedding::Embedding;
pub use topology::Topology;
pub use working::WorkingGraph;
