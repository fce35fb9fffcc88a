//! Circuits to the OpenQASM of Amazon Braket, which includes no file and has names of its own.

use super::export::{call, number};
use crate::circuit::{Angle, Circuit, Gate, GateSet, Operation};
use crate::error::Error;
use std::fmt::Write;

impl Circuit {
    /// The circuit as an OpenQASM 3 program for Amazon Braket, with qubit `i` as `q[i]`.
    ///
    /// Equal to the circuit up to a global phase. Braket includes no `stdgates.inc`, and beyond a
    /// small set its devices differ in the gates and modifiers that they take, so the circuit is first
    /// [decomposed](Self::decomposed) into `x y z h s si t ti rx ry rz cnot`.
    ///
    /// # Errors
    ///
    /// As [`decomposed`](Self::decomposed).
    ///
    /// ```
    /// use burn_quantum::circuit::{Circuit, Gate};
    ///
    /// let mut circuit = Circuit::new(2);
    /// circuit.h(0).cnot(0, 1).gate(Gate::Sdg, &[1], &[]);
    /// let program = circuit.to_braket_qasm()?;
    /// assert_eq!(program, "OPENQASM 3.0;\nqubit[2] q;\nh q[0];\ncnot q[0], q[1];\nsi q[1];\n");
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn to_braket_qasm(&self) -> Result<String, Error> {
        self.braket(false)
    }

    /// As [`to_braket_qasm`](Self::to_braket_qasm), with every qubit measured at the end, qubit `i`
    /// into `b[i]`: what a device runs.
    ///
    /// # Errors
    ///
    /// As [`decomposed`](Self::decomposed).
    ///
    /// ```
    /// use burn_quantum::circuit::Circuit;
    ///
    /// let program = Circuit::new(1).x(0).to_measured_braket_qasm()?;
    /// assert_eq!(program, "OPENQASM 3.0;\nbit[1] b;\nqubit[1] q;\nx q[0];\nb[0] = measure q[0];\n");
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn to_measured_braket_qasm(&self) -> Result<String, Error> {
        self.braket(true)
    }

    fn braket(&self, measured: bool) -> Result<String, Error> {
        let (circuit, n) = (self.decomposed(GateSet::Common)?, self.n_qubits());
        let mut text = "OPENQASM 3.0;\n".to_owned();
        if measured && n > 0 {
            writeln!(text, "bit[{n}] b;").expect("strings take any text");
        }
        if n > 0 {
            writeln!(text, "qubit[{n}] q;").expect("strings take any text");
        }
        text.extend(circuit.operations().iter().map(|operation| statement(operation) + "\n"));
        let measured = if measured { 0..n } else { 0..0 };
        text.extend(measured.map(|q| format!("b[{q}] = measure q[{q}];\n")));
        Ok(text)
    }
}

/// Braket's name of a gate, if it has one for it.
pub(crate) fn braket_name(gate: Gate) -> Option<&'static str> {
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
        Gate::RZ => "rz",
        Gate::P => "phaseshift",
        Gate::CNOT => "cnot",
        Gate::CY => "cy",
        Gate::CZ => "cz",
        Gate::CP => "cphaseshift",
        Gate::SWAP => "swap",
        Gate::CSWAP => "cswap",
        Gate::CCX => "ccnot",
        Gate::RXX => "xx",
        Gate::RYY => "yy",
        Gate::RZZ => "zz",
        _ => return None,
    })
}

fn statement(operation: &Operation) -> String {
    let gate = operation.gate();
    let name = braket_name(gate).unwrap_or(gate.info().qasm);
    let angle = |angle: &Angle| number(angle.resolve(&[], &[]));
    let angles: Vec<String> = operation.angles().iter().map(angle).collect();
    call(name, &angles, &operation.qubits().collect::<Vec<_>>())
}
