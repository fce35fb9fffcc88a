//! How a service is reached.

use crate::annealing::Cancellation;
use crate::hardware::{Http, Retry, Transport};
use std::sync::Arc;
use std::time::Duration;

/// How a gate-model service is reached, and for how long it is waited for. The same for all of them.
///
/// ```
/// use burn_quantum::annealing::Cancellation;
/// use burn_quantum::hardware::Connection;
/// use std::time::Duration;
///
/// let stop = Cancellation::default();
/// let connection = Connection::default()
///     .with_time(Duration::from_secs(3600))
///     .with_cancellation(stop.clone());
/// ```
#[derive(Debug, Clone)]
pub struct Connection {
    pub(super) endpoint: Option<String>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) retry: Retry,
    pub(super) timeout: Duration,
    pub(super) time: Option<Duration>,
    pub(super) cancellation: Option<Cancellation>,
    pub(super) pauses: [Duration; 2],
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            endpoint: None,
            transport: Arc::new(Http::default()),
            retry: Retry::default(),
            timeout: Duration::from_secs(60),
            time: None,
            cancellation: None,
            pauses: [Duration::from_millis(250), Duration::from_secs(10)],
        }
    }
}

impl Connection {
    /// The address of the service. Default: the public one of the vendor
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    pub(in crate::hardware) fn has_endpoint(&self) -> bool {
        self.endpoint.is_some()
    }

    /// What carries the requests. Default: [`Http`]
    pub fn with_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = transport;
        self
    }

    /// When to send again. Default: [`Retry::default`]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How long one request may take. Default: 60 s
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a call may take, queues of the service included. What was submitted by then runs
    /// on, and can be collected later. Default: no limit
    pub fn with_time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Ends every wait when this is switched, and asks the service to cancel what was waited for.
    pub fn with_cancellation(mut self, cancellation: Cancellation) -> Self {
        self.cancellation = Some(cancellation);
        self
    }

    /// The first and the longest pause between two questions whether a job is done; each is half as
    /// long again as the one before. Default: 0.25 s and 10 s
    pub fn with_pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.pauses = [first, longest.max(first)];
        self
    }
}
