//! Our clients of gate-model services against services of another hand, each of which the vendor's own
//! client has accepted before, in the same run.
//!
//! Ignored, because they need Pythons with `.ci/gate_requirements.txt` and, as IQM's packages do not
//! go together with the others, with `.ci/gate_iqm_requirements.txt`, named by the variables
//! `GATE_PEER_PYTHON` and `GATE_PEER_IQM_PYTHON`; `.ci/run` makes them.

use super::gate_model::{connection, distance, turned, whole_table};
use burn_quantum::Error;
use burn_quantum::circuit::{Circuit, Gate};
use burn_quantum::hardware::{
    AwsCredentials, Braket, BraketDevice, CircuitJobs, Connection, Ibm, IbmAccount, IonQ, Iqm,
    Token,
};
use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// As in `gate_peer.py`.
const TOKEN: &str = "token-of-the-test";

struct Peer(Child, String);

impl Peer {
    fn new(python: &str, service: &str) -> Self {
        let program = env::var(python).unwrap_or_else(|_| panic!("{python} names a Python"));
        let mut child = Command::new(program)
            .arg(format!("{}/tests/gate_peer.py", env!("CARGO_MANIFEST_DIR")))
            .arg(service)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.into_iter().find_map(|l| Some(l.strip_prefix("endpoint ")?.to_owned()));
        let url = line.expect("the vendor's client accepts the service");
        Self(child, url)
    }

    /// The address without a path.
    fn origin(&self) -> String {
        self.1.split('/').take(3).collect::<Vec<_>>().join("/")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn patient() -> Connection {
    connection().with_timeout(Duration::from_secs(120))
}

fn token() -> Token {
    Token::new(TOKEN).unwrap()
}

/// Each gate of the table, the order of qubits and circuits, pairs that are far apart, a restart, and
/// a wrong secret.
fn check<D: CircuitJobs>(connect: impl Fn(Token) -> Result<D, Error>) {
    let device = connect(token()).unwrap();
    let circuits = whole_table();
    for (circuit, counts) in circuits.iter().zip(device.run(&circuits, 3000).unwrap()) {
        let distance = distance(circuit, &counts);
        assert!(distance < 0.06, "{}: {distance} of {circuit:?}", device.name());
    }
    let mut flipped = Circuit::new(3);
    flipped.x(1);
    let mut far = Circuit::new(4);
    turned(&mut far, 0.3);
    far.cnot(0, 3).cz(1, 3).gate(Gate::CCX, &[3, 0, 2], &[]).cnot(2, 0);
    let circuits = [flipped, far, Circuit::new(1)];
    let ticket = device.submit(&circuits, 3000).unwrap();
    let text = serde_json::to_string(&ticket).unwrap();
    drop((device, ticket));
    let device = connect(token()).unwrap();
    let counts = device.collect(&serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(counts[0], BTreeMap::from([(0b010, 3000)]));
    assert!(distance(&circuits[1], &counts[1]) < 0.06, "{}", device.name());
    assert_eq!(counts[2], BTreeMap::from([(0, 3000)]));
    let error = connect(Token::new("another").unwrap()).expect_err("a wrong secret is refused");
    assert!(error.is_device() && !error.is_unavailable(), "{error}");
}

#[test]
#[ignore = "needs Python, see the head of this file"]
fn gate_peer_ionq() {
    let peer = Peer::new("GATE_PEER_PYTHON", "ionq");
    check(|token| IonQ::new(patient().with_endpoint(&*peer.1), token, "simulator"));
}

#[test]
#[ignore = "needs Python, see the head of this file"]
fn gate_peer_ibm() {
    let peer = Peer::new("GATE_PEER_PYTHON", "ibm");
    let crn = "crn:v1:bluemix:public:quantum-computing:us-east:a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:\
               11111111-2222-3333-4444-555555555555::";
    check(|token| {
        let account = IbmAccount::new(token, Token::new(crn)?);
        let account = account.with_identity_endpoint(peer.origin());
        Ibm::new(patient().with_endpoint(&*peer.1), account, "toy")
    });
}

#[test]
#[ignore = "needs Python, see the head of this file"]
fn gate_peer_braket() {
    let peer = Peer::new("GATE_PEER_PYTHON", "braket");
    check(|token| {
        let device = BraketDevice {
            arn: "arn:aws:braket:::device/quantum-simulator/amazon/sv1".into(),
            region: "us-east-1".into(),
            bucket: "amazon-braket-test".into(),
            prefix: "tasks of ours".into(),
        };
        let key = AwsCredentials::new(Token::new("AKIDEXAMPLE")?, token);
        Braket::new(patient().with_endpoint(&*peer.1), key, device)
    });
}

#[test]
#[ignore = "needs Python, see the head of this file"]
fn gate_peer_iqm() {
    let peer = Peer::new("GATE_PEER_IQM_PYTHON", "iqm");
    check(|token| Iqm::new(patient().with_endpoint(&*peer.1), token, "toy"));
}
