//! When to stop, and who wants to know how far a run is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
        }
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

    /// Tells that so many more reads are finished.
    pub fn finished(&self, reads: usize) {
        let reads_done = self.reads_done.fetch_add(reads, Ordering::Relaxed) + reads;
        if let Some(ProgressFn(tell)) = self.limits.and_then(|limits| limits.progress.as_ref()) {
            tell(Progress { reads_done, n_reads: self.n_reads, elapsed: self.elapsed() });
        }
    }
}
