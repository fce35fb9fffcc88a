//! OpenQASM against Qiskit: it must read what we write, and we what it writes, to the same states.
//!
//! Ignored, because it needs a Python with `.ci/qasm_requirements.txt`, named by the variable
//! `QASM_PEER_PYTHON`; `.ci/run` makes one.

use crate::common::*;
use burn_quantum::circuit::{Angle, Circuit, Gate, Operation};
use burn_quantum::statevector::dense;
use num_complex::Complex64;
use serde::{Deserialize, Serialize};
use std::{env, fs, process::Command};

/// A program with its parameters, and its state in little-endian order.
#[derive(Serialize, Deserialize)]
struct Case {
    program: String,
    #[serde(default)]
    parameters: Vec<(String, f64)>,
    state: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
struct Answer {
    /// Qiskit's states of our programs.
    states: Vec<Vec<(f64, f64)>>,
    /// Programs by Qiskit.
    programs: Vec<Case>,
}

#[test]
#[ignore = "needs Qiskit, see the head of this file"]
fn qiskit_reads_ours_and_we_read_qiskits() {
    let cases = ours();
    let answer = ask(&cases);
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

fn ask(cases: &[Case]) -> Answer {
    let python = env::var("QASM_PEER_PYTHON").expect("QASM_PEER_PYTHON names a Python with Qiskit");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ours.json"), serde_json::to_string(cases).unwrap()).unwrap();
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

fn state(circuit: &Circuit, x: &[f64], w: &[f64]) -> Vec<(f64, f64)> {
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
