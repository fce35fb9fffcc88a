//! Devices behind Amazon Braket.

mod credentials;
mod program;
mod sign;

pub use credentials::AwsCredentials;

use super::sapi::JobId;
use super::service::{
    Counts, Job, Limits, Provider, State, Wire, fresh_name, of_outcomes, of_probabilities, of_text,
    sampler, unsupported,
};
use super::transport::Repeatable;
use super::transport::endpoint::encoded;
use super::{Connection, Method, Request};
use crate::circuit::Circuit;
use crate::error::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::{Value, json};
use sign::Scope;
use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;

/// What Braket calls programs like ours.
const PROGRAM: &str = "braket.ir.openqasm.program";

/// A device behind Amazon Braket as a [`CircuitSampler`](crate::circuit::CircuitSampler).
///
/// Circuits go out as OpenQASM 3 in Braket's own gates, as far as the device takes them, and
/// otherwise as rotations and CNOTs; Braket compiles for the device. Each circuit is a task of its
/// own, submitted one after the other without waiting. Results come from the bucket of S3 into which
/// Braket writes them. A task is submitted with a token of its own, so that sending it again, after
/// trouble on the way, makes no second task.
///
/// Devices that send probabilities in place of shots give counts that are their shares, exactly.
///
/// ```no_run
/// use burn_quantum::circuit::{Circuit, CircuitSampler};
/// use burn_quantum::hardware::{AwsCredentials, Braket, BraketDevice, Connection};
///
/// let sv1 = BraketDevice {
///     arn: "arn:aws:braket:::device/quantum-simulator/amazon/sv1".into(),
///     region: "us-east-1".into(),
///     bucket: "amazon-braket-mine".into(),
///     prefix: "tasks".into(),
/// };
/// let device = Braket::new(Connection::default(), AwsCredentials::from_env()?, sv1)?;
/// let mut bell = Circuit::new(2);
/// bell.h(0).cnot(0, 1);
/// let counts = device.run(&[bell], 1000)?;
/// assert_eq!(counts[0].values().sum::<usize>(), 1000);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Braket {
    name: String,
    wire: Wire,
    files: Wire,
    credentials: AwsCredentials,
    device: BraketDevice,
    limits: Limits,
    gates: HashSet<String>,
}

/// A device of Braket's, and where its results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BraketDevice {
    /// Its name at AWS, `arn:aws:braket:...:device/...`.
    pub arn: String,
    /// The region that is asked, as `us-east-1`; for a QPU the one in its name.
    pub region: String,
    /// The bucket of S3 for results, to which the key has access.
    pub bucket: String,
    /// The folder in the bucket.
    pub prefix: String,
}

impl BraketDevice {
    fn check(&self) -> Result<(), Error> {
        let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let region = self.region.bytes().all(|b| lower(b) || b == b'-') && !self.region.is_empty();
        let bucket = self.bucket.bytes().all(|b| lower(b) || b == b'-' || b == b'.')
            && (3..=63).contains(&self.bucket.len());
        let wrong = [
            (is_arn(&self.arn), "device", &self.arn, "arn:aws:braket:...:device/..."),
            (region, "region", &self.region, "us-east-1"),
            (bucket, "bucket", &self.bucket, "amazon-braket-mine"),
        ];
        match wrong.into_iter().find(|(right, ..)| !right) {
            None => Ok(()),
            Some((_, what, given, example)) => {
                let what = format!("the {what} `{given}`");
                Err(unsupported(what, format!("write it as `{example}`")))
            }
        }
    }
}

fn is_arn(text: &str) -> bool {
    let visible = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'/' | b'-' | b'_');
    text.starts_with("arn:aws") && text.bytes().all(visible)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    device_status: String,
    device_capabilities: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Submitted {
    quantum_task_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    measurements: Option<Vec<Vec<u8>>>,
    measurement_probabilities: Option<BTreeMap<String, f64>>,
    measured_qubits: Vec<usize>,
}

impl Braket {
    /// A device, of which Braket is asked for its size, its limits and its gates.
    ///
    /// With an [endpoint](Connection::with_endpoint), that one answers for Braket and for S3.
    ///
    /// # Errors
    ///
    /// When a name is none, the service cannot be reached or refuses, or the device takes no OpenQASM
    /// or is retired.
    pub fn new(
        connection: Connection,
        credentials: AwsCredentials,
        device: BraketDevice,
    ) -> Result<Self, Error> {
        device.check()?;
        let mut secrets = vec![credentials.secret.clone()];
        secrets.extend(credentials.session_token.clone());
        let usual = format!("https://braket.{}.amazonaws.com", device.region);
        let wire = Wire::new(&connection, &usual, secrets)?;
        let files = match connection.has_endpoint() {
            true => wire.at(format!("{}{}/", wire.base, device.bucket)),
            false => {
                wire.at(format!("https://{}.s3.{}.amazonaws.com/", device.bucket, device.region))
            }
        };
        let short = device.arn.rsplit_once("device/").map_or("", |(_, name)| name);
        let mut new = Self {
            name: format!("Braket {short}"),
            wire,
            files,
            credentials,
            device,
            limits: Limits { qubits: 0, shots: 0, circuits: 1 },
            gates: HashSet::new(),
        };
        new.ask()?;
        Ok(new)
    }

    fn ask(&mut self) -> Result<(), Error> {
        let wire = self.wire.started();
        let path = format!("device/{}", encoded(&self.device.arn));
        let known: Device = self.json(&wire, wire.request(Method::Get, &path))?;
        if known.device_status == "RETIRED" {
            return Err(unsupported(self.name.clone(), "it is retired: use another device"));
        }
        let capabilities: Value = serde_json::from_str(&known.device_capabilities)
            .map_err(|error| wire.malformed(format!("the capabilities: {error}")))?;
        let number = |path: &str| capabilities.pointer(path).and_then(Value::as_u64);
        let gates = &capabilities["action"][PROGRAM]["supportedOperations"];
        let Some(gates) = gates.as_array() else {
            let what = format!("{} takes no {PROGRAM}", self.name);
            return Err(unsupported(what, "use a gate-model device"));
        };
        self.gates = gates.iter().filter_map(Value::as_str).map(str::to_lowercase).collect();
        let (qubits, shots) = (number("/paradigm/qubitCount"), number("/service/shotsRange/1"));
        let (Some(qubits), Some(shots)) = (qubits, shots) else {
            return Err(wire.malformed("the capabilities have no numbers of qubits and shots"));
        };
        self.limits = Limits { qubits: qubits as usize, shots: shots as usize, circuits: 1 };
        Ok(())
    }

    fn signed(&self, mut request: Request, service: &str) -> Request {
        let scope = Scope { region: &self.device.region, service };
        sign::sign(&mut request, scope, &self.credentials, SystemTime::now());
        request
    }

    /// Requests to Braket can all be repeated: those that create carry a token of their own.
    fn json<T: serde::de::DeserializeOwned>(
        &self,
        wire: &Wire,
        request: Request,
    ) -> Result<T, Error> {
        wire.json(&self.signed(request, "braket"), Repeatable::Yes)
    }

    /// The file of results that a finished task names.
    fn results(&self, wire: &Wire, said: &Value) -> Result<Measured, Error> {
        if said["outputS3Bucket"].as_str() != Some(&self.device.bucket) {
            let bucket = &said["outputS3Bucket"];
            return Err(wire.malformed(format!("the results are in the bucket {bucket}")));
        }
        let folder = said["outputS3Directory"].as_str().unwrap_or_default();
        let segments: Vec<&str> = folder.split('/').collect();
        if segments.iter().any(|segment| ["", ".", ".."].contains(segment)) {
            return Err(wire.malformed(format!("the results are in the folder {folder:?}")));
        }
        let folder: Vec<String> = segments.into_iter().map(encoded).collect();
        let mut files = self.files.clone();
        files.link.deadline = wire.link.deadline;
        let request = files.request(Method::Get, &format!("{}/results.json", folder.join("/")));
        files.json(&self.signed(request, "s3"), Repeatable::Yes)
    }

    fn read_state(&self, wire: &Wire, id: &str, said: Value) -> Result<State, Error> {
        if said["quantumTaskArn"].as_str() != Some(id) {
            return Err(wire.malformed(format!("it is about task {}", said["quantumTaskArn"])));
        }
        match said["status"].as_str() {
            Some("CREATED" | "QUEUED" | "RUNNING" | "CANCELLING") => Ok(State::Running),
            Some("COMPLETED") => Ok(State::Completed(said)),
            Some("FAILED") => {
                let why = said["failureReason"].as_str().unwrap_or("no reason given");
                Err(wire.failed(&format!("the job failed: {why}")))
            }
            Some("CANCELLED") => Err(wire.failed("the job was cancelled")),
            other => Err(wire.malformed(format!("the status {other:?}"))),
        }
    }
}

/// The counts of a file of results, whose columns are qubits in an order that it tells.
fn counted(measured: Measured, n_qubits: usize, shots: usize) -> Result<Counts, String> {
    let qubits = measured.measured_qubits;
    let mut sorted = qubits.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..n_qubits) {
        return Err(format!("measured qubits {qubits:?}, expected each of {n_qubits}"));
    }
    match (measured.measurements, measured.measurement_probabilities) {
        (Some(rows), _) if !rows.is_empty() => {
            of_outcomes(rows.iter().map(|row| index_of(row, &qubits)))
        }
        (_, Some(shares)) => {
            let shares = shares.into_iter().map(|(text, p)| Ok((of_text(&text, &qubits)?, p)));
            of_probabilities(&shares.collect::<Result<_, String>>()?, shots)
        }
        _ => Err("no measurements".into()),
    }
}

fn index_of(row: &[u8], qubits: &[usize]) -> Result<usize, String> {
    if row.len() != qubits.len() || row.iter().any(|&bit| bit > 1) {
        return Err(format!("a shot is {row:?}, expected {} bits", qubits.len()));
    }
    Ok(row.iter().zip(qubits).map(|(&bit, qubit)| usize::from(bit) << qubit).sum())
}

impl Provider for Braket {
    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn submit_job(&self, wire: &Wire, circuits: &[Circuit], shots: usize) -> Result<JobId, Error> {
        let [circuit] = circuits else {
            let (what, expected, actual) = ("the circuits of a task", 1, circuits.len());
            return Err(ErrorKind::WrongLength { what, expected, actual }.into());
        };
        let source = program::source(circuit, &self.name, |gate| self.gates.contains(gate))?;
        let action = json!({
            "braketSchemaHeader": { "name": PROGRAM, "version": "1" }, "source": source,
        });
        let task = json!({
            "action": action.to_string(),
            "clientToken": fresh_name(),
            "deviceArn": self.device.arn,
            "outputS3Bucket": self.device.bucket,
            "outputS3KeyPrefix": self.device.prefix,
            "shots": shots,
        });
        let request = wire.with_json(Method::Post, "quantum-task", &task);
        let Submitted { quantum_task_arn } = self.json(wire, request)?;
        Ok(JobId(quantum_task_arn))
    }

    fn state(&self, wire: &Wire, id: &str) -> Result<State, Error> {
        let path = format!("quantum-task/{}", encoded(id));
        let said = self.json(wire, wire.request(Method::Get, &path))?;
        self.read_state(wire, id, said)
    }

    fn counts(
        &self,
        wire: &Wire,
        job: &Job,
        said: &Value,
        shots: usize,
    ) -> Result<Vec<Counts>, Error> {
        let [n] = job.n_qubits[..] else {
            return Err(unsupported(
                "a ticket of tasks of several circuits".into(),
                "submit again",
            ));
        };
        let counts = counted(self.results(wire, said)?, n, shots);
        Ok(vec![counts.map_err(|reason| wire.malformed(reason))?])
    }

    fn cancel_job(&self, wire: &Wire, id: &str) -> Result<(), Error> {
        let path = format!("quantum-task/{}/cancel", encoded(id));
        let token = json!({ "clientToken": fresh_name() });
        self.json::<Value>(wire, wire.with_json(Method::Put, &path, &token)).map(|_| ())
    }

    fn is_job(&self, id: &str) -> bool {
        is_arn(id)
    }
}

sampler!(Braket);
