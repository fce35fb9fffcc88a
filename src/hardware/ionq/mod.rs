//! IonQ's devices.

mod program;

use super::service::{
    Counts, Job, Limits, Provider, State, Wire, of_outcomes, of_probabilities, sampler, unsupported,
};
use super::transport::Repeatable;
use super::transport::endpoint::{encoded, is_id};
use super::{Connection, Method, Token};
use crate::circuit::Circuit;
use crate::error::Error;
use crate::hardware::sapi::JobId;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const ENDPOINT: &str = "https://api.ionq.co/v0.4";

/// A backend of IonQ's service, version 0.4, as a [`CircuitSampler`](crate::circuit::CircuitSampler).
///
/// Circuits go out in IonQ's own format, gate by gate; the few gates that it lacks are written as
/// rotations and CNOTs. All qubits are connected, and IonQ compiles to its ions. Several circuits
/// make one job.
///
/// What comes back are shots where the service keeps them, or a histogram. Where there is only a
/// distribution of probabilities, counts are its shares, exact for a device that did measure. **The
/// ideal simulator measures nothing**: its counts are the exact probabilities, rounded so that they
/// add up to the shots. Give it a noise model to have it sample.
///
/// ```no_run
/// use burn_quantum::circuit::{Circuit, CircuitSampler};
/// use burn_quantum::hardware::{Connection, IonQ, Token};
///
/// let device = IonQ::new(Connection::default(), Token::from_env("IONQ_API_KEY")?, "simulator")?;
/// let mut bell = Circuit::new(2);
/// bell.h(0).cnot(0, 1);
/// let counts = device.run(&[bell], 1000)?;
/// assert_eq!(counts[0].values().sum::<usize>(), 1000);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct IonQ {
    name: String,
    backend: String,
    wire: Wire,
    token: Token,
    qubits: usize,
    circuits: usize,
    label: Option<String>,
    noise: Option<String>,
}

#[derive(Deserialize)]
struct Backend {
    backend: Option<String>,
    qubits: usize,
}

#[derive(Deserialize)]
struct Submitted {
    id: String,
}

impl IonQ {
    /// The backend of this name, as `simulator` or `qpu.forte-1`, of which the service is asked for
    /// its number of qubits.
    ///
    /// # Errors
    ///
    /// When the service cannot be reached, refuses, or does not know the backend.
    pub fn new(connection: Connection, token: Token, backend: &str) -> Result<Self, Error> {
        let wire = Wire::new(&connection, ENDPOINT, vec![token.clone()])?;
        let mut device = Self {
            name: format!("IonQ {backend}"),
            backend: backend.into(),
            wire,
            token,
            qubits: 0,
            circuits: 50,
            label: None,
            noise: None,
        };
        let wire = device.wire.started();
        let known: Backend = device.get(&wire, &format!("backends/{}", encoded(backend)))?;
        if known.backend.as_deref().is_some_and(|name| name != backend) {
            return Err(wire.malformed(format!("it is about the backend {:?}", known.backend)));
        }
        device.qubits = known.qubits;
        Ok(device)
    }

    /// Shown by the service beside each job. Default: the name of this crate
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// At most so many circuits in one job. Default: 50
    pub fn with_circuits_a_job(mut self, n: usize) -> Self {
        self.circuits = n.max(1);
        self
    }

    /// The device whose noise the simulator imitates, as `forte-1`. Default: none
    ///
    /// # Errors
    ///
    /// When the backend is no simulator.
    pub fn with_noise(mut self, model: impl Into<String>) -> Result<Self, Error> {
        if self.backend != "simulator" {
            let what = format!("a noise model for {}", self.name);
            return Err(unsupported(what, "a device has its own; only the simulator takes one"));
        }
        self.noise = Some(model.into());
        Ok(self)
    }

    fn get<T: serde::de::DeserializeOwned>(&self, wire: &Wire, path: &str) -> Result<T, Error> {
        let mut request = wire.request(Method::Get, path);
        self.authorise(&mut request);
        wire.json(&request, Repeatable::Yes)
    }

    fn authorise(&self, request: &mut super::Request) {
        request.headers.push(("Authorization".into(), format!("apiKey {}", self.token.reveal())));
    }

    fn payload(&self, circuits: &[Circuit], shots: usize) -> Result<Value, Error> {
        let programs = circuits.iter().map(program::gates).collect::<Result<Vec<_>, _>>()?;
        let qubits = circuits.iter().map(Circuit::n_qubits).max().unwrap_or_default();
        let mut input = json!({ "gateset": "qis", "qubits": qubits });
        let kind = match &programs[..] {
            [program] => {
                input["circuit"] = json!(program);
                "ionq.circuit.v1"
            }
            _ => {
                let named = |(k, circuit)| json!({ "name": format!("{k}"), "circuit": circuit });
                input["circuits"] = programs.iter().enumerate().map(named).collect();
                "ionq.multi-circuit.v1"
            }
        };
        let name = self.label.as_deref().unwrap_or(env!("CARGO_PKG_NAME"));
        let mut job = json!({
            "type": kind, "backend": self.backend, "shots": shots, "name": name, "input": input,
        });
        if let Some(model) = &self.noise {
            job["noise"] = json!({ "model": model });
        }
        Ok(job)
    }

    /// The counts of a job of one circuit, or of one of the children of a job of several.
    fn counts_of(
        &self,
        wire: &Wire,
        id: &str,
        said: &Value,
        (n_qubits, shots): (usize, usize),
    ) -> Result<Counts, Error> {
        let none = Map::new();
        let results = said["results"].as_object().unwrap_or(&none);
        let malformed = |reason: String| wire.malformed(reason);
        if let Some(path) = url_of(results.get("shots")) {
            let outcomes: Vec<Value> = self.get(wire, &self.below(wire, &path)?)?;
            return of_outcomes(outcomes.iter().map(outcome)).map_err(malformed);
        }
        if let Some(path) = url_of(results.get("histogram")) {
            let counts: BTreeMap<String, usize> = self.get(wire, &self.below(wire, &path)?)?;
            return histogram(counts).map_err(malformed);
        }
        let artifact = results.get("ionq.result.histogram.json.v1").and_then(|a| a["id"].as_str());
        if let Some(artifact) = artifact.filter(|artifact| is_id(artifact)) {
            let path = format!("jobs/{id}/artifacts/{artifact}");
            return histogram(self.get(wire, &path)?).map_err(malformed);
        }
        let path = url_of(results.get("probabilities"))
            .ok_or_else(|| wire.malformed("it is completed, but has no results"))?;
        let shares: BTreeMap<String, f64> = self.get(wire, &self.below(wire, &path)?)?;
        self.shares(shares, n_qubits, shots).map_err(malformed)
    }

    fn shares(
        &self,
        shares: BTreeMap<String, f64>,
        n_qubits: usize,
        shots: usize,
    ) -> Result<Counts, String> {
        let shares = shares.into_iter().map(|(index, p)| Ok((number(&index)?, p)));
        let shares = shares.collect::<Result<BTreeMap<usize, f64>, String>>()?;
        if let Some(index) = shares.keys().find(|&&index| index >> n_qubits != 0) {
            return Err(format!("the outcome {index} of {n_qubits} qubits"));
        }
        of_probabilities(&shares, shots)
    }

    /// An address that an answer names, if it is one of the same service: the key goes nowhere else.
    fn below(&self, wire: &Wire, path: &str) -> Result<String, Error> {
        let (_, after) = wire.base.split_once("://").unwrap_or_default();
        let prefix = after.split_once('/').map_or("", |(_, prefix)| prefix);
        let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(prefix));
        match rest.filter(|rest| !rest.contains("..") && !rest.contains("//")) {
            Some(rest) => Ok(rest.to_owned()),
            None => Err(wire.malformed(format!("results at {path:?}, outside of the service"))),
        }
    }

    /// The children of a job of several circuits, in the order of the circuits.
    fn children(&self, wire: &Wire, said: &Value, n: usize) -> Result<Vec<String>, Error> {
        let list = said["child_job_ids"].as_array().or_else(|| said["children"].as_array());
        let ids: Option<Vec<&str>> =
            list.map(Vec::as_slice).unwrap_or_default().iter().map(Value::as_str).collect();
        let ids = ids.unwrap_or_default();
        if ids.len() != n || !ids.iter().all(|id| is_id(id)) {
            return Err(wire.malformed(format!("{} jobs of circuits, expected {n}", ids.len())));
        }
        Ok(ids.into_iter().map(str::to_owned).collect())
    }

    fn read_state(&self, wire: &Wire, id: &str, said: Value) -> Result<State, Error> {
        if said["id"].as_str() != Some(id) {
            return Err(wire.malformed(format!("it is about job {}", said["id"])));
        }
        match said["status"].as_str() {
            Some("submitted" | "ready" | "started" | "running") => Ok(State::Running),
            Some("completed") => Ok(State::Completed(said)),
            Some("failed") => {
                let why = said["failure"]["error"].as_str().or(said["failure"]["message"].as_str());
                Err(wire.failed(&format!("the job failed: {}", why.unwrap_or("no reason given"))))
            }
            Some("canceled" | "cancelled") => Err(wire.failed("the job was cancelled")),
            other => Err(wire.malformed(format!("the status {other:?}"))),
        }
    }
}

fn url_of(result: Option<&Value>) -> Option<String> {
    Some(result?.get("url")?.as_str()?.to_owned())
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{text:?} is no outcome"))
}

/// A shot: the decimal number of its outcome, as text or as a number.
fn outcome(value: &Value) -> Result<usize, String> {
    match value {
        Value::String(text) => number(text),
        _ => value.as_u64().map(|n| n as usize).ok_or_else(|| format!("{value} is no outcome")),
    }
}

fn histogram(counts: BTreeMap<String, usize>) -> Result<Counts, String> {
    counts.into_iter().map(|(index, count)| Ok((number(&index)?, count))).collect()
}

impl Provider for IonQ {
    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn limits(&self) -> Limits {
        Limits { qubits: self.qubits, shots: usize::MAX, circuits: self.circuits }
    }

    fn submit_job(&self, wire: &Wire, circuits: &[Circuit], shots: usize) -> Result<JobId, Error> {
        let mut request = wire.with_json(Method::Post, "jobs", &self.payload(circuits, shots)?);
        self.authorise(&mut request);
        let Submitted { id } = wire.json(&request, Repeatable::No)?;
        Ok(JobId(id))
    }

    fn state(&self, wire: &Wire, id: &str) -> Result<State, Error> {
        let said: Value = self.get(wire, &format!("jobs/{id}"))?;
        self.read_state(wire, id, said)
    }

    fn counts(
        &self,
        wire: &Wire,
        job: &Job,
        said: &Value,
        shots: usize,
    ) -> Result<Vec<Counts>, Error> {
        if let [n] = job.n_qubits[..] {
            return Ok(vec![self.counts_of(wire, &job.id.0, said, (n, shots))?]);
        }
        let children = self.children(wire, said, job.n_qubits.len())?;
        let of_child = |(id, &n): (&String, &usize)| match self.state(wire, id)? {
            State::Completed(said) => self.counts_of(wire, id, &said, (n, shots)),
            State::Running => {
                Err(wire.malformed(format!("it is completed, but its job {id} is not")))
            }
        };
        children.iter().zip(&job.n_qubits).map(of_child).collect()
    }

    fn cancel_job(&self, wire: &Wire, id: &str) -> Result<(), Error> {
        let mut request = wire.request(Method::Put, &format!("jobs/{id}/status/cancel"));
        self.authorise(&mut request);
        wire.send(&request, Repeatable::Yes).map(|_| ())
    }

    fn is_job(&self, id: &str) -> bool {
        is_id(id)
    }
}

sampler!(IonQ);
