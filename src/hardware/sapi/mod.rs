//! D-Wave's Solver API, version 3: [`Client`] speaks it, and [`Server`] answers it, so that a
//! program of D-Wave's Ocean can use any sampler of this crate unchanged.

mod answers;
mod client;
mod model;
mod qp;
mod server;
mod solver;
mod store;

pub use client::{Client, JobId};
pub use model::{Identity, Problem, ProblemKind, SolverDefinition};
pub use qp::{Answer, Coefficients, ProblemData};
pub use server::Server;
pub use solver::Solver;
pub(super) use store::timestamp;

/// The version of the protocol.
const VERSION: &str = "3.0.0";

fn media_type(kind: &str) -> String {
    format!("application/vnd.dwave.sapi.{kind}+json; version={VERSION}")
}
