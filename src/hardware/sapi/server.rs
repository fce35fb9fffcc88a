//! The server's side of the protocol, over any sampler.

use super::model::{Identity, Problem, ProblemKind, SolverDefinition, Version};
use super::qp::{Answer, Coefficients};
use super::store::{Job, State, Store, timestamp};
use super::{VERSION, media_type};
use crate::annealing::{Cancellation, IsingSampler, SampleSet};
use crate::error::{Error, ErrorKind};
use crate::hardware::{
    Failure, Method, Request, Response, Token, Topology, Transport, WorkingGraph,
};
use crate::ising::{Ising, Qubo};
use flate2::read::ZlibDecoder;
use serde_json::{Map, Value, json};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No body is larger than this once it is unpacked.
const MAX_BODY: u64 = 64 << 20;

/// A solver in the eyes of D-Wave's clients: a sampler of this crate behind the Solver API.
///
/// It answers requests and reads no network by itself: the example `sapi_server` puts it behind a
/// port. As it is a [`Transport`] too, a client in the same program needs no port.
///
/// Problems are solved while they are submitted, by the thread that submits. With
/// [`with_queue`](Self::with_queue) they wait until some thread calls [`work`](Self::work), and
/// polls stay open meanwhile.
///
/// The energies it reports are those of the model. `num_reads`, `answer_mode` and `label` mean what
/// they do at D-Wave; other parameters are refused, as a sampler does not know them.
///
/// ```
/// use burn_quantum::annealing::SimulatedAnnealing;
/// use burn_quantum::hardware::sapi::{Client, Server};
/// use burn_quantum::hardware::{Token, Topology};
/// use std::sync::Arc;
///
/// let server = Server::new("local", Topology::pegasus(2)?, Arc::new(SimulatedAnnealing::default()))?;
/// let client = Client::new("http://localhost/sapi/v2/", Token::new("any")?)?
///     .with_transport(Arc::new(server));
/// let solver = client.find_solver(|solver| solver.graph.qubits().len() > 20)?;
/// assert_eq!(solver.identity.name, "local");
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    definition: SolverDefinition,
    graph: WorkingGraph,
    sampler: Arc<dyn IsingSampler>,
    token: Option<Token>,
    queued: bool,
    store: Store,
}

const MAX_READS: usize = 10_000;

/// What a request comes to: a status, and a body of some media type or an error.
type Reply = Result<(u16, &'static str, Value), Refusal>;

struct Refusal(u16, String);

impl Refusal {
    fn new(status: u16, reason: impl fmt::Display) -> Self {
        Self(status, reason.to_string())
    }

    fn body(&self) -> Value {
        json!({"error_code": self.0, "error_msg": self.1})
    }
}

impl Server {
    /// A solver of this name, on a chip without defects.
    ///
    /// # Errors
    ///
    /// When the name is empty or has a slash.
    pub fn new(
        name: &str,
        topology: Topology,
        sampler: Arc<dyn IsingSampler>,
    ) -> Result<Self, Error> {
        Self::with_graph(name, topology, WorkingGraph::ideal(topology), sampler)
    }

    /// A solver on a chip of which not everything works.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_graph(
        name: &str,
        topology: Topology,
        graph: WorkingGraph,
        sampler: Arc<dyn IsingSampler>,
    ) -> Result<Self, Error> {
        if name.is_empty() || name.contains('/') {
            let what = format!("a solver of the name `{name}`");
            let remedy = "use a name without slashes".into();
            return Err(ErrorKind::Unsupported { what, remedy }.into());
        }
        let mut hasher = DefaultHasher::new();
        (graph.qubits(), graph.couplers()).hash(&mut hasher);
        let version = Some(Version { graph_id: format!("{:010x}", hasher.finish() >> 24) });
        let definition = SolverDefinition {
            identity: Identity { name: name.into(), version },
            status: "ONLINE".into(),
            description: Some("a sampler of burn-quantum".into()),
            avg_load: Some(0.0),
            properties: properties(name, topology, &graph),
        };
        let store = Store::default();
        Ok(Self { definition, graph, sampler, token: None, queued: false, store })
    }

    /// Refuses requests without this token. Default: any token, or none, will do
    pub fn with_token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Leaves problems to [`work`](Self::work).
    pub fn with_queue(mut self) -> Self {
        self.queued = true;
        self
    }

    /// Solves the problems of the queue, in the order of their submission, until it is told to
    /// stop. Several threads may do so at once.
    pub fn work(&self, stop: &Cancellation) {
        while !stop.is_cancelled() {
            if let Some((id, problem)) = self.store.take(None, Duration::from_millis(50)) {
                self.solve(&id, &problem);
            }
        }
    }

    fn solve(&self, id: &str, problem: &Problem) {
        let state = match self.answer(problem) {
            Ok(answer) => State::Completed(answer),
            Err(reason) => State::Failed(reason),
        };
        log::debug!("job {id}: {}", state.name());
        self.store.finish(id, state);
    }

    fn answer(&self, problem: &Problem) -> Result<Answer, String> {
        let start = Instant::now();
        let coefficients = problem.data.decode(&self.graph)?;
        let n_reads = n_reads(&problem.params)?;
        let model = self.model(problem.kind, &coefficients).map_err(|e| e.to_string())?;
        let set = self.sampler.sample(&model, n_reads).map_err(|e| e.to_string())?;
        if set.n_reads() != n_reads {
            return Err(format!("the sampler made {} reads of {n_reads}", set.n_reads()));
        }
        let is_raw = problem.params.get("answer_mode").and_then(Value::as_str) == Some("raw");
        let set = if is_raw { set } else { set.aggregated().sorted() };
        let microseconds = 1e6 * start.elapsed().as_secs_f64();
        let active = coefficients.active(&self.graph);
        Ok(listed(active, &set, is_raw, microseconds))
    }

    fn model(&self, kind: ProblemKind, problem: &Coefficients) -> Result<Ising, Error> {
        let linear: Vec<f64> = problem.linear.iter().copied().filter(|h| !h.is_nan()).collect();
        let pairs = problem.active_pairs(&self.graph);
        match kind {
            ProblemKind::Ising => Ising::sparse(linear, pairs, 0.0),
            ProblemKind::Qubo => {
                let diagonal = linear.iter().enumerate().map(|(i, &q)| (i, i, q));
                Qubo::sparse(linear.len(), diagonal.chain(pairs), 0.0)?.to_ising()
            }
        }
    }

    /// Answers a request.
    pub fn respond(&self, request: &Request) -> Response {
        let tag = format!("\"{}\"", self.graph_id());
        let reply = self.route(request);
        if let Ok((200, "solver-definition-list", _)) = reply
            && request.header("If-None-Match") == Some(&tag)
        {
            return Response { status: 304, headers: vec![("ETag".into(), tag)], body: vec![] };
        }
        let (status, kind, body) = match reply {
            Ok((status, kind, body)) => (status, media_type(kind), body),
            Err(refusal) => (refusal.0, "application/json".into(), refusal.body()),
        };
        let mut headers = vec![("Content-Type".into(), kind)];
        if request.url.contains("solvers/remote") && status == 200 {
            headers.push(("ETag".into(), tag));
            headers.push(("Cache-Control".into(), "private, max-age=60".into()));
        }
        Response { status, headers, body: body.to_string().into_bytes() }
    }

    fn graph_id(&self) -> &str {
        self.definition.identity.version.as_ref().map_or("", |version| &version.graph_id)
    }

    fn route(&self, request: &Request) -> Reply {
        if let Some(token) = &self.token
            && request.header("X-Auth-Token") != Some(token.reveal())
        {
            return Err(Refusal::new(401, "Invalid token"));
        }
        let accept = request.header("Accept").unwrap_or_default();
        if accept.split("version=").nth(1).is_some_and(|version| !version.starts_with('3'))
            || (accept.contains("vnd.dwave") && !accept.contains("version="))
        {
            return Err(Refusal::new(406, format!("only version {VERSION} is spoken here")));
        }
        let (path, query) = request.url.split_once('?').unwrap_or((&request.url, ""));
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let start = segments.iter().position(|segment| matches!(*segment, "solvers" | "problems"));
        let segments = start.map_or(&[][..], |start| &segments[start..]);
        match (request.method, segments) {
            (Method::Get, ["solvers", "remote"]) => {
                Ok((200, "solver-definition-list", json!([self.definition])))
            }
            (Method::Get, ["solvers", "remote", name]) => self.one_solver(name),
            (Method::Post, ["problems"]) => self.submit(request),
            (Method::Get, ["problems"]) => Ok((200, "problems", self.statuses(query))),
            (Method::Delete, ["problems"]) => self.cancel_all(request),
            (Method::Delete, ["problems", id]) => Ok((202, "problem", self.cancel(id)?)),
            (Method::Get, ["problems", id]) => {
                Ok((200, "problem", self.status(&self.job(id)?, true)))
            }
            (Method::Get, ["problems", id, part]) => self.part(id, part),
            _ => Err(Refusal::new(404, "not found")),
        }
    }

    fn one_solver(&self, name: &str) -> Reply {
        match name == self.definition.identity.name {
            true => Ok((200, "solver-definition", json!(self.definition))),
            false => Err(Refusal::new(404, "Solver not found")),
        }
    }

    fn job(&self, id: &str) -> Result<Job, Refusal> {
        let missing = "Problem does not exist or apitoken does not have access";
        self.store.job(id).ok_or_else(|| Refusal::new(404, missing))
    }

    fn submit(&self, request: &Request) -> Reply {
        let body = unpacked(request)?;
        let malformed = |error| Refusal::new(400, format!("malformed problems: {error}"));
        let value: Value = serde_json::from_slice(&body).map_err(malformed)?;
        let Value::Array(problems) = value else {
            let id = self.take(value)?;
            self.store.wait(&[&id], Duration::from_secs(1));
            return Ok((200, "problems", self.status(&self.job(&id)?, true)));
        };
        let taken = problems.into_iter().map(|problem| match self.take(problem) {
            Ok(id) => self.job(&id).map_or_else(|r| r.body(), |job| self.status(&job, false)),
            Err(refusal) => refusal.body(),
        });
        Ok((202, "problems", taken.collect()))
    }

    /// Makes a job of a problem, and its identifier.
    fn take(&self, problem: Value) -> Result<String, Refusal> {
        let problem: Problem = serde_json::from_value(problem)
            .map_err(|error| Refusal::new(400, format!("malformed problem: {error}")))?;
        if problem.solver.name != self.definition.identity.name {
            return Err(Refusal::new(
                404,
                "Solver does not exist or apitoken does not have access",
            ));
        }
        let version = problem.solver.version.as_ref();
        if let Some(version) = version.filter(|version| version.graph_id != self.graph_id()) {
            let reason =
                format!("the graph of the solver is {}, not {}", self.graph_id(), version.graph_id);
            return Err(Refusal::new(400, reason));
        }
        problem.data.decode(&self.graph).map_err(|reason| Refusal::new(400, reason))?;
        n_reads(&problem.params).map_err(|reason| Refusal::new(400, reason))?;
        check_parameters(&problem.params).map_err(|reason| Refusal::new(400, reason))?;
        let id = self.store.add(problem);
        if !self.queued
            && let Some((id, problem)) = self.store.take(Some(&id), Duration::ZERO)
        {
            self.solve(&id, &problem);
        }
        Ok(id)
    }

    fn statuses(&self, query: &str) -> Value {
        let query = query.replace("%2C", ",").replace("%2c", ",");
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let ids: Vec<&str> = value("id").unwrap_or_default().split(',').collect();
        let seconds = value("timeout").and_then(|text| text.parse().ok()).unwrap_or(0u64);
        let jobs = self.store.wait(&ids, Duration::from_secs(seconds.min(60)));
        jobs.iter().map(|job| self.status(job, false)).collect()
    }

    fn status(&self, job: &Job, with_answer: bool) -> Value {
        let mut status = json!({
            "id": job.id,
            "type": job.problem.kind,
            "solver": self.definition.identity,
            "label": job.problem.label,
            "status": job.state.name(),
            "submitted_on": timestamp(job.submitted_on),
            "solved_on": job.solved_on.map(timestamp),
        });
        match &job.state {
            State::Failed(reason) => status["error_message"] = json!(reason),
            State::Completed(answer) if with_answer => {
                status["answer"] = json!(answer.encode(&self.graph));
            }
            _ => {}
        }
        status
    }

    fn part(&self, id: &str, part: &str) -> Reply {
        let job = self.job(id)?;
        let mut status = self.status(&job, true);
        let answer = status["answer"].take();
        match part {
            "answer" => Ok((200, "problem-answer", json!({"answer": answer}))),
            "messages" => Ok((200, "problem-message", json!([]))),
            "info" => {
                let metadata = json!({
                    "solver": status["solver"], "type": status["type"], "label": status["label"],
                    "status": status["status"], "submitted_by": "burn-quantum",
                    "submitted_on": status["submitted_on"], "solved_on": status["solved_on"],
                    "messages": [],
                });
                let (data, params) = (&job.problem.data, &job.problem.params);
                let info = json!({"id": id, "data": data, "params": params, "metadata": metadata,
                    "answer": answer});
                Ok((200, "problem-data", info))
            }
            _ => Err(Refusal::new(404, "not found")),
        }
    }

    fn cancel_all(&self, request: &Request) -> Reply {
        let ids: Vec<String> = serde_json::from_slice(&unpacked(request)?)
            .map_err(|error| Refusal::new(400, format!("malformed list of jobs: {error}")))?;
        let cancelled = ids.iter().map(|id| self.cancel(id).unwrap_or_else(|r| r.body()));
        Ok((202, "problems", cancelled.collect()))
    }

    fn cancel(&self, id: &str) -> Result<Value, Refusal> {
        let known = self.job(id)?;
        let cancelled = self.store.finish(id, State::Cancelled);
        match cancelled || matches!(known.state, State::Cancelled) {
            true => Ok(self.status(&self.job(id)?, false)),
            false => Err(Refusal::new(409, "Problem has been finished.")),
        }
    }
}

impl Transport for Server {
    fn send(&self, request: &Request) -> Result<Response, Failure> {
        Ok(self.respond(request))
    }
}

fn unpacked(request: &Request) -> Result<Vec<u8>, Refusal> {
    if request.header("Content-Encoding") != Some("deflate") {
        return Ok(request.body.clone());
    }
    let mut body = Vec::new();
    let mut decoder = ZlibDecoder::new(&request.body[..]).take(MAX_BODY + 1);
    decoder.read_to_end(&mut body).map_err(|e| Refusal::new(400, format!("not deflate: {e}")))?;
    match body.len() as u64 <= MAX_BODY {
        true => Ok(body),
        false => Err(Refusal::new(413, format!("the limit of a body is {MAX_BODY} bytes"))),
    }
}

fn n_reads(params: &Map<String, Value>) -> Result<usize, String> {
    let given = params.get("num_reads").map_or(Some(1.0), Value::as_f64);
    match given.filter(|n| n.fract() == 0.0 && (1.0..=MAX_READS as f64).contains(n)) {
        Some(n) => Ok(n as usize),
        None => Err(format!("num_reads must be between 1 and {MAX_READS}")),
    }
}

const PARAMETERS: [&str; 3] = ["num_reads", "answer_mode", "label"];

fn check_parameters(params: &Map<String, Value>) -> Result<(), String> {
    if let Some((name, _)) = params.iter().find(|(name, _)| !PARAMETERS.contains(&name.as_str())) {
        return Err(format!("unknown parameter {name}: use {}", PARAMETERS.join(", ")));
    }
    match params.get("answer_mode").map(|mode| mode.as_str()) {
        None | Some(Some("raw" | "histogram")) => Ok(()),
        Some(_) => Err("answer_mode must be raw or histogram".into()),
    }
}

/// The samples as an answer; of a raw one, each read for itself.
fn listed(active: Vec<u32>, set: &SampleSet, is_raw: bool, microseconds: f64) -> Answer {
    let mut answer = Answer {
        active,
        spins: Vec::new(),
        energies: Vec::new(),
        counts: Vec::new(),
        timing: Map::new(),
    };
    for sample in set.iter() {
        let (rows, count) = if is_raw { (sample.count, 1) } else { (1, sample.count) };
        for _ in 0..rows {
            answer.spins.extend(sample.spins);
            answer.energies.push(sample.energy);
            answer.counts.push(count);
        }
    }
    for name in ["qpu_access_time", "qpu_sampling_time"] {
        answer.timing.insert(name.into(), json!(microseconds));
    }
    answer
}

fn properties(name: &str, topology: Topology, graph: &WorkingGraph) -> Value {
    let parameters: Map<String, Value> =
        PARAMETERS.iter().map(|&parameter| (parameter.into(), json!(""))).collect();
    json!({
        "category": "qpu",
        "chip_id": name,
        "tags": [],
        "topology": topology,
        "num_qubits": graph.n_labels(),
        "qubits": graph.qubits(),
        "couplers": graph.couplers(),
        "supported_problem_types": ["ising", "qubo"],
        "h_range": [-4.0, 4.0],
        "j_range": [-1.0, 1.0],
        "extended_j_range": [-2.0, 1.0],
        "num_reads_range": [1, MAX_READS],
        "quota_conversion_rate": 1,
        "parameters": parameters,
    })
}
