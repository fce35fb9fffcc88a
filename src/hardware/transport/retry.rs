//! Sending again what may be sent again.

use super::{Failure, FailureKind, Http, Request, Response, Transport};
use crate::annealing::Cancellation;
use crate::error::{Error, ErrorKind, Fault};
use crate::random::Stream;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often, and how soon, a request is sent again when the service is busy (429, 5xx) or the
/// connection fails.
///
/// The wait before attempt `k + 1` is uniform on half to all of `first_delay 2^(k-1)`, at most
/// `max_delay`; where the service says how many seconds to wait, it is that. If it says longer than
/// `max_delay`, the call fails at once, naming the time.
///
/// Requests that create jobs are sent again only if the service cannot have taken them: it was not
/// reached, or answered 429 or 503. So no job runs twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    max_attempts: u32,
    first_delay: Duration,
    max_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        let (first_delay, max_delay) = (Duration::from_millis(250), Duration::from_secs(60));
        Self { max_attempts: 5, first_delay, max_delay }
    }
}

impl Retry {
    /// At most so many attempts in all, at least one. Default: 5
    pub fn with_max_attempts(mut self, max_attempts: u32) -> Self {
        self.max_attempts = max_attempts.max(1);
        self
    }

    /// The wait after the first attempt, and the longest wait. Default: 0.25 s and 60 s
    pub fn with_delays(mut self, first_delay: Duration, max_delay: Duration) -> Self {
        (self.first_delay, self.max_delay) = (first_delay, max_delay);
        self
    }

    fn delay(&self, attempt: u32) -> Duration {
        let seed = RandomState::new().hash_one(attempt);
        let jitter = 0.5 + 0.5 * Stream::new(seed, 0).uniform();
        let doubled = self.first_delay.saturating_mul(1u32 << (attempt - 1).min(30));
        doubled.min(self.max_delay).mul_f64(jitter)
    }
}

/// Whether a request does no harm when it is sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hardware) enum Repeatable {
    Yes,
    /// It creates a job.
    No,
}

/// The way to one service: a transport, with patience.
#[derive(Debug, Clone)]
pub(in crate::hardware) struct Link {
    pub service: String,
    pub transport: Arc<dyn Transport>,
    pub retry: Retry,
    pub cancellation: Option<Cancellation>,
    pub deadline: Option<Instant>,
}

/// Why an attempt may be worth another one.
struct Trouble {
    fault: Fault,
    reason: String,
    again: bool,
    asked: Option<Duration>,
}

impl Link {
    pub fn new(service: String) -> Self {
        Self {
            service,
            transport: Arc::new(Http::default()),
            retry: Retry::default(),
            cancellation: None,
            deadline: None,
        }
    }

    pub fn error(&self, fault: Fault, reason: impl Into<String>) -> Error {
        let service = self.service.clone();
        ErrorKind::Device { service, job: None, fault, reason: reason.into() }.into()
    }

    /// An error if the caller no longer waits.
    pub fn check(&self) -> Result<(), Error> {
        if self.cancellation.as_ref().is_some_and(Cancellation::is_cancelled) {
            return Err(self.error(Fault::Cancelled, "cancelled by the caller"));
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(self
                .error(Fault::Timeout, "the limit of time is over: raise it, or ask again later")),
            _ => Ok(()),
        }
    }

    /// The time until the deadline, at most `most`.
    pub fn at_most(&self, most: Duration) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(most, |left| left.min(most))
    }

    /// Waits, unless the caller loses patience.
    pub fn pause(&self, time: Duration) -> Result<(), Error> {
        let end = Instant::now() + time;
        loop {
            self.check()?;
            let left = self.at_most(end.saturating_duration_since(Instant::now()));
            if left.is_zero() && Instant::now() >= end {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(20)));
        }
    }

    /// Sends a request until it is answered with something other than trouble.
    pub fn send(&self, request: &Request, repeatable: Repeatable) -> Result<Response, Error> {
        let name = format!("{} {}", request.method.name(), request.url);
        let mut attempt = 1;
        loop {
            self.check()?;
            let trouble = match self.attempt(request, repeatable) {
                Ok(response) => return Ok(response),
                Err(trouble) => trouble,
            };
            log::debug!("{name}, attempt {attempt}: {}", trouble.reason);
            if let Some(reason) = self.objection(&trouble, attempt, repeatable) {
                return Err(
                    self.error(trouble.fault, format!("{name}: {}{reason}", trouble.reason))
                );
            }
            self.pause(trouble.asked.unwrap_or_else(|| self.retry.delay(attempt)))?;
            attempt += 1;
        }
    }

    /// Why there is no further attempt, if so.
    fn objection(&self, trouble: &Trouble, attempt: u32, repeatable: Repeatable) -> Option<String> {
        let limit = self.retry.max_delay;
        match trouble.asked {
            _ if trouble.fault == Fault::Untrusted => Some(String::new()),
            Some(asked) if asked > limit => Some(format!(
                "; it asks to wait {} s, the limit is {} s: come back later",
                asked.as_secs(),
                limit.as_secs_f64()
            )),
            _ if !trouble.again && repeatable == Repeatable::No => Some(format!(
                ", attempt {attempt}; not sent again, as the service may have taken it: look for it by \
                 its label"
            )),
            _ if attempt >= self.retry.max_attempts => Some(format!(", attempt {attempt}")),
            _ => None,
        }
    }

    fn attempt(&self, request: &Request, repeatable: Repeatable) -> Result<Response, Trouble> {
        let timed = Request { timeout: self.at_most(request.timeout), ..request.clone() };
        let response = self.transport.send(&timed).map_err(|failure| {
            let Failure { kind, reason } = failure;
            let fault = match kind {
                FailureKind::Timeout => Fault::Timeout,
                FailureKind::Untrusted => Fault::Untrusted,
                FailureKind::Unsent | FailureKind::Broken => Fault::Unreachable,
            };
            let again = repeatable == Repeatable::Yes || kind == FailureKind::Unsent;
            Trouble { fault, reason, again, asked: None }
        })?;
        log::trace!("{} {}: {}", request.method.name(), request.url, response.status);
        if !matches!(response.status, 408 | 429 | 500..=599) {
            return Ok(response);
        }
        let again = repeatable == Repeatable::Yes || matches!(response.status, 429 | 503);
        let seconds = response.header("Retry-After").and_then(|text| text.trim().parse().ok());
        let asked = seconds.map(Duration::from_secs);
        let reason = format!("status {}", response.status);
        Err(Trouble { fault: Fault::Busy, reason, again, asked })
    }
}
