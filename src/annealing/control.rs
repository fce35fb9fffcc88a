//! When to stop, and who wants to know how far a run is.

use crate::ising::Ising;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A switch that stops runs from another thread, for good. Clones are the same switch.
///
/// ```
/// use burn_quantum::annealing::{Cancellation, IsingSampler, SimulatedAnnealing};
/// use burn_quantum::ising::Ising;
///
/// let cancellation = Cancellation::default();
/// cancellation.cancel();
/// let sampler = SimulatedAnnealing::default().with_cancellation(cancellation);
/// let set = sampler.sample(&Ising::sparse(vec![1.0; 3], [], 0.0)?, 10)?;
/// assert!(set.is_interrupted() && set.n_reads() > 0); // what was found: random spins
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Stops all runs that look at this switch.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was switched.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a [progress function](Limits::with_progress) is told.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// The lowest energy of the finished reads; infinite if the sampler does not know it yet.
    pub lowest: f64,
    /// The reads that are finished.
    pub reads_done: usize,
    /// The reads that were asked for.
    pub n_reads: usize,
    /// The time since the start.
    pub elapsed: Duration,
}

/// Called now and then by the threads of a run.
#[derive(Clone)]
pub(super) struct ProgressFn(pub Arc<dyn Fn(Progress) + Send + Sync>);

impl std::fmt::Debug for ProgressFn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProgressFn")
    }
}

/// When a run ends early, and whom it tells about its progress. All samplers have one.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    time: Option<Duration>,
    deadline: Option<Instant>,
    cancellation: Option<Cancellation>,
    target: Option<f64>,
    progress: Option<ProgressFn>,
}

impl Limits {
    /// Stops after this time, with what was found.
    pub fn with_time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Stops when this is switched, with what was found.
    pub fn with_cancellation(mut self, cancellation: Cancellation) -> Self {
        self.cancellation = Some(cancellation);
        self
    }

    /// Stops when a read has this energy or a lower one. Which other reads are there then depends
    /// on the threads.
    ///
    /// ```
    /// use burn_quantum::annealing::{IsingSampler, Limits, Tabu};
    /// use burn_quantum::ising::Ising;
    ///
    /// let model = Ising::sparse(vec![1.0; 3], [], 0.0)?;
    /// let sampler = Tabu::default().with_limits(Limits::default().with_target(-3.0));
    /// let set = sampler.sample(&model, 1_000_000)?;
    /// assert!(set.is_interrupted() && set.n_reads() < 1000);
    /// assert_eq!(set.first().expect("one at least").energy, -3.0);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn with_target(mut self, energy: f64) -> Self {
        self.target = Some(energy);
        self
    }

    /// Calls a function whenever reads are finished, from the threads of the run.
    pub fn with_progress(mut self, tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(ProgressFn(Arc::new(tell)));
        self
    }

    /// The same limits for parts of a run that starts now.
    pub(super) fn running(&self) -> Self {
        let deadline = self.time.and_then(|time| Instant::now().checked_add(time));
        let earliest = [deadline, self.deadline].into_iter().flatten().min();
        Self { time: None, deadline: earliest, ..self.clone() }
    }

    /// A clock that starts now.
    pub(super) fn start(&self, n_reads: usize) -> Stop<'_> {
        Stop {
            limits: Some(self),
            start: Instant::now(),
            n_reads,
            reads_done: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            lowest: Mutex::new(f64::INFINITY),
        }
    }
}

/// One run's clock.
#[derive(Debug)]
pub(super) struct Stop<'a> {
    limits: Option<&'a Limits>,
    start: Instant,
    n_reads: usize,
    reads_done: AtomicUsize,
    stopped: AtomicBool,
    lowest: Mutex<f64>,
}

impl Stop<'_> {
    #[cfg(test)]
    pub fn never() -> Self {
        Stop {
            limits: None,
            start: Instant::now(),
            n_reads: 0,
            reads_done: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            lowest: Mutex::new(f64::INFINITY),
        }
    }

    /// The limits of a part of this run, of whose progress nobody is told.
    pub fn limits_of_part(&self) -> Limits {
        let Some(limits) = self.limits else { return Limits::default() };
        let deadline = limits.time.and_then(|time| self.start.checked_add(time));
        let earliest = [deadline, limits.deadline].into_iter().flatten().min();
        Limits { time: None, deadline: earliest, progress: None, ..limits.clone() }
    }

    /// Whether to stop now.
    pub fn now(&self) -> bool {
        let Some(limits) = self.limits else { return false };
        if self.stopped.load(Ordering::Relaxed) {
            return true;
        }
        let stop = limits.cancellation.as_ref().is_some_and(Cancellation::is_cancelled)
            || limits.time.is_some_and(|time| self.start.elapsed() >= time)
            || limits.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if stop {
            self.stopped.store(true, Ordering::Relaxed);
        }
        stop
    }

    /// Whether the run was stopped.
    pub fn was_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Whether an energy is low enough to stop.
    pub fn is_target(&self, energy: f64) -> bool {
        self.limits.and_then(|limits| limits.target).is_some_and(|target| energy <= target)
    }

    /// Whether anybody wants to know the energies of reads before the run is over.
    fn wants_energies(&self) -> bool {
        self.limits.is_some_and(|limits| limits.target.is_some() || limits.progress.is_some())
    }

    /// Tells that the reads with these spins, `[reads, n_spins]`, are finished.
    pub fn finished(&self, model: &Ising, reads: usize, spins: &[i8]) {
        let mut lowest = f64::INFINITY;
        if self.wants_energies() {
            let energies = spins.chunks(model.n_spins().max(1)).map(|spins| model.energy(spins));
            lowest =
                if spins.is_empty() { model.energy(&[]) } else { energies.fold(lowest, f64::min) };
        }
        self.count(reads, lowest);
    }

    /// Tells that so many more reads are finished, of which this is the lowest energy.
    pub fn count(&self, reads: usize, lowest: f64) {
        if self.is_target(lowest) {
            self.stopped.store(true, Ordering::Relaxed);
        }
        let lowest = {
            let mut so_far = self.lowest.lock().unwrap_or_else(PoisonError::into_inner);
            *so_far = so_far.min(lowest);
            *so_far
        };
        let reads_done = self.reads_done.fetch_add(reads, Ordering::Relaxed) + reads;
        if let Some(ProgressFn(tell)) = self.limits.and_then(|limits| limits.progress.as_ref()) {
            tell(Progress { lowest, reads_done, n_reads: self.n_reads, elapsed: self.elapsed() });
        }
    }
}
