//! Clients of gate-model services, each against a service of its protocol on loopback whose device is
//! a simulator of what arrives there.

mod braket;
mod faults;
mod ibm;
mod ionq;
mod iqm;

use super::loopback::{Act, Loopback};
use burn_quantum::Error;
use burn_quantum::circuit::{Angle, Circuit, Gate, Operation};
use burn_quantum::hardware::{CircuitJobs, Connection, Request, Response, Retry};
use burn_quantum::statevector::{Program, dense};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) type Counts = BTreeMap<usize, usize>;
type Respond = Box<dyn FnMut(&Request) -> Response + Send>;
type Connected = Result<Box<dyn CircuitJobs>, Error>;
type Change = fn(&mut Value);

/// A service and its client, with what its protocol calls things.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// The service, as it should be.
    fake: fn() -> Respond,
    /// The client of one at this address.
    device: fn(&str, Connection) -> Connected,
    is_submission: fn(&Request) -> bool,
    is_poll: fn(&Request) -> bool,
    is_result: fn(&Request) -> bool,
    is_cancel: fn(&Request) -> bool,
    set_status: fn(&mut Value, &str),
    running: &'static str,
    failed: &'static str,
    cancelled: &'static str,
    /// Changes of a result that make it wrong, and what the error says of each.
    wrong: &'static [(Change, &'static str)],
    /// Whether a submission that is sent twice is taken once, so that it may be repeated.
    idempotent: bool,
}

const KINDS: [Kind; 4] = [ionq::KIND, braket::KIND, iqm::KIND, ibm::KIND];

/// What must never be shown, whatever the service.
const SECRET: &str = "s3cr3t-c0ffee";

pub(super) fn connection() -> Connection {
    let delays = (Duration::from_millis(1), Duration::from_secs(3));
    let patience = Retry::default().with_max_attempts(3).with_delays(delays.0, delays.1);
    Connection::default()
        .with_retry(patience)
        .with_timeout(Duration::from_secs(2))
        .with_pauses(Duration::from_millis(2), Duration::from_millis(20))
}

impl Kind {
    fn serve(self) -> Loopback {
        let mut fake = (self.fake)();
        Loopback::new(move |request| Act::Answer(fake(request)))
    }

    fn connect(self, service: &Loopback) -> Box<dyn CircuitJobs> {
        (self.device)(service.origin(), connection()).unwrap()
    }

    /// The requests of a kind that a service has seen.
    fn count(self, service: &Loopback, is: fn(&Request) -> bool) -> usize {
        service.requests().iter().filter(|request| is(request)).count()
    }
}

fn json(status: u16, body: &Value) -> Response {
    let headers = vec![("Content-Type".into(), "application/json".into())];
    Response { status, headers, body: body.to_string().into_bytes() }
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// The index of each shot of a circuit.
fn measured(circuit: &Circuit, shots: usize, seed: u64) -> Vec<usize> {
    Program::new(circuit, &[]).unwrap().samples::<f64>(1, &[], &[], shots, seed).unwrap()
}

/// Half the sum of the differences between shares and probabilities.
pub(super) fn distance(circuit: &Circuit, counts: &Counts) -> f64 {
    let shots = counts.values().sum::<usize>() as f64;
    let state = dense::state(circuit, &[], &[]).unwrap();
    let share = |index: usize| *counts.get(&index).unwrap_or(&0) as f64 / shots;
    let difference = |(index, z): (usize, &_)| {
        let z: &num_complex::Complex64 = z;
        (z.norm_sqr() - share(index)).abs()
    };
    state.iter().enumerate().map(difference).sum::<f64>() / 2.0
}

/// Turns that are in no way special, so that the gate between them shows in the probabilities.
pub(super) fn turned(circuit: &mut Circuit, by: f64) {
    for qubit in 0..circuit.n_qubits() {
        let angle = by + 0.4 * qubit as f64;
        circuit.ry(angle, qubit).rz(1.7 * angle, qubit).rx(0.6 - angle, qubit);
    }
}

/// Each gate of the table between such turns.
pub(super) fn whole_table() -> Vec<Circuit> {
    let of_gate = |gate: Gate| {
        let info = gate.info();
        let n = info.n_qubits().max(2);
        let mut circuit = Circuit::new(n);
        turned(&mut circuit, 0.5);
        let qubits: Vec<usize> = (n - info.n_qubits()..n).rev().collect();
        let angles = [0.9, -1.3, 2.1].map(Angle::Constant);
        circuit.gate(gate, &qubits, &angles[..info.n_angles]);
        turned(&mut circuit, -0.8);
        circuit
    };
    Gate::all().map(of_gate).collect()
}

#[test]
fn each_gate_arrives_as_itself() {
    for kind in KINDS {
        let service = kind.serve();
        let circuits = whole_table();
        let counts = kind.connect(&service).run(&circuits, 4000).unwrap();
        assert_eq!(counts.len(), circuits.len());
        for (circuit, counts) in circuits.iter().zip(&counts) {
            let distance = distance(circuit, counts);
            assert!(distance < 0.05, "{}: {distance} of {circuit:?}", kind.name);
        }
    }
}

#[test]
fn qubits_and_circuits_keep_their_order() {
    for kind in KINDS {
        let service = kind.serve();
        let flipped = |bits: usize, n: usize| {
            let mut circuit = Circuit::new(n);
            (0..n).filter(|q| bits >> q & 1 == 1).for_each(|q| {
                circuit.x(q);
            });
            circuit
        };
        let wanted = [(0b001, 3), (0b10, 2), (0b100, 3), (0b1, 1), (0b0110, 4), (0b0, 2)];
        let circuits = wanted.map(|(bits, n)| flipped(bits, n));
        let counts = kind.connect(&service).run(&circuits, 7).unwrap();
        assert_eq!(counts, wanted.map(|(bits, _)| Counts::from([(bits, 7)])), "{}", kind.name);
    }
}

#[test]
fn distant_pairs_and_many_controls_work() {
    for kind in KINDS {
        let service = kind.serve();
        let mut ghz = Circuit::new(4);
        ghz.h(0).cnot(0, 3).cnot(3, 1).cnot(0, 2);
        let mut controlled = Circuit::new(4);
        turned(&mut controlled, 0.7);
        let operation = Operation::new(Gate::RY, &[2], &[1.1.into()]).unwrap();
        controlled.push(operation.with_controls(&[0, 3, 1]).unwrap()).unwrap();
        let circuits = [ghz, controlled];
        let counts = kind.connect(&service).run(&circuits, 4000).unwrap();
        assert_eq!(counts[0].keys().copied().collect::<Vec<_>>(), [0, 0b1111], "{}", kind.name);
        assert!(distance(&circuits[1], &counts[1]) < 0.05, "{}", kind.name);
    }
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_sent() {
    for kind in KINDS {
        let service = kind.serve();
        let device = kind.connect(&service);
        let large = Circuit::new(device.max_qubits() + 1);
        let mut free = Circuit::new(1);
        free.ry(Angle::Input(0), 0);
        let error = device.run(&[large], 10).unwrap_err();
        assert!(error.is_size_limit() && error.to_string().contains(device.name()), "{error}");
        let error = device.run(&[Circuit::new(1), free], 10).unwrap_err();
        assert!(error.to_string().contains("Input(0) of circuit 1: `bind`"), "{error}");
        assert!(device.run(&[Circuit::new(1)], 0).unwrap_err().is_invalid_value());
        assert!(device.run(&[Circuit::new(0)], 1).is_err());
        assert_eq!(device.run(&[], 1).unwrap(), Vec::<Counts>::new());
        assert_eq!(kind.count(&service, kind.is_submission), 0);
    }
}
