//! The way to real devices: everything that leaves this machine does so here.
//!
//! | | |
//! | --- | --- |
//! | [`DWave`] | D-Wave's annealers as an [`IsingSampler`](crate::annealing::IsingSampler) |
//! | [`ProcessDevice`] | any device behind a program of its own, over pipes (Unix) |
//! | [`Int8Ising`] | models as coherent Ising machines take them |
//! | [`Metered`], [`MeteredCircuits`], [`Meter`] | budgets: what a device was asked for, and no more than this |
//! | [`sapi`] | D-Wave's Solver API: a client, and a server that lends any sampler to D-Wave's programs |
//! | [`IonQ`], [`Ibm`], [`Iqm`], [`Braket`] | gate-model devices as a [`CircuitSampler`](crate::circuit::CircuitSampler) |
//! | [`CircuitJobs`], [`CircuitTicket`] | their jobs: submitted now, collected later |
//! | [`Topology`], [`WorkingGraph`] | the graphs of annealing chips, without and with defects |
//! | [`Embedding`], [`cliques`] | dense problems on such graphs |
//! | [`Transport`] | what carries requests: [`Http`], or [`Recording`] and [`Replay`] in tests |
//! | [`Connection`], [`Retry`], [`Token`] | patience and secrets |
//!
//! Nothing falls back to a simulator: a device that does not answer is an
//! [error](crate::Error::is_device), which names the [job](crate::Error::job_id) if there is one.
//! The module starts no threads, and no program but that of a [`ProcessDevice`].

mod braket;
mod dwave;
mod graph;
mod ibm;
mod int8;
mod ionq;
mod iqm;
mod meter;
mod metered_circuits;
mod native;
#[cfg(unix)]
mod process;
pub mod sapi;
mod service;
mod token;
mod transport;

pub use braket::{AwsCredentials, Braket, BraketDevice};
pub use dwave::{AnswerMode, ChainStrength, DWave, Report, Scale, Ticket, Unembedding};
pub use graph::{Embedding, Topology, WorkingGraph, cliques, largest_clique};
pub use ibm::{Ibm, IbmAccount};
pub use int8::Int8Ising;
pub use ionq::IonQ;
pub use iqm::Iqm;
pub use meter::{Meter, Metered, Usage};
pub use metered_circuits::MeteredCircuits;
#[cfg(unix)]
pub use process::{ProblemForm, ProcessDevice, ProcessInfo};
pub use service::{CircuitJobs, CircuitTicket, Connection};
pub use token::Token;
pub use transport::{
    Exchange, Failure, FailureKind, Http, Method, Recording, Replay, Request, Response, Retry,
    Transport,
};
