//! The client's side of the protocol.

use super::answers::{self, Outcome};
use super::model::{Problem, SolverDefinition, Status};
use super::qp::Answer;
use super::{Solver, media_type};
use crate::annealing::Cancellation;
use crate::error::{Error, ErrorKind, Fault};
use crate::hardware::transport::endpoint::{self, encoded, is_id};
use crate::hardware::transport::{Link, Repeatable};
use crate::hardware::{Method, Request, Response, Retry, Token, Transport};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many problems go into one request, as in the maker's own client.
const BULK: usize = 20;

/// The name that the service gave a job. It outlives the program: [`Client::wait`] takes it in
/// another process as well.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

/// A connection to a service that speaks the Solver API.
///
/// It polls until a job is done: each request stays open on the side of the service until something
/// changes, for at most [`with_long_poll`](Self::with_long_poll).
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) link: Link,
    base: String,
    token: Token,
    timeout: Duration,
    long_poll: Duration,
}

impl Client {
    /// A client of an endpoint, as `https://na-west-1.cloud.dwavesys.com/sapi/v2/`.
    ///
    /// # Errors
    ///
    /// When it is not an address of `https`, or of `http` on this very machine: a token must not
    /// travel in the clear.
    pub fn new(endpoint: &str, token: Token) -> Result<Self, Error> {
        let base = endpoint::checked(endpoint, |text| token.hidden_in(text))?;
        Ok(Self {
            link: Link::new(base.clone()),
            base,
            token,
            timeout: Duration::from_secs(60),
            long_poll: Duration::from_secs(30),
        })
    }

    /// A client of the endpoint `DWAVE_API_ENDPOINT` with the token `DWAVE_API_TOKEN`, both taken
    /// from the environment.
    ///
    /// # Errors
    ///
    /// When a variable is not set, or as [`new`](Self::new).
    pub fn from_env() -> Result<Self, Error> {
        let variable = "DWAVE_API_ENDPOINT";
        let endpoint = std::env::var(variable).map_err(|_| ErrorKind::Unsupported {
            what: format!("the environment variable {variable}"),
            remedy: "set it to the address of the service".into(),
        })?;
        Self::new(endpoint.trim(), Token::from_env("DWAVE_API_TOKEN")?)
    }

    /// What carries the requests. Default: [`Http`](crate::hardware::Http)
    pub fn with_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.link.transport = transport;
        self
    }

    /// When to send again. Default: [`Retry::default`]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.link.retry = retry;
        self
    }

    /// How long one request may take, apart from its wait in a long poll. Default: 60 s
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a poll stays open when nothing happens, in whole seconds. Default: 30 s
    pub fn with_long_poll(mut self, long_poll: Duration) -> Self {
        self.long_poll = long_poll;
        self
    }

    /// Ends every wait when this is switched. It is looked at between requests, so polls last two
    /// seconds at most.
    pub fn with_cancellation(mut self, cancellation: Cancellation) -> Self {
        self.link.cancellation = Some(cancellation);
        self.long_poll = self.long_poll.min(Duration::from_secs(2));
        self
    }

    /// Ends every wait at this moment. Default: never
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.link.deadline = Some(deadline);
        self
    }

    fn request(&self, method: Method, path: &str, kind: &str) -> Request {
        let mut request = Request::new(method, format!("{}{path}", self.base));
        request.headers = vec![
            ("X-Auth-Token".into(), self.token.reveal().into()),
            ("Accept".into(), media_type(kind)),
        ];
        request.timeout = self.timeout;
        request
    }

    fn send<T: DeserializeOwned>(
        &self,
        request: &Request,
        repeatable: Repeatable,
    ) -> Result<T, Error> {
        let response = self.link.send(request, repeatable)?;
        if !(200..300).contains(&response.status) {
            return Err(self.refusal(request, &response));
        }
        let version = response.header("Content-Type").and_then(|t| t.split("version=").nth(1));
        if let Some(version) = version.filter(|v| !v.starts_with("3.")) {
            return Err(self.malformed(format!("it is of version {version}, this client needs 3")));
        }
        serde_json::from_slice(&response.body).map_err(|error| {
            let request = format!("{} {}", request.method.name(), request.url);
            self.malformed(format!("{request}: {error}"))
        })
    }

    fn refusal(&self, request: &Request, response: &Response) -> Error {
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        let said = body.as_ref().and_then(|body| body.get("error_msg")?.as_str());
        let said = self.token.hidden_in(said.unwrap_or("no reason given"));
        let (fault, remedy) = match response.status {
            401 => (Fault::Authentication, ": check the token"),
            403 => (Fault::Authentication, ": the token does not grant this"),
            404 if request.url.contains("/problems/") => (Fault::Lost, ""),
            _ => (Fault::Refused, ""),
        };
        let (method, url) = (request.method.name(), &request.url);
        self.link
            .error(fault, format!("{method} {url}: status {}, {said}{remedy}", response.status))
    }

    /// All solvers that the token may use.
    ///
    /// # Errors
    ///
    /// When the service cannot be reached, refuses, or answers nonsense, as for all requests.
    pub fn solvers(&self) -> Result<Vec<SolverDefinition>, Error> {
        let request = self.request(Method::Get, "solvers/remote/", "solver-definition-list");
        self.send(&request, Repeatable::Yes)
    }

    /// One solver by its name.
    ///
    /// # Errors
    ///
    /// When there is none of that name, it has no graph of qubits, or as [`solvers`](Self::solvers).
    pub fn solver(&self, name: &str) -> Result<Solver, Error> {
        let path = format!("solvers/remote/{}", encoded(name));
        let request = self.request(Method::Get, &path, "solver-definition");
        Solver::new(&self.send(&request, Repeatable::Yes)?)
    }

    /// The least busy of the solvers that are online, have a graph of qubits, and fit.
    ///
    /// # Errors
    ///
    /// When there is none, with the names of all, or as [`solvers`](Self::solvers).
    pub fn find_solver(&self, fits: impl Fn(&Solver) -> bool) -> Result<Solver, Error> {
        let definitions = self.solvers()?;
        let solvers = definitions.iter().filter_map(|definition| Solver::new(definition).ok());
        let load = |solver: &Solver| solver.avg_load.unwrap_or(0.0);
        solvers
            .filter(|solver| solver.is_online && fits(solver))
            .min_by(|a, b| load(a).total_cmp(&load(b)))
            .ok_or_else(|| {
                let name = |d: &SolverDefinition| format!("{} ({})", d.identity.name, d.status);
                let names: Vec<String> = definitions.iter().map(name).collect();
                let reason = format!("no solver fits and is online, of: {}", names.join(", "));
                self.link.error(Fault::Refused, reason)
            })
    }

    /// Submits problems, up to 20 in one request. Each becomes a job, or an error of its own.
    pub fn submit(&self, problems: &[Problem]) -> Vec<Result<JobId, Error>> {
        let mut jobs = Vec::with_capacity(problems.len());
        for bulk in problems.chunks(BULK) {
            match self.submit_bulk(bulk) {
                Ok(taken) => jobs.extend(taken),
                Err(error) => jobs.extend(bulk.iter().map(|_| Err(error.clone()))),
            }
        }
        let mut seen = HashSet::new();
        for job in &mut jobs {
            if let Ok(JobId(id)) = job
                && !seen.insert(id.clone())
            {
                *job = Err(self.malformed("the same job for two problems").about_job(id));
            }
        }
        jobs
    }

    fn submit_bulk(&self, problems: &[Problem]) -> Result<Vec<Result<JobId, Error>>, Error> {
        let mut request = self.request(Method::Post, "problems/", "problems");
        request.headers.push(("Content-Type".into(), "application/json".into()));
        request.body = serde_json::to_vec(problems).map_err(|error| self.malformed(error))?;
        let statuses: Vec<Status> = self.send(&request, Repeatable::No)?;
        if statuses.len() != problems.len() {
            let (given, taken) = (problems.len(), statuses.len());
            let ids: Vec<String> = statuses.into_iter().filter_map(|status| status.id).collect();
            return Err(self.malformed(format!("{taken} jobs for {given} problems: {ids:?}")));
        }
        log::info!("{}: {} problems submitted", self.base, problems.len());
        Ok(statuses.into_iter().map(|status| self.job(status)).collect())
    }

    fn job(&self, status: Status) -> Result<JobId, Error> {
        match status {
            Status { id: Some(id), error_code: None, .. } if is_id(&id) => Ok(JobId(id)),
            Status { error_code, error_msg: Some(said), .. } => {
                let (code, said) = (error_code.unwrap_or_default(), self.token.hidden_in(&said));
                Err(self
                    .link
                    .error(Fault::Refused, format!("the problem is refused, {code}: {said}")))
            }
            _ => Err(self.malformed("a problem got neither a job nor an error")),
        }
    }

    /// Waits until jobs are done, and fetches their answers in the same order. A job that failed is
    /// an error of its own, which names it; it takes nothing from the others.
    ///
    /// Submitted in an earlier run of the program, jobs are waited for in the same way.
    pub fn wait(&self, solver: &Solver, jobs: &[JobId]) -> Vec<Result<Answer, Error>> {
        answers::wait(self, jobs)
            .into_iter()
            .zip(jobs)
            .map(|(answer, JobId(id))| {
                let named = |error: Error| error.about_job(id);
                let answer = Answer::decode(&solver.graph, answer.map_err(named)?);
                answer.map_err(|reason| named(self.malformed(reason)))
            })
            .collect()
    }

    /// What the service says of jobs, each once, in its own order. With `wait`, when one of them is
    /// done.
    pub(super) fn poll(&self, ids: &[&str], wait: bool) -> Result<Vec<Status>, Error> {
        let seconds = if wait { self.link.at_most(self.long_poll).as_secs() } else { 0 };
        let long = if seconds > 0 { format!("&timeout={seconds}") } else { String::new() };
        let path = format!("problems/?id={}{long}", ids.join(","));
        let mut request = self.request(Method::Get, &path, "problems");
        request.timeout = self.timeout + Duration::from_secs(seconds);
        self.send(&request, Repeatable::Yes)
    }

    /// The status of one job, and its answer if there is one.
    pub(super) fn outcome(&self, id: &str) -> Result<Outcome, Error> {
        let request = self.request(Method::Get, &format!("problems/{id}/"), "problem");
        let status: Status = self.send(&request, Repeatable::Yes).map_err(|e| e.about_job(id))?;
        if status.id.as_deref() != Some(id) {
            let reason = format!("it is about job {:?}", status.id);
            return Err(self.malformed(reason).about_job(id));
        }
        self.read(id, status)
    }

    /// What a status means.
    pub(super) fn read(&self, id: &str, status: Status) -> Result<Outcome, Error> {
        let said = status.error_message.or(status.error_msg);
        let said = self.token.hidden_in(said.as_deref().unwrap_or("no reason given"));
        let error = match status.status.as_deref() {
            Some("PENDING" | "IN_PROGRESS") => return Ok(Outcome::Running),
            Some("COMPLETED") => return Ok(Outcome::Completed(status.answer)),
            Some("FAILED") => self.link.error(Fault::Failed, format!("the job failed: {said}")),
            Some("CANCELLED") => self.link.error(Fault::Failed, "the job was cancelled"),
            Some(other) => self.malformed(format!("the status `{}`", self.token.hidden_in(other))),
            None => self.malformed(format!("no status: {said}")),
        };
        Err(error.about_job(id))
    }

    /// Asks the service to cancel jobs. Those that it had finished stay finished, which is an error
    /// of that job.
    pub fn cancel(&self, jobs: &[JobId]) -> Vec<Result<(), Error>> {
        let one = |JobId(id): &JobId| {
            let request = self.request(Method::Delete, &format!("problems/{id}"), "problem");
            let status = self.send::<Status>(&request, Repeatable::Yes);
            status.map(|_| ()).map_err(|error| error.about_job(id))
        };
        jobs.iter().map(one).collect()
    }

    /// What the service keeps of a job: problem, parameters, times.
    ///
    /// # Errors
    ///
    /// As [`solvers`](Self::solvers).
    pub fn info(&self, JobId(id): &JobId) -> Result<Value, Error> {
        let request = self.request(Method::Get, &format!("problems/{id}/info"), "problem-data");
        self.send(&request, Repeatable::Yes).map_err(|error: Error| error.about_job(id))
    }

    /// The same client, which heeds these limits as well.
    pub(in crate::hardware) fn limited(
        &self,
        time: Option<Duration>,
        cancellation: Option<&Cancellation>,
    ) -> Self {
        let mut limited = self.clone();
        if let Some(cancellation) = cancellation {
            limited = limited.with_cancellation(cancellation.clone());
        }
        if let Some(end) = time.and_then(|time| Instant::now().checked_add(time)) {
            limited.link.deadline = Some(limited.link.deadline.map_or(end, |d| d.min(end)));
        }
        limited
    }

    /// The same client, which nobody stops.
    pub(in crate::hardware) fn unlimited(&self) -> Self {
        let mut client = self.clone();
        (client.link.cancellation, client.link.deadline) = (None, None);
        client
    }

    pub(in crate::hardware) fn malformed(&self, reason: impl std::fmt::Display) -> Error {
        self.link.error(Fault::Malformed, format!("an answer breaks the protocol: {reason}"))
    }
}
