//! Circuits on anything that measures them.

use super::Circuit;
use crate::error::Error;
use std::collections::BTreeMap;

/// Runs circuits and measures all qubits.
pub trait CircuitSampler: std::fmt::Debug + Send + Sync {
    /// In messages.
    fn name(&self) -> &str;

    /// The largest circuit.
    fn max_qubits(&self) -> usize;

    /// For each circuit, in order, how often each basis index was found (qubit 0 = least
    /// significant bit). The circuits are bound.
    ///
    /// # Errors
    ///
    /// When a circuit does not fit, or the device does not answer.
    fn run(&self, circuits: &[Circuit], shots: usize)
    -> Result<Vec<BTreeMap<usize, usize>>, Error>;
}
