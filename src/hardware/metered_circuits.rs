//! Budgets of gate-model devices.

use super::Meter;
use crate::circuit::{Circuit, CircuitSampler};
use crate::error::Error;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// A sampler of circuits that does nothing beyond a budget.
///
/// It counts before it asks: a call that would exceed the budget reaches no device. Problems and reads
/// of its [`usage`](Meter::usage) are circuits and shots.
///
/// ```
/// use burn_quantum::circuit::{Circuit, CircuitSampler};
/// use burn_quantum::hardware::{Meter, MeteredCircuits};
/// use burn_quantum::statevector::ShotSimulator;
/// use std::sync::Arc;
///
/// let meter = Meter::default().with_max_jobs(2);
/// let device = MeteredCircuits::new(Arc::new(ShotSimulator::new(1)), meter.clone(), 10);
/// let circuits = vec![Circuit::new(1); 15];
/// device.run(&circuits, 100)?;
/// assert_eq!((meter.usage().jobs, meter.usage().reads), (2, 1500));
/// assert!(device.run(&circuits, 100).unwrap_err().is_budget_spent());
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MeteredCircuits {
    inner: Arc<dyn CircuitSampler>,
    meter: Meter,
    circuits_a_job: usize,
}

impl MeteredCircuits {
    /// Counts a job for so many circuits of a call, as
    /// [`circuits_a_job`](super::CircuitJobs::circuits_a_job) of a device says; 0 counts as 1.
    pub fn new(inner: Arc<dyn CircuitSampler>, meter: Meter, circuits_a_job: usize) -> Self {
        Self { inner, meter, circuits_a_job: circuits_a_job.max(1) }
    }
}

impl CircuitSampler for MeteredCircuits {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn max_qubits(&self) -> usize {
        self.inner.max_qubits()
    }

    /// # Errors
    ///
    /// When the budget has no jobs left for it, and as the sampler within.
    fn run(
        &self,
        circuits: &[Circuit],
        shots: usize,
    ) -> Result<Vec<BTreeMap<usize, usize>>, Error> {
        let jobs = circuits.len().div_ceil(self.circuits_a_job);
        self.meter.spend(jobs, circuits.len(), shots)?;
        let start = Instant::now();
        let outcome = self.inner.run(circuits, shots);
        self.meter.add_time(start.elapsed());
        outcome
    }
}
