//! Circuits in OpenQASM 3 as Amazon Braket reads it: without an included file, in its own names.

use crate::circuit::{Circuit, Operation, braket_name};
use crate::error::Error;
use crate::hardware::native::{Euler, Pair, Step, euler, lowered_operation};
use crate::hardware::service::{number, unsupported};

/// The program of a circuit whose angles are constants, in gates that the device takes.
///
/// # Errors
///
/// When the device takes neither CNOT nor CZ, or no rotations, and the circuit needs them.
pub(super) fn source(
    circuit: &Circuit,
    device: &str,
    takes: impl Fn(&str) -> bool,
) -> Result<String, Error> {
    let n = circuit.n_qubits();
    let mut text = format!("OPENQASM 3.0;\nbit[{n}] b;\nqubit[{n}] q;\n");
    for operation in circuit.operations() {
        let own = operation.gate().info().n_controls;
        let known = braket_name(operation.gate()).filter(|name| takes(name));
        match known.filter(|_| operation.controls().len() == own) {
            Some(name) => text += &plain(name, operation),
            None => text += &lowered(operation, device, &takes)?,
        }
    }
    (0..n).for_each(|q| text += &format!("b[{q}] = measure q[{q}];\n"));
    Ok(text)
}

fn call(name: &str, angles: &[f64], qubits: impl Iterator<Item = usize>) -> String {
    let angles: Vec<String> = angles.iter().map(|&angle| number(angle)).collect();
    let angles = if angles.is_empty() { String::new() } else { format!("({})", angles.join(", ")) };
    let qubits: Vec<String> = qubits.map(|q| format!("q[{q}]")).collect();
    format!("{name}{angles} {};\n", qubits.join(", "))
}

fn plain(name: &str, operation: &Operation) -> String {
    let angles: Vec<f64> = operation.angles().iter().map(|a| a.resolve(&[], &[])).collect();
    call(name, &angles, operation.qubits())
}

fn lowered(
    operation: &Operation,
    device: &str,
    takes: &impl Fn(&str) -> bool,
) -> Result<String, Error> {
    let (pair, pair_name) = if takes("cnot") { (Pair::Cnot, "cnot") } else { (Pair::Cz, "cz") };
    if let Some(lacking) = [pair_name, "ry", "rz"].into_iter().find(|name| !takes(name)) {
        let what = format!("{device} does not take the gate {lacking}");
        return Err(unsupported(what, "use a device with rotations and CNOT or CZ"));
    }
    let steps = pair.translated(lowered_operation(operation)?, |_, _| true);
    let line = |step: Step| match step {
        Step::Pair(a, b) => call(pair_name, &[], [a, b].into_iter()),
        Step::Turn(matrix, qubit) => {
            let Euler { theta, phi, lambda, .. } = euler(&matrix);
            let turns = [("rz", lambda), ("ry", theta), ("rz", phi)].into_iter();
            let turns = turns.filter(|(_, angle)| *angle != 0.0);
            turns.map(|(name, angle)| call(name, &[angle], [qubit].into_iter())).collect()
        }
    };
    Ok(steps.into_iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::Gate;
    use crate::hardware::native::oracle;

    /// Braket's names in those of the standard.
    fn read(source: &str) -> Circuit {
        let mut text = String::new();
        for line in source.lines() {
            let (name, rest) = line.split_at(line.find(['(', ' ']).unwrap_or(line.len()));
            let standard = match name {
                "OPENQASM" => {
                    text += "OPENQASM 3.0;\ninclude \"stdgates.inc\";\n\
                             gate xx(t) a, b { h a; h b; cx a, b; rz(t) b; cx a, b; h a; h b; }\n\
                             gate yy(t) a, b { sx a; sx b; cx a, b; rz(t) b; cx a, b; inv @ sx a; inv @ sx b; }\n\
                             gate zz(t) a, b { cx a, b; rz(t) b; cx a, b; }\n";
                    continue;
                }
                "si" => "sdg",
                "ti" => "tdg",
                "v" => "sx",
                "vi" => "inv @ sx",
                "phaseshift" => "p",
                "cnot" => "cx",
                "cphaseshift" => "cp",
                "ccnot" => "ccx",
                name => name,
            };
            text += &format!("{standard}{rest}\n");
        }
        Circuit::from_qasm(&text).unwrap()
    }

    #[test]
    fn the_whole_table_is_the_same_in_brakets_gates() {
        let all = |_: &str| true;
        let few = |name: &str| ["rz", "ry", "cnot"].contains(&name);
        let fewer = |name: &str| ["rz", "ry", "cz"].contains(&name);
        for circuit in oracle::whole_table() {
            let exact = oracle::of_circuit(&circuit);
            let sources =
                [source(&circuit, "", all), source(&circuit, "", few), source(&circuit, "", fewer)];
            for text in sources.map(Result::unwrap) {
                assert!(oracle::agree(&oracle::of_circuit(&read(&text)), &exact), "{text}");
            }
        }
    }

    #[test]
    fn programs_are_as_braket_documents_them() {
        let mut circuit = Circuit::new(2);
        circuit.h(0).cnot(0, 1).rz(1e-7, 1).gate(Gate::CP, &[1, 0], &[0.5.into()]);
        assert_eq!(
            source(&circuit, "", |_| true).unwrap(),
            "OPENQASM 3.0;\nbit[2] b;\nqubit[2] q;\nh q[0];\ncnot q[0], q[1];\nrz(1.0e-7) q[1];\n\
             cphaseshift(0.5) q[1], q[0];\nb[0] = measure q[0];\nb[1] = measure q[1];\n"
        );
        let error = source(&circuit, "toy", |name| name == "cz").unwrap_err().to_string();
        assert!(error.contains("toy does not take the gate ry"), "{error}");
    }
}
