//! The jobs of a server.

use super::model::Problem;
use super::qp::Answer;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// So many finished jobs are kept; older ones are forgotten.
const KEPT: usize = 10_000;

#[derive(Debug, Clone)]
pub(super) enum State {
    Pending,
    InProgress,
    Completed(Answer),
    Failed(String),
    Cancelled,
}

impl State {
    pub fn name(&self) -> &'static str {
        match self {
            State::Pending => "PENDING",
            State::InProgress => "IN_PROGRESS",
            State::Completed(_) => "COMPLETED",
            State::Failed(_) => "FAILED",
            State::Cancelled => "CANCELLED",
        }
    }

    pub fn is_done(&self) -> bool {
        !matches!(self, State::Pending | State::InProgress)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Job {
    pub id: String,
    pub problem: Problem,
    pub state: State,
    pub submitted_on: SystemTime,
    pub solved_on: Option<SystemTime>,
}

#[derive(Debug, Default)]
struct Jobs {
    all: HashMap<String, Job>,
    pending: VecDeque<String>,
    finished: VecDeque<String>,
}

#[derive(Debug, Default)]
pub(super) struct Store {
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, problem: Problem) -> String {
        let half = || RandomState::new().hash_one(SystemTime::now());
        let id = format!("{:016x}{:016x}", half(), half());
        let (state, submitted_on) = (State::Pending, SystemTime::now());
        let job = Job { id: id.clone(), problem, state, submitted_on, solved_on: None };
        let mut jobs = self.lock();
        jobs.all.insert(id.clone(), job);
        jobs.pending.push_back(id.clone());
        self.changed.notify_all();
        id
    }

    pub fn job(&self, id: &str) -> Option<Job> {
        self.lock().all.get(id).cloned()
    }

    /// The problem of a job that waits, the oldest of all or the one named; its work begins now.
    /// Waits for one no longer than this.
    pub fn take(&self, named: Option<&str>, patience: Duration) -> Option<(String, Problem)> {
        let mut jobs = self.lock();
        if named.is_none() && jobs.pending.is_empty() {
            let waited = self.changed.wait_timeout(jobs, patience);
            jobs = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let place = match named {
            Some(id) => jobs.pending.iter().position(|pending| pending == id)?,
            None => 0,
        };
        let id = jobs.pending.remove(place)?;
        let job = jobs.all.get_mut(&id)?;
        job.state = State::InProgress;
        let problem = job.problem.clone();
        self.changed.notify_all();
        Some((id, problem))
    }

    /// Ends a job, unless it has ended. Returns whether it did.
    pub fn finish(&self, id: &str, state: State) -> bool {
        let mut jobs = self.lock();
        let Some(job) = jobs.all.get_mut(id).filter(|job| !job.state.is_done()) else {
            return false;
        };
        (job.state, job.solved_on) = (state, Some(SystemTime::now()));
        jobs.pending.retain(|pending| pending != id);
        jobs.finished.push_back(id.into());
        if jobs.finished.len() > KEPT
            && let Some(oldest) = jobs.finished.pop_front()
        {
            jobs.all.remove(&oldest);
        }
        self.changed.notify_all();
        true
    }

    /// The known ones of these jobs, once one of them is done or the time is over.
    pub fn wait(&self, ids: &[&str], time: Duration) -> Vec<Job> {
        let end = Instant::now() + time;
        let mut jobs = self.lock();
        loop {
            let known: Vec<&Job> = ids.iter().filter_map(|id| jobs.all.get(*id)).collect();
            let left = end.saturating_duration_since(Instant::now());
            if known.is_empty() || left.is_zero() || known.iter().any(|job| job.state.is_done()) {
                return known.into_iter().cloned().collect();
            }
            let waited = self.changed.wait_timeout(jobs, left);
            jobs = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// `2026-11-21T09:30:00.000000Z`
pub(in crate::hardware) fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Howard Hinnant's civil_from_days, for days since 1970.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let micros = since.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_civil() {
        let at = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59.000000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000000Z");
        assert_eq!(at(1_795_253_405), "2026-11-21T09:30:05.000000Z");
    }
}
