//! What happened to a model on its way.

use crate::annealing::EffectiveBeta;
use crate::error::Error;
use crate::hardware::sapi::JobId;
use crate::ising::Ising;
use std::time::Duration;

/// How a model was put on a chip, and what came of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The jobs that read it.
    pub jobs: Vec<JobId>,
    /// The factor by which it was multiplied.
    pub scale: f64,
    /// The strength of its chains, before the scale.
    pub chain_strength: f64,
    /// The number of qubits of its longest chain.
    pub max_chain_length: usize,
    /// In what share of the reads each chain was broken, `[n_spins]`.
    pub chain_breaks: Vec<f64>,
    /// The inverse temperature of the samples as samples of the model itself, the scale included;
    /// none if they tell nothing.
    pub effective_beta: Option<EffectiveBeta>,
    /// The time for which the chip was in use, for all models of these jobs; none if it does not
    /// say.
    pub qpu_access_time: Option<Duration>,
    pub(super) programmed: Ising,
}

impl Report {
    /// The share of broken chains over all chains and reads.
    pub fn chain_break_fraction(&self) -> f64 {
        self.chain_breaks.iter().sum::<f64>() / self.chain_breaks.len().max(1) as f64
    }

    /// The model of the qubits as it was programmed, before any gauge. Its
    /// [`precision`](Ising::precision) is what the chip should have.
    pub fn programmed(&self) -> &Ising {
        &self.programmed
    }

    /// By how much an energy of the model changes at most if the chip rounds to `n_bits` bits.
    ///
    /// # Errors
    ///
    /// As [`Ising::rounded`].
    pub fn rounding_error(&self, n_bits: u32) -> Result<f64, Error> {
        Ok(self.programmed.rounded(n_bits)?.error_bound() / self.scale)
    }
}
