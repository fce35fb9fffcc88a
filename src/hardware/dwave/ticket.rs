//! What is needed to fetch samples later.

use crate::hardware::Embedding;
use crate::hardware::sapi::{Identity, JobId};
use serde::{Deserialize, Serialize};

/// The jobs of a call of [`DWave::submit`](super::DWave::submit), and how their answers are read.
/// Keep it as a file, and [`collect`](super::DWave::collect) the samples in another run of the
/// program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    pub(super) solver: Identity,
    pub(super) n_problems: usize,
    pub(super) n_reads: usize,
    pub(super) n_spins: usize,
    pub(super) jobs: Vec<TicketJob>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TicketJob {
    pub id: JobId,
    pub n_reads: usize,
    pub placed: Vec<Placed>,
}

/// A model on a part of a chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Placed {
    pub problem: usize,
    pub embedding: Embedding,
    pub scale: f64,
    pub chain_strength: f64,
    /// The signs of the spins; none if all are as they are.
    pub gauge: Vec<i8>,
}

impl Ticket {
    /// The jobs, as the service names them.
    pub fn jobs(&self) -> impl Iterator<Item = &JobId> {
        self.jobs.iter().map(|job| &job.id)
    }
}
