//! Circuits in IonQ's format.

use crate::circuit::{Circuit, Gate, Operation};
use crate::error::Error;
use crate::hardware::native::{Euler, Step, euler, lowered_operation};
use serde_json::{Value, json};

/// The name of a gate in IonQ's set `qis`, if it has it up to a global phase. Angles are in radians.
fn name(gate: Gate) -> Option<&'static str> {
    Some(match gate {
        Gate::X => "x",
        Gate::Y => "y",
        Gate::Z => "z",
        Gate::H => "h",
        Gate::S => "s",
        Gate::Sdg => "si",
        Gate::T => "t",
        Gate::Tdg => "ti",
        Gate::SX => "v",
        Gate::SXdg => "vi",
        Gate::RX => "rx",
        Gate::RY => "ry",
        Gate::RZ | Gate::P => "rz",
        Gate::SWAP => "swap",
        Gate::RXX => "xx",
        Gate::RYY => "yy",
        Gate::RZZ => "zz",
        _ => return None,
    })
}

/// The gates of a circuit whose angles are constants.
pub(super) fn gates(circuit: &Circuit) -> Result<Vec<Value>, Error> {
    let mut gates = Vec::with_capacity(circuit.operations().len());
    for operation in circuit.operations() {
        match (name(operation.gate()), operation.controls()) {
            (Some(name), []) => gates.push(plain(name, operation)),
            _ => gates.extend(lowered_operation(operation)?.iter().flat_map(step)),
        }
    }
    Ok(gates)
}

fn plain(name: &str, operation: &Operation) -> Value {
    let mut gate = json!({ "gate": name, "targets": operation.targets() });
    if let Some(angle) = operation.angles().first() {
        gate["rotation"] = json!(angle.resolve(&[], &[]));
    }
    gate
}

fn step(step: &Step) -> Vec<Value> {
    match step {
        Step::Pair(control, target) => {
            vec![json!({ "gate": "x", "controls": [control], "targets": [target] })]
        }
        Step::Turn(matrix, qubit) => {
            let Euler { theta, phi, lambda, .. } = euler(matrix);
            let turns = [("rz", lambda), ("ry", theta), ("rz", phi)];
            let turns = turns.into_iter().filter(|(_, angle)| *angle != 0.0);
            turns
                .map(|(name, angle)| json!({ "gate": name, "targets": [qubit], "rotation": angle }))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::native::oracle;
    use num_complex::Complex64;

    /// IonQ's gates by their definitions, read from what is sent.
    fn then(rows: &oracle::Rows, gate: &Value) -> oracle::Rows {
        let list = |field: &str| -> Vec<usize> {
            let list = gate[field].as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().map(|q| q.as_u64().unwrap() as usize).collect()
        };
        let (i, angle) = (Complex64::I, gate["rotation"].as_f64().unwrap_or(f64::NAN));
        let (sin, cos) = (angle / 2.0).sin_cos();
        let r = |x: f64| Complex64::new(x, 0.0);
        let (o, one, h) = (r(0.0), r(1.0), r(0.5f64.sqrt()));
        let (half, flip) = (Complex64::new(0.5, 0.5), Complex64::new(0.5, -0.5));
        let (c, s) = (r(cos), -i * sin);
        let small = match gate["gate"].as_str().unwrap() {
            "x" if !list("controls").is_empty() => {
                let qubits = [list("controls"), list("targets")].concat();
                return oracle::then(rows, &oracle::cnot(), &qubits);
            }
            "x" => vec![o, one, one, o],
            "y" => vec![o, -i, i, o],
            "z" => vec![one, o, o, -one],
            "h" => vec![h, h, h, -h],
            "s" => vec![one, o, o, i],
            "si" => vec![one, o, o, -i],
            "t" => vec![one, o, o, h + i * h],
            "ti" => vec![one, o, o, h - i * h],
            "v" => vec![half, flip, flip, half],
            "vi" => vec![flip, half, half, flip],
            "rx" => vec![c, s, s, c],
            "ry" => vec![c, -r(sin), r(sin), c],
            "rz" => vec![c + s, o, o, c - s],
            "swap" => vec![one, o, o, o, o, o, one, o, o, one, o, o, o, o, o, one],
            "xx" => vec![c, o, o, s, o, c, s, o, o, s, c, o, s, o, o, c],
            "yy" => vec![c, o, o, -s, o, c, s, o, o, s, c, o, -s, o, o, c],
            "zz" => {
                let (a, b) = (c + s, c - s);
                vec![a, o, o, o, o, b, o, o, o, o, b, o, o, o, o, a]
            }
            name => panic!("{name} is not a gate of IonQ"),
        };
        oracle::then(rows, &small, &list("targets"))
    }

    #[test]
    fn the_whole_table_is_the_same_in_ionqs_gates() {
        for circuit in oracle::whole_table() {
            let n = circuit.n_qubits();
            let gates = gates(&circuit).unwrap();
            let found = gates.iter().fold(oracle::one(n), |all, gate| then(&all, gate));
            assert!(oracle::agree(&found, &oracle::of_circuit(&circuit)), "{circuit:?}\n{gates:?}");
        }
    }

    #[test]
    fn gates_that_ionq_has_are_sent_as_they_are() {
        let mut circuit = Circuit::new(2);
        circuit.h(0).ry(0.25, 1).gate(Gate::RZZ, &[1, 0], &[0.5.into()]).cnot(0, 1);
        let sent = json!([
            { "gate": "h", "targets": [0] },
            { "gate": "ry", "targets": [1], "rotation": 0.25 },
            { "gate": "zz", "targets": [1, 0], "rotation": 0.5 },
            { "gate": "x", "controls": [0], "targets": [1] },
        ]);
        assert_eq!(json!(gates(&circuit).unwrap()), sent);
    }
}
