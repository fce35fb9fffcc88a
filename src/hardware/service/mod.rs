//! What the clients of gate-model services have in common: how they are reached, jobs, counts.

mod connection;
mod counts;
mod jobs;
mod wire;

pub use connection::Connection;
pub(in crate::hardware) use counts::{Counts, of_outcomes, of_probabilities, of_text};
pub use jobs::{CircuitJobs, CircuitTicket};
pub(in crate::hardware) use jobs::{
    Job, Limits, Provider, State, cancel, collect, sampler, submit,
};
pub(in crate::hardware) use wire::Wire;

use crate::error::{Error, ErrorKind};

pub(in crate::hardware) fn unsupported(what: String, remedy: impl Into<String>) -> Error {
    ErrorKind::Unsupported { what, remedy: remedy.into() }.into()
}
