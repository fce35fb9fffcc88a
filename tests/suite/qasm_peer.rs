//! OpenQASM and QIR against the programs of others: Qiskit must read what we write, and we what it
//! writes, and Braket's local simulator and PyQIR what is for them, to the same states.
//!
//! Ignored, because it needs a Python with `.ci/qasm_requirements.txt`, named by the variable
//! `QASM_PEER_PYTHON`; `.ci/run` makes one.

use crate::common::*;
use burn_quantum::circuit::{Angle, Circuit, Gate, GateSet, Observable, Operation, PauliString};
use burn_quantum::statevector::dense;
use num_complex::Complex64;
use serde::{Deserialize, Serialize};
use std::{env, fs, process::Command};

/// Real and imaginary parts, in little-endian order.
type State = Vec<(f64, f64)>;

/// A program with its parameters, and its state in little-endian order.
#[derive(Serialize, Deserialize)]
struct Case {
    program: String,
    #[serde(default)]
    parameters: Vec<(String, f64)>,
    state: State,
}

/// A circuit in the languages of devices.
#[derive(Serialize)]
struct DeviceCase {
    braket: String,
    qir: String,
    #[serde(skip)]
    state: State,
}

#[derive(Serialize)]
struct Question {
    cases: Vec<Case>,
    devices: Vec<DeviceCase>,
    /// In the words of Braket.
    observables: [&'static str; 3],
    /// Measured programs for Braket whose outcome is certain.
    outcomes: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    /// Qiskit's states of our programs.
    states: Vec<State>,
    /// Programs by Qiskit.
    programs: Vec<Case>,
    /// Braket's states and expectation values.
    braket: Vec<(State, Vec<f64>)>,
    /// Outcomes, qubit 0 first.
    outcomes: Vec<String>,
    /// The states of the modules that PyQIR parsed.
    qir: Vec<State>,
}

#[test]
#[ignore = "needs Qiskit, Braket and PyQIR, see the head of this file"]
fn others_read_ours_and_we_read_qiskits() {
    let cases = ours();
    let (devices, outcomes) = (device_cases(), certain_outcomes());
    let observables = ["z(q[0]) @ z(q[1])", "x(q[1])", "y(q[0]) @ x(q[2])"];
    let question = Question { cases, devices, observables, outcomes };
    let answer = ask(&question);
    check_devices(&question.devices, &answer);
    let expected = (0..16).map(|bits| (0..4).map(|q| (bits >> q & 1).to_string()).collect());
    assert_eq!(answer.outcomes, expected.collect::<Vec<String>>());
    let cases = question.cases;
    assert_eq!(answer.states.len(), cases.len());
    for (case, state) in cases.iter().zip(&answer.states) {
        same(&case.state, state, &case.program);
    }
    assert!(answer.programs.len() > 100);
    for case in &answer.programs {
        let circuit = Circuit::from_qasm(&case.program);
        let circuit = circuit.unwrap_or_else(|error| panic!("{error}\n{}", case.program));
        let of = |letter: &str| -> Vec<f64> {
            let own = case.parameters.iter().filter(|(name, _)| name.starts_with(letter));
            own.map(|(_, value)| *value).collect()
        };
        same(&state(&circuit, &of("x"), &of("w")), &case.state, &case.program);
    }
}

fn check_devices(cases: &[DeviceCase], answer: &Answer) {
    assert!(cases.len() > 100 && answer.braket.len() == cases.len());
    assert!(answer.qir.len() == cases.len());
    let observables =
        ["Z0 Z1", "X1", "Y0 X2"].map(|p| Observable::from(p.parse::<PauliString>().unwrap()));
    for (k, case) in cases.iter().enumerate() {
        let (state, their_values) = &answer.braket[k];
        same(&case.state, state, &case.braket);
        same(&case.state, &answer.qir[k], &case.qir);
        let state: Vec<_> = case.state.iter().map(|z| Complex64::new(z.0, z.1)).collect();
        let values = observables.each_ref().map(|o| dense::expectation(o, &state));
        assert!(max_difference(&values, their_values) < 1e-9, "{}", case.braket);
    }
}

/// Every gate of the table with and without further controls, and random circuits; some in the
/// basis of IBM's devices.
fn device_cases() -> Vec<DeviceCase> {
    let mut circuits = Vec::new();
    for gate in Gate::all() {
        circuits.extend([&[][..], &[4], &[4, 1]].map(|added| after_prefix(gate, added)));
    }
    for seed in 0..20 {
        let (mut rng, n) = (rng(950 + seed), 3 + seed as usize % 3);
        let (x, w) = (uniform(&mut rng, n, 3.0), uniform(&mut rng, n, 3.0));
        circuits.push(random_circuit(&mut rng, n, 20).bind(&x, &w).unwrap());
    }
    let every_fourth = circuits.iter().step_by(4);
    let heron: Vec<_> = every_fourth.map(|c| c.decomposed(GateSet::Heron).unwrap()).collect();
    let case = |circuit: &Circuit| DeviceCase {
        braket: circuit.to_braket_qasm().unwrap(),
        qir: circuit.to_qir().unwrap(),
        state: state(circuit, &[], &[]),
    };
    circuits.iter().chain(&heron).map(case).collect()
}

/// Each basis state of four qubits, from X alone, so that some qubits have no gate.
fn certain_outcomes() -> Vec<String> {
    let program = |bits: usize| {
        let mut circuit = Circuit::new(4);
        (0..4).filter(|q| bits >> q & 1 == 1).for_each(|q| {
            circuit.x(q);
        });
        circuit.to_measured_braket_qasm().unwrap()
    };
    (0..16).map(program).collect()
}

fn ask(question: &Question) -> Answer {
    let python = env::var("QASM_PEER_PYTHON")
        .expect("QASM_PEER_PYTHON names a Python with Qiskit, Braket and PyQIR");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ours.json"), serde_json::to_string(question).unwrap()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/qasm_peer.py");
    let status = Command::new(python).arg(script).arg(folder.path()).status().unwrap();
    assert!(status.success(), "{script}: {status}");
    let answer = fs::read_to_string(folder.path().join("theirs.json")).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// Each gate of the table without and with further controls, and random circuits: in version 3
/// with free parameters, in version 2 bound, where it has the gates.
fn ours() -> Vec<Case> {
    let mut cases = Vec::new();
    for gate in Gate::all() {
        for added in [&[][..], &[4], &[4, 1]] {
            add(&mut cases, &after_prefix(gate, added), &[], &[]);
        }
    }
    for seed in 0..30 {
        let (mut rng, n) = (rng(900 + seed), 1 + seed as usize % 5);
        let circuits = [random_circuit(&mut rng, n, 30), random_runs(&mut rng, n, 30)];
        let (x, w) = (uniform(&mut rng, n, 3.0), uniform(&mut rng, n, 3.0));
        circuits.iter().for_each(|circuit| add(&mut cases, circuit, &x, &w));
    }
    cases
}

/// The gate on a state of five qubits in which every amplitude counts.
fn after_prefix(gate: Gate, added: &[usize]) -> Circuit {
    let mut circuit = Circuit::new(5);
    for q in 0..5 {
        circuit.ry(0.3 + q as f64, q).rz(1.1 * q as f64 - 0.4, q);
    }
    circuit.cnot_chain();
    let angles = [0.7, -1.3, 2.1].map(Angle::Constant);
    let qubits = &[2, 0, 3][..gate.info().n_qubits()];
    let operation = Operation::new(gate, qubits, &angles[..gate.info().n_angles]).unwrap();
    circuit.push(operation.with_controls(added).unwrap()).unwrap();
    circuit
}

fn add(cases: &mut Vec<Case>, circuit: &Circuit, x: &[f64], w: &[f64]) {
    let state = state(circuit, x, w);
    let program = circuit.to_qasm3();
    let named = |letter: &'static str, values: &[f64]| {
        let name = move |(i, &value): (usize, &f64)| (format!("{letter}_{i}"), value);
        values.iter().enumerate().map(name).collect::<Vec<_>>()
    };
    let mut parameters = [named("x", x), named("w", w)].concat();
    parameters.retain(|(name, _)| program.contains(&format!(" {name};")));
    cases.push(Case { program, parameters, state: state.clone() });
    if let Ok(program) = circuit.bind(x, w).unwrap().to_qasm2() {
        cases.push(Case { program, parameters: vec![], state });
    }
}

fn state(circuit: &Circuit, x: &[f64], w: &[f64]) -> State {
    dense::state(circuit, x, w).unwrap().into_iter().map(|z| (z.re, z.im)).collect()
}

/// Equal amplitudes once the global phase is taken out.
fn same(a: &[(f64, f64)], b: &[(f64, f64)], program: &str) {
    assert_eq!(a.len(), b.len(), "{program}");
    let pairs =
        || a.iter().zip(b).map(|(a, b)| (Complex64::new(a.0, a.1), Complex64::new(b.0, b.1)));
    let overlap: Complex64 = pairs().map(|(a, b)| b.conj() * a).sum();
    let phase = overlap / overlap.norm();
    let difference = pairs().map(|(a, b)| (a - phase * b).norm()).fold(0.0, f64::max);
    assert!(difference < 1e-11, "{difference:e}\n{program}");
}
