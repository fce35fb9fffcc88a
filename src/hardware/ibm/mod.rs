//! IBM's processors.

mod account;
mod program;

pub use account::IbmAccount;

use super::native::{Coupling, Pair};
use super::sapi::JobId;
use super::service::{
    Counts, Job, Limits, Provider, State, Wire, of_outcomes, sampler, unsupported,
};
use super::transport::Repeatable;
use super::transport::endpoint::{encoded, is_id};
use super::{Connection, Method, Request, Response};
use crate::circuit::Circuit;
use crate::error::Error;
use account::Identity;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const ENDPOINT: &str = "https://quantum.cloud.ibm.com/api/v1";

/// The date of the protocol that is spoken here.
const VERSION: &str = "2026-04-15";

/// One of IBM's processors as a [`CircuitSampler`](crate::circuit::CircuitSampler).
///
/// Circuits become gates of the processor here: `rz`, `sx`, `x`, and `cz`, `ecr` or `cx` on coupled
/// pairs, in the direction that the processor has. Where a pair is not coupled, qubits are exchanged
/// on the way, without a search for the fewest exchanges or the best qubits: for deep circuits on many
/// qubits, bring them into the shape of the chip first. They go out as OpenQASM 3 for the sampler
/// program, all of a call in one job as far as the processor takes them.
///
/// The key of the account is exchanged for a bearer token, which is renewed before it expires.
///
/// ```no_run
/// use burn_quantum::circuit::{Circuit, CircuitSampler};
/// use burn_quantum::hardware::{Connection, Ibm, IbmAccount};
///
/// let device = Ibm::new(Connection::default(), IbmAccount::from_env()?, "ibm_torino")?;
/// let mut bell = Circuit::new(2);
/// bell.h(0).cnot(0, 1);
/// let counts = device.run(&[bell], 1000)?;
/// assert_eq!(counts[0].values().sum::<usize>(), 1000);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Ibm {
    name: String,
    backend: String,
    wire: Wire,
    identity: Identity,
    coupling: Coupling,
    pair: Pair,
    limits: Limits,
}

#[derive(Deserialize)]
struct Configuration {
    n_qubits: usize,
    basis_gates: Vec<String>,
    coupling_map: Option<Vec<[usize; 2]>>,
    max_shots: Option<usize>,
    max_experiments: Option<usize>,
}

impl Configuration {
    fn coupling(&self) -> Coupling {
        let n = self.n_qubits;
        match &self.coupling_map {
            Some(pairs) => Coupling::new(n, pairs.iter().map(|&[a, b]| (a, b))),
            None => Coupling::new(n, (0..n).flat_map(|a| (0..n).map(move |b| (a, b)))),
        }
    }
}

impl Ibm {
    /// The processor of this name, as `ibm_torino`, of which the service is asked for its gates and
    /// couplers.
    ///
    /// # Errors
    ///
    /// When the service cannot be reached, refuses, or does not know the processor, or it has no
    /// gates that are known here.
    pub fn new(connection: Connection, account: IbmAccount, backend: &str) -> Result<Self, Error> {
        let identity = Identity::new(&connection, account)?;
        let wire = Wire::new(&connection, ENDPOINT, vec![identity.key()])?;
        let mut device = Self {
            name: format!("IBM {backend}"),
            backend: backend.into(),
            wire,
            identity,
            coupling: Coupling::new(0, []),
            pair: Pair::Cz,
            limits: Limits { qubits: 0, shots: 0, circuits: 0 },
        };
        let path = format!("backends/{}/configuration", encoded(backend));
        let known: Configuration = device.get(&device.wire.started(), &path)?;
        device.read(&known)?;
        Ok(device)
    }

    fn read(&mut self, known: &Configuration) -> Result<(), Error> {
        let gates = &known.basis_gates;
        let lacking = ["rz", "sx", "x"].into_iter().find(|&name| !gates.iter().any(|g| g == name));
        let (None, Some(pair)) = (lacking, program::pair_of(gates)) else {
            let what = format!("{} has the gates {}", self.name, gates.join(", "));
            return Err(unsupported(what, "use a processor with rz, sx, x and cz, ecr or cx"));
        };
        (self.pair, self.coupling) = (pair, known.coupling());
        self.limits = Limits {
            qubits: known.n_qubits,
            shots: known.max_shots.unwrap_or(usize::MAX),
            circuits: known.max_experiments.unwrap_or(100),
        };
        Ok(())
    }

    /// Sends a request with a bearer token; once more with a fresh one if the service no longer takes
    /// the one that was there.
    fn call(
        &self,
        wire: &Wire,
        request: &Request,
        repeatable: Repeatable,
    ) -> Result<(Wire, Response), Error> {
        loop {
            let (bearer, was_there) = self.identity.bearer(wire.link.deadline)?;
            let wire = wire.hiding(bearer.clone());
            let mut request = request.clone();
            let value = format!("Bearer {}", bearer.reveal());
            request.headers.extend([
                ("Authorization".into(), value),
                ("Service-CRN".into(), self.identity.instance().into()),
                ("IBM-API-Version".into(), VERSION.into()),
            ]);
            let response = wire.link.send(&request, repeatable)?;
            if response.status == 401 && was_there {
                self.identity.forget(&bearer);
                continue;
            }
            let response = wire.accepted(&request, response)?;
            return Ok((wire, response));
        }
    }

    fn json<T: DeserializeOwned>(
        &self,
        wire: &Wire,
        request: &Request,
        repeatable: Repeatable,
    ) -> Result<T, Error> {
        let (wire, response) = self.call(wire, request, repeatable)?;
        wire.read(request, &response)
    }

    fn get<T: DeserializeOwned>(&self, wire: &Wire, path: &str) -> Result<T, Error> {
        self.json(wire, &wire.request(Method::Get, path), Repeatable::Yes)
    }

    fn read_state(&self, wire: &Wire, id: &str, said: Value) -> Result<State, Error> {
        if said["id"].as_str() != Some(id) {
            return Err(wire.malformed(format!("it is about job {}", said["id"])));
        }
        let status = said["state"]["status"].as_str().or(said["status"].as_str());
        let why = said["state"]["reason"].as_str().unwrap_or("no reason given").to_owned();
        match status.map(str::to_lowercase).as_deref() {
            Some("queued" | "running" | "pending") => Ok(State::Running),
            Some("completed") => Ok(State::Completed(said)),
            Some("failed") => Err(wire.failed(&format!("the job failed: {why}"))),
            Some(status) if status.starts_with("cancelled") => {
                Err(wire.failed(&format!("the job was cancelled: {why}")))
            }
            _ => Err(wire.malformed(format!("the status {status:?}"))),
        }
    }
}

#[derive(Deserialize)]
struct Results {
    results: Vec<Sampled>,
}

#[derive(Deserialize)]
struct Sampled {
    data: Registers,
}

#[derive(Deserialize)]
struct Registers {
    c: Register,
}

#[derive(Deserialize)]
struct Register {
    samples: Vec<String>,
    num_bits: usize,
}

impl Register {
    fn counted(&self, n_qubits: usize) -> Result<Counts, String> {
        if self.num_bits != n_qubits {
            return Err(format!("samples of {} bits, expected {n_qubits}", self.num_bits));
        }
        let index = |text: &String| {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            usize::from_str_radix(digits, 16).map_err(|_| format!("the sample {text:?}"))
        };
        of_outcomes(self.samples.iter().map(index))
    }
}

impl Provider for Ibm {
    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn submit_job(&self, wire: &Wire, circuits: &[Circuit], shots: usize) -> Result<JobId, Error> {
        let pub_of = |circuit| -> Result<Value, Error> {
            let source = program::source(circuit, &self.coupling, self.pair, &self.name)?;
            Ok(json!([source, null, shots]))
        };
        let pubs = circuits.iter().map(pub_of).collect::<Result<Vec<_>, _>>()?;
        let job = json!({
            "program_id": "sampler",
            "backend": self.backend,
            "params": { "pubs": pubs, "options": {}, "version": 2, "support_qiskit": false },
        });
        let request = wire.with_json(Method::Post, "jobs", &job);
        let said: Value = self.json(wire, &request, Repeatable::No)?;
        Ok(JobId(said["id"].as_str().unwrap_or_default().into()))
    }

    fn state(&self, wire: &Wire, id: &str) -> Result<State, Error> {
        let said = self.get(wire, &format!("jobs/{id}?exclude_params=true"))?;
        self.read_state(wire, id, said)
    }

    fn counts(&self, wire: &Wire, job: &Job, _: &Value, _: usize) -> Result<Vec<Counts>, Error> {
        let Results { results } = self.get(wire, &format!("jobs/{}/results", job.id.0))?;
        if results.len() != job.n_qubits.len() {
            let (given, expected) = (results.len(), job.n_qubits.len());
            let reason = format!("results of {given} circuits, expected {expected}");
            return Err(wire.malformed(reason));
        }
        let counts = results.iter().zip(&job.n_qubits).map(|(r, &n)| r.data.c.counted(n));
        counts.collect::<Result<_, _>>().map_err(|reason: String| wire.malformed(reason))
    }

    fn cancel_job(&self, wire: &Wire, id: &str) -> Result<(), Error> {
        let request = wire.request(Method::Post, &format!("jobs/{id}/cancel"));
        self.call(wire, &request, Repeatable::Yes).map(|_| ())
    }

    fn is_job(&self, id: &str) -> bool {
        is_id(id)
    }
}

sampler!(Ibm);
