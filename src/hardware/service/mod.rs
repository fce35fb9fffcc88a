//! What the clients of gate-model services have in common: how they are reached, jobs, counts.

mod connection;
mod counts;
mod jobs;
mod wire;

pub use connection::Connection;
pub(in crate::hardware) use counts::{Counts, of_outcomes, of_probabilities, of_text};
pub use jobs::{CircuitJobs, CircuitTicket};
pub(in crate::hardware) use jobs::{
    Job, Limits, Provider, State, cancel, collect, max_qubits, sampler, submit,
};
pub(in crate::hardware) use wire::Wire;

use crate::error::{Error, ErrorKind};
use std::hash::{BuildHasher, RandomState};

pub(in crate::hardware) fn unsupported(what: String, remedy: impl Into<String>) -> Error {
    ErrorKind::Unsupported { what, remedy: remedy.into() }.into()
}

/// A name that no other call gets, by the randomness of the system.
pub(in crate::hardware) fn fresh_name() -> String {
    let half = || RandomState::new().hash_one(std::time::SystemTime::now());
    format!("{:016x}{:016x}", half(), half())
}

/// The shortest digits of OpenQASM that read back as the same number: with a point before an
/// exponent.
pub(in crate::hardware) fn number(value: f64) -> String {
    let text = format!("{value:?}");
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => text,
    }
}
