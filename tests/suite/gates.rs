//! One test walks the gate table.

use burn_quantum::circuit::{Angle, Circuit, Gate, Operation};
use burn_quantum::statevector::{Program, dense};
use num_complex::Complex64;

/// A state without symmetries on four qubits.
fn prefix() -> Circuit {
    let mut circuit = Circuit::new(4);
    for q in 0..4 {
        circuit.ry(0.3 + q as f64, q).rz(1.1 * q as f64 - 0.4, q);
    }
    circuit.cnot_chain();
    circuit
}

fn with(operation: &Operation, inverse: bool) -> Circuit {
    let mut circuit = prefix();
    circuit.push(operation.clone()).unwrap();
    if inverse {
        circuit.push(operation.inverse()).unwrap();
    }
    circuit
}

fn difference(a: &[Complex64], b: &[Complex64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max)
}

/// Kernel = definition, and the inverse undoes it, for each gate, on qubits in either order, plain
/// and with one more control.
#[test]
fn every_gate_is_its_matrix_and_undone_by_its_inverse() {
    let start = dense::state(&prefix(), &[], &[]).unwrap();
    for gate in Gate::all() {
        let angles: Vec<Angle> =
            [0.7, -1.3, 2.1].map(Angle::Constant)[..gate.info().n_angles].into();
        for qubits in [[2, 0, 3], [0, 1, 2], [3, 2, 0]] {
            let plain = Operation::new(gate, &qubits[..gate.info().n_qubits()], &angles).unwrap();
            let free = (0..4).find(|q| plain.qubits().all(|used| used != *q)).unwrap();
            for operation in [plain.clone(), plain.clone().with_controls(&[free]).unwrap()] {
                let circuit = with(&operation, false);
                let slow = dense::state(&circuit, &[], &[]).unwrap();
                let fast = Program::new(&circuit, &[]).unwrap().state::<f64>(&[], &[]).unwrap();
                assert!(difference(&fast, &slow) < 1e-14, "{operation:?}");
                let back = dense::state(&with(&operation, true), &[], &[]).unwrap();
                assert!(difference(&back, &start) < 1e-14, "inverse of {operation:?}");
            }
        }
    }
}

#[test]
fn a_whole_circuit_is_undone_by_its_inverse() {
    let mut circuit = prefix();
    circuit.gate(Gate::U, &[1], &[0.1.into(), 0.2.into(), 0.3.into()]);
    circuit.gate(Gate::S, &[2], &[]).gate(Gate::RYY, &[3, 1], &[0.9.into()]);
    let inverse = circuit.inverse();
    circuit.append(&inverse).unwrap();
    let state = Program::new(&circuit, &[]).unwrap().state::<f64>(&[], &[]).unwrap();
    assert!((state[0].re - 1.0).abs() < 1e-14);
}
