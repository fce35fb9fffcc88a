//! IQM's devices.

mod program;

use super::native::Coupling;
use super::sapi::JobId;
use super::service::{
    Counts, Job, Limits, Provider, State, Wire, of_outcomes, sampler, unsupported,
};
use super::transport::Repeatable;
use super::transport::endpoint::{encoded, is_id};
use super::{Connection, Method, Request, Token};
use crate::circuit::Circuit;
use crate::error::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ENDPOINT: &str = "https://resonance.meetiqm.com";

/// One of IQM's quantum computers as a [`CircuitSampler`](crate::circuit::CircuitSampler).
///
/// Circuits become IQM's native gates here: turns `PRX` and `CZ` on coupled pairs, of the
/// calibration that the service names at [`new`](Self::new). Where a pair is not coupled, qubits are
/// exchanged on the way, without a search for the fewest exchanges: for deep circuits on many qubits,
/// bring them into the shape of the chip first. Computers whose qubits meet only through a resonator
/// are refused. Several circuits make one job.
///
/// ```no_run
/// use burn_quantum::circuit::{Circuit, CircuitSampler};
/// use burn_quantum::hardware::{Connection, Iqm, Token};
///
/// let device = Iqm::new(Connection::default(), Token::from_env("IQM_TOKEN")?, "garnet")?;
/// let mut bell = Circuit::new(2);
/// bell.h(0).cnot(0, 1);
/// let counts = device.run(&[bell], 1000)?;
/// assert_eq!(counts[0].values().sum::<usize>(), 1000);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Iqm {
    name: String,
    alias: String,
    wire: Wire,
    token: Token,
    qubits: Vec<String>,
    coupling: Coupling,
    calibration: String,
    circuits: usize,
}

#[derive(Deserialize)]
struct Architecture {
    calibration_set_id: String,
    qubits: Vec<String>,
    gates: BTreeMap<String, Gate>,
}

#[derive(Deserialize)]
struct Gate {
    implementations: BTreeMap<String, Implementation>,
    default_implementation: String,
}

#[derive(Deserialize)]
struct Implementation {
    loci: Vec<Vec<String>>,
}

impl Architecture {
    fn loci(&self, gate: &str) -> impl Iterator<Item = &[String]> {
        let implementation = self
            .gates
            .get(gate)
            .and_then(|gate| gate.implementations.get(&gate.default_implementation));
        implementation.into_iter().flat_map(|i| i.loci.iter().map(Vec::as_slice))
    }

    /// The qubits that can be turned and measured.
    fn working(&self) -> Vec<String> {
        let of = |gate| -> BTreeSet<&String> { self.loci(gate).flatten().collect() };
        let (turned, measured) = (of("prx"), of("measure"));
        let works = |qubit: &&String| turned.contains(qubit) && measured.contains(qubit);
        self.qubits.iter().filter(works).cloned().collect()
    }

    fn pairs(&self, qubits: &[String]) -> Vec<(usize, usize)> {
        let place = |name: &String| qubits.iter().position(|qubit| qubit == name);
        let pair = |locus: &[String]| match locus {
            [a, b] => Some((place(a)?, place(b)?)),
            _ => None,
        };
        self.loci("cz").filter_map(pair).collect()
    }
}

impl Iqm {
    /// The computer of this alias, as `garnet`, of which the service is asked for its calibrated
    /// qubits and couplers. The address of a computer in a house of its own is an
    /// [endpoint](Connection::with_endpoint).
    ///
    /// # Errors
    ///
    /// When the service cannot be reached, refuses, or does not know the computer, or it has no `prx`
    /// and `measure` on its qubits.
    pub fn new(connection: Connection, token: Token, alias: &str) -> Result<Self, Error> {
        let wire = Wire::new(&connection, ENDPOINT, vec![token.clone()])?;
        let wire = wire.at(format!("{}api/v1/", wire.base));
        let mut device = Self {
            name: format!("IQM {alias}"),
            alias: encoded(alias),
            wire,
            token,
            qubits: Vec::new(),
            coupling: Coupling::new(0, []),
            calibration: String::new(),
            circuits: 100,
        };
        device.ask()?;
        Ok(device)
    }

    fn ask(&mut self) -> Result<(), Error> {
        let path = format!("calibration-sets/{}/default/dynamic-quantum-architecture", self.alias);
        let architecture: Architecture = self.get(&self.wire.started(), &path)?;
        self.qubits = architecture.working();
        if self.qubits.is_empty() {
            let what = format!("{} has no qubits with prx and measure", self.name);
            return Err(unsupported(what, "use another computer, or wait for its calibration"));
        }
        self.coupling = Coupling::new(self.qubits.len(), architecture.pairs(&self.qubits));
        self.calibration = architecture.calibration_set_id;
        Ok(())
    }

    /// At most so many circuits in one job. Default: 100
    pub fn with_circuits_a_job(mut self, n: usize) -> Self {
        self.circuits = n.max(1);
        self
    }

    fn authorised(&self, mut request: Request) -> Request {
        request.headers.push(("Authorization".into(), format!("Bearer {}", self.token.reveal())));
        request
    }

    fn get<T: serde::de::DeserializeOwned>(&self, wire: &Wire, path: &str) -> Result<T, Error> {
        wire.json(&self.authorised(wire.request(Method::Get, path)), Repeatable::Yes)
    }

    fn read_state(&self, wire: &Wire, id: &str, said: Value) -> Result<State, Error> {
        if said["id"].as_str() != Some(id) {
            return Err(wire.malformed(format!("it is about job {}", said["id"])));
        }
        match said["status"].as_str() {
            Some("waiting" | "processing") => Ok(State::Running),
            Some("completed") => Ok(State::Completed(said)),
            Some("failed") => {
                let why = said["errors"][0]["message"].as_str().unwrap_or("no reason given");
                Err(wire.failed(&format!("the job failed: {why}")))
            }
            Some("cancelled") => Err(wire.failed("the job was cancelled")),
            other => Err(wire.malformed(format!("the status {other:?}"))),
        }
    }
}

/// The outcomes of a circuit, by the key of each measurement: shots of one bit.
type Measurements = BTreeMap<String, Vec<Vec<u8>>>;

fn counted(measured: &Measurements, n_qubits: usize, shots: usize) -> Result<Counts, String> {
    let mut indices = vec![0; shots];
    if measured.len() != n_qubits {
        return Err(format!("{} measurements, expected {n_qubits}", measured.len()));
    }
    for qubit in 0..n_qubits {
        let bits = measured.get(&qubit.to_string());
        let bits = bits.ok_or_else(|| format!("no measurement of qubit {qubit}"))?;
        if bits.len() != shots {
            return Err(format!("{} shots of qubit {qubit}, asked for {shots}", bits.len()));
        }
        for (index, bit) in indices.iter_mut().zip(bits) {
            match bit[..] {
                [bit @ (0 | 1)] => *index |= usize::from(bit) << qubit,
                _ => return Err(format!("the outcome {bit:?} of qubit {qubit}")),
            }
        }
    }
    of_outcomes(indices.into_iter().map(Ok))
}

impl Provider for Iqm {
    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn limits(&self) -> Limits {
        Limits { qubits: self.qubits.len(), shots: usize::MAX, circuits: self.circuits }
    }

    fn submit_job(&self, wire: &Wire, circuits: &[Circuit], shots: usize) -> Result<JobId, Error> {
        let written = |(k, circuit): (usize, &Circuit)| -> Result<Value, Error> {
            let program = program::program(circuit, &self.coupling, &self.name)?;
            Ok(program.to_json(&k.to_string(), &self.qubits))
        };
        let circuits = circuits.iter().enumerate().map(written).collect::<Result<Vec<_>, _>>()?;
        let job = json!({
            "circuits": circuits, "shots": shots, "calibration_set_id": self.calibration,
        });
        let path = format!("jobs/{}/circuit?use_timeslot=false", self.alias);
        let request = self.authorised(wire.with_json(Method::Post, &path, &job));
        let said: Value = wire.json(&request, Repeatable::No)?;
        Ok(JobId(said["id"].as_str().unwrap_or_default().into()))
    }

    fn state(&self, wire: &Wire, id: &str) -> Result<State, Error> {
        let said = self.get(wire, &format!("jobs/{id}"))?;
        self.read_state(wire, id, said)
    }

    fn counts(
        &self,
        wire: &Wire,
        job: &Job,
        _: &Value,
        shots: usize,
    ) -> Result<Vec<Counts>, Error> {
        let path = format!("jobs/{}/artifacts/measurements", job.id.0);
        let measured: Vec<Measurements> = self.get(wire, &path)?;
        if measured.len() != job.n_qubits.len() {
            let (given, expected) = (measured.len(), job.n_qubits.len());
            let reason = format!("results of {given} circuits, expected {expected}");
            return Err(wire.malformed(reason));
        }
        let counts = measured.iter().zip(&job.n_qubits).map(|(m, &n)| counted(m, n, shots));
        counts.collect::<Result<_, _>>().map_err(|reason: String| wire.malformed(reason))
    }

    fn cancel_job(&self, wire: &Wire, id: &str) -> Result<(), Error> {
        let request = self.authorised(wire.request(Method::Post, &format!("jobs/{id}/cancel")));
        wire.send(&request, Repeatable::Yes).map(|_| ())
    }

    fn is_job(&self, id: &str) -> bool {
        is_id(id)
    }
}

sampler!(Iqm);
