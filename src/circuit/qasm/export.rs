//! Circuits to OpenQASM.

use super::Version;
use crate::circuit::sampler::not_expressible;
use crate::circuit::{Angle, Circuit, Gate, Operation};
use crate::error::{Error, ErrorKind};
use std::collections::HashSet;
use std::fmt::Write;

const QASM2: &str = "OpenQASM 2";

/// Definitions of the gates that the included file lacks: `stdgates.inc`, or `qelib1.inc` as first
/// published, which is all that some readers know. The importer knows these texts, too.
///
/// Those of version 3 are exact; those of version 2 leave the global phase open.
pub(super) fn definition(gate: Gate, version: Version) -> Option<&'static str> {
    let both = match gate {
        Gate::RXX => "gate rxx(theta) a, b { h a; h b; cx a, b; rz(theta) b; cx a, b; h a; h b; }",
        Gate::RYY => {
            "gate ryy(theta) a, b { rx(pi/2) a; rx(pi/2) b; cx a, b; rz(theta) b; cx a, b; \
             rx(-pi/2) a; rx(-pi/2) b; }"
        }
        Gate::RZZ => "gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }",
        _ if version == Version::V2 => return definition2(gate),
        _ => return None,
    };
    Some(both)
}

fn definition2(gate: Gate) -> Option<&'static str> {
    Some(match gate {
        Gate::SX => "gate sx a { sdg a; h a; sdg a; }",
        Gate::SXdg => "gate sxdg a { s a; h a; s a; }",
        Gate::CRX => "gate crx(theta) a, b { h b; crz(theta) a, b; h b; }",
        Gate::CRY => "gate cry(theta) a, b { ry(theta/2) b; cx a, b; ry(-theta/2) b; cx a, b; }",
        Gate::SWAP => "gate swap a, b { cx a, b; cx b, a; cx a, b; }",
        Gate::CSWAP => "gate cswap a, b, c { cx c, b; ccx a, b, c; cx c, b; }",
        _ => return None,
    })
}

impl Circuit {
    /// The circuit as an OpenQASM 3 program, with qubit `i` as `q[i]`.
    ///
    /// Inputs and weights become parameters, `input float[64] x_0;` and `w_0`. Added controls
    /// become `ctrl(n) @`. Constant angles are written with all their digits, so that
    /// [`from_qasm`](Self::from_qasm) gives the same circuit back; only a `U` with added controls
    /// comes back as `CU`, whose phase does not depend on the reader's definition of `U`.
    ///
    /// ```
    /// use burn_quantum::circuit::{Angle, Circuit};
    ///
    /// let mut circuit = Circuit::new(2);
    /// circuit.h(0).cnot(0, 1).ry(Angle::Weight(0), 1);
    /// let program = circuit.to_qasm3();
    /// assert!(program.ends_with("h q[0];\ncx q[0], q[1];\nry(w_0) q[1];\n"));
    /// assert_eq!(Circuit::from_qasm(&program)?, circuit);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn to_qasm3(&self) -> String {
        self.qasm3(false)
    }

    /// As [`to_qasm3`](Self::to_qasm3), with every qubit measured at the end, qubit `i` into `c[i]`:
    /// what services of devices take.
    ///
    /// A device that runs nothing but its own gates, as IBM's do, wants the circuit
    /// [decomposed](Self::decomposed) into them first.
    ///
    /// ```
    /// use burn_quantum::circuit::Circuit;
    ///
    /// let mut circuit = Circuit::new(1);
    /// let program = circuit.x(0).to_measured_qasm3();
    /// assert!(program.ends_with("qubit[1] q;\nbit[1] c;\nx q[0];\nc[0] = measure q[0];\n"));
    /// assert_eq!(Circuit::from_qasm(&program)?, circuit);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn to_measured_qasm3(&self) -> String {
        self.qasm3(true)
    }

    fn qasm3(&self, measured: bool) -> String {
        let mut text = "OPENQASM 3.0;\ninclude \"stdgates.inc\";\n".to_owned();
        text.extend(definitions(self.operations.iter().map(Operation::gate), Version::V3));
        let angles = self.operations.iter().flat_map(Operation::angles);
        let mut free: Vec<String> = angles.filter(|a| is_free(a)).map(angle).collect();
        free.sort_by_key(|name| (name.as_bytes()[0], name.len(), name.clone()));
        free.dedup();
        text.extend(free.iter().map(|name| format!("input float[64] {name};\n")));
        if self.n_qubits > 0 {
            writeln!(text, "qubit[{}] q;", self.n_qubits).expect("strings take any text");
        }
        if measured && self.n_qubits > 0 {
            writeln!(text, "bit[{}] c;", self.n_qubits).expect("strings take any text");
        }
        text.extend(lines(self.operations.iter().map(statement)));
        let measured = if measured { 0..self.n_qubits } else { 0..0 };
        text.extend(lines(measured.map(|q| format!("c[{q}] = measure q[{q}];"))));
        text
    }

    /// The circuit as an OpenQASM 2.0 program, with qubit `i` as `q[i]`.
    ///
    /// Equal to the circuit up to a global phase. A gate with added controls is written under the
    /// name that it has with them (`X` with two controls as `ccx`), and comes back as that gate.
    ///
    /// # Errors
    ///
    /// When an angle is an input or a weight, because version 2 has no parameters, or when no gate
    /// of version 2 has that many controls.
    ///
    /// ```
    /// use burn_quantum::circuit::{Angle, Circuit};
    ///
    /// let mut circuit = Circuit::new(1);
    /// circuit.ry(Angle::Input(0), 0);
    /// assert!(circuit.to_qasm2().is_err());
    /// assert!(circuit.bind(&[0.5], &[])?.to_qasm2()?.ends_with("ry(0.5) q[0];\n"));
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn to_qasm2(&self) -> Result<String, Error> {
        let mut text = "OPENQASM 2.0;\ninclude \"qelib1.inc\";\n".to_owned();
        let named = self.operations.iter().map(named2).collect::<Result<Vec<_>, _>>()?;
        text.extend(definitions(named.iter().copied(), Version::V2));
        if self.n_qubits > 0 {
            writeln!(text, "qreg q[{}];", self.n_qubits).expect("strings take any text");
        }
        let pairs = named.iter().zip(&self.operations);
        text.extend(lines(pairs.map(|(gate, operation)| statement2(*gate, operation))));
        Ok(text)
    }
}

/// Of the gates used, each once, in the order of the table.
fn definitions(used: impl Iterator<Item = Gate>, version: Version) -> impl Iterator<Item = String> {
    let used: HashSet<Gate> = used.collect();
    let gates = Gate::all().filter(move |gate| used.contains(gate));
    lines(gates.filter_map(move |gate| definition(gate, version)))
}

fn lines(lines: impl Iterator<Item = impl AsRef<str>>) -> impl Iterator<Item = String> {
    lines.map(|line| line.as_ref().to_owned() + "\n")
}

/// `name(angles) qubits;`
pub(super) fn call(name: &str, angles: &[String], qubits: &[usize]) -> String {
    let angles = if angles.is_empty() { String::new() } else { format!("({})", angles.join(", ")) };
    let qubits: Vec<String> = qubits.iter().map(|q| format!("q[{q}]")).collect();
    format!("{name}{angles} {};", qubits.join(", "))
}

fn is_free(angle: &Angle) -> bool {
    !matches!(angle, Angle::Constant(_))
}

fn angle(angle: &Angle) -> String {
    match *angle {
        Angle::Constant(value) => number(value),
        Angle::Input(i) => format!("x_{i}"),
        Angle::Weight(i) => format!("w_{i}"),
    }
}

/// The shortest digits that read back as the same number. Version 2 wants a point before an
/// exponent.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:?}");
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => text,
    }
}

/// In version 3.
fn statement(operation: &Operation) -> String {
    let mut angles: Vec<String> = operation.angles().iter().map(angle).collect();
    let own = operation.gate().info().n_controls;
    let (own, added) = operation.controls().split_at(own);
    let (name, n_added) = match operation.gate() {
        Gate::U if !added.is_empty() => ("cu", added.len() - 1),
        Gate::CU => ("cu", added.len()),
        Gate::SXdg => ("inv @ sx", added.len()),
        gate => (gate.info().qasm, added.len()),
    };
    if name == "cu" {
        angles.push("0".into());
    }
    let control = match n_added {
        0 => "".into(),
        1 => "ctrl @ ".into(),
        n => format!("ctrl({n}) @ "),
    };
    control + &call(name, &angles, &[added, own, operation.targets()].concat())
}

/// The gate that has all controls of the operation as its own, which is how version 2 names it.
fn named2(operation: &Operation) -> Result<Gate, Error> {
    let (name, n_controls) = (operation.gate().info().name, operation.controls().len());
    if let Some(free) = operation.angles().iter().find(|a| is_free(a)) {
        return Err(not_expressible(QASM2, *free));
    }
    operation.gate().with_n_controls(n_controls).ok_or_else(|| {
        let what = format!("{name} with {n_controls} controls in all");
        ErrorKind::NotExpressible { language: QASM2.into(), what, remedy: "use `to_qasm3`" }.into()
    })
}

fn statement2(gate: Gate, operation: &Operation) -> String {
    let name = match gate {
        Gate::P => "u1",
        Gate::U => "u3",
        Gate::CP => "cu1",
        gate => gate.info().qasm,
    };
    let angles: Vec<String> = operation.angles().iter().map(angle).collect();
    let qubits: Vec<usize> = operation.qubits().collect();
    call(name, &angles, &qubits)
}
