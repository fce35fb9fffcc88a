//! Budgets.

use crate::annealing::{BatchSampleSet, IsingSampler, SampleSet};
use crate::error::{Error, ErrorKind};
use crate::ising::{BatchedIsing, Ising};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts what devices are asked for, and refuses what is beyond a budget. Clones share it.
///
/// ```
/// use burn_quantum::annealing::{IsingSampler, Random};
/// use burn_quantum::hardware::{Meter, Metered};
/// use burn_quantum::ising::Ising;
/// use std::sync::Arc;
///
/// let meter = Meter::default().with_max_jobs(2);
/// let device = Metered::new(Arc::new(Random::default()), meter.clone());
/// let model = Ising::sparse(vec![1.0], [], 0.0)?;
/// device.sample(&model, 10)?;
/// device.sample(&model, 20)?;
/// assert_eq!((meter.usage().jobs, meter.usage().reads), (2, 30));
///
/// let error = device.sample(&model, 10).unwrap_err();
/// assert!(error.is_budget_spent());
/// assert_eq!(error.to_string(), "1 more job exceeds the budget of 2, of which 2 are spent: raise it, or stop here");
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Account>>);

#[derive(Debug, Default)]
struct Account {
    max_jobs: Option<usize>,
    usage: Usage,
}

/// What was asked of a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The jobs that were submitted, those that failed included.
    pub jobs: usize,
    /// The problems in them.
    pub problems: usize,
    /// The reads of all problems.
    pub reads: usize,
    /// The time that calls took, waits and failures included.
    pub time: Duration,
    /// The time for which the device says that it was in use, as far as
    /// [`add_device_time`](Meter::add_device_time) was told.
    pub device_time: Duration,
}

impl Meter {
    /// Refuses jobs beyond this number. Default: no limit
    pub fn with_max_jobs(self, max_jobs: usize) -> Self {
        self.set_max_jobs(Some(max_jobs));
        self
    }

    /// Changes the limit for everybody who shares the meter.
    pub fn set_max_jobs(&self, max_jobs: Option<usize>) {
        self.lock().max_jobs = max_jobs;
    }

    /// What was asked for so far.
    pub fn usage(&self) -> Usage {
        self.lock().usage
    }

    /// Takes jobs from the budget, before they are submitted. They stay spent whatever becomes of
    /// them.
    ///
    /// # Errors
    ///
    /// When fewer are left; then none is taken.
    pub fn spend(&self, jobs: usize, problems: usize, n_reads: usize) -> Result<(), Error> {
        let mut account = self.lock();
        let Account { max_jobs, usage } = &mut *account;
        let total = usage.jobs.saturating_add(jobs);
        if let Some(limit) = max_jobs.filter(|&limit| total > limit) {
            return Err(ErrorKind::BudgetSpent { jobs, spent: usage.jobs, limit }.into());
        }
        usage.jobs = total;
        usage.problems = usage.problems.saturating_add(problems);
        usage.reads = usage.reads.saturating_add(problems.saturating_mul(n_reads));
        Ok(())
    }

    /// Adds time for which a device was in use, as its answers say: of a [`DWave`](super::DWave)
    /// the [`qpu_access_time`](super::Report::qpu_access_time) of each job.
    pub fn add_device_time(&self, time: Duration) {
        let usage = &mut self.lock().usage;
        usage.device_time = usage.device_time.saturating_add(time);
    }

    pub(super) fn add_time(&self, time: Duration) {
        let usage = &mut self.lock().usage;
        usage.time = usage.time.saturating_add(time);
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of jobs for so many models, of which one is given, and so many reads.
type Jobs = dyn Fn(&[&Ising], usize) -> Result<usize, Error> + Send + Sync;

/// A sampler that does nothing beyond a budget.
///
/// It counts before it asks: a call that would exceed the budget reaches no device.
#[derive(Clone)]
pub struct Metered {
    inner: Arc<dyn IsingSampler>,
    meter: Meter,
    jobs: Arc<Jobs>,
}

impl fmt::Debug for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inner, meter) = (&self.inner, &self.meter);
        f.debug_struct("Metered").field("inner", inner).field("meter", meter).finish()
    }
}

impl Metered {
    /// Counts each problem as one job, but none for a problem without spins.
    pub fn new(inner: Arc<dyn IsingSampler>, meter: Meter) -> Self {
        let with_spins = |models: &[&Ising]| models.iter().filter(|m| m.n_spins() > 0).count();
        Self { inner, meter, jobs: Arc::new(move |models, _| Ok(with_spins(models))) }
    }

    /// Counts the jobs of a call by a function of its models and their number of reads, such as
    /// [`DWave::n_jobs`](super::DWave::n_jobs), or a constant number for a device that takes batches as they are.
    pub fn with_jobs(
        mut self,
        jobs: impl Fn(&[&Ising], usize) -> Result<usize, Error> + Send + Sync + 'static,
    ) -> Self {
        self.jobs = Arc::new(jobs);
        self
    }

    fn metered<T>(
        &self,
        models: &[&Ising],
        n_reads: usize,
        sample: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        if n_reads > 0 {
            // Else the sampler refuses it.
            self.meter.spend((self.jobs)(models, n_reads)?, models.len(), n_reads)?;
        }
        let start = Instant::now();
        let outcome = sample();
        self.meter.add_time(start.elapsed());
        outcome
    }
}

impl IsingSampler for Metered {
    /// # Errors
    ///
    /// When the budget has no jobs left for it, and as the sampler within.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        self.metered(&[model], n_reads, || self.inner.sample(model, n_reads))
    }

    /// # Errors
    ///
    /// As [`sample`](Self::sample).
    fn sample_batch(
        &self,
        models: &BatchedIsing<'_>,
        n_reads: usize,
    ) -> Result<BatchSampleSet, Error> {
        let owned: Vec<Ising> = (0..models.n_problems()).map(|p| models.problem(p)).collect();
        let borrowed: Vec<&Ising> = owned.iter().collect();
        self.metered(&borrowed, n_reads, || self.inner.sample_batch(models, n_reads))
    }

    /// The sampler within with another seed, on the same budget.
    fn reseeded(&self, seed: u64) -> Option<Arc<dyn IsingSampler>> {
        let inner = self.inner.reseeded(seed)?;
        Some(Arc::new(Self { inner, ..self.clone() }))
    }
}
