//! Circuits in IQM's native gates.

use crate::circuit::Circuit;
use crate::error::Error;
use crate::hardware::native::{Coupling, Euler, Pair, Step, euler, lowered, merged};
use serde_json::{Value, json};
use std::f64::consts::{FRAC_PI_2, TAU};

/// Angles below this are rounding.
const ROUNDING: f64 = 1e-12;

/// `PRX(angle, phase) = exp(-i angle (cos(phase) X + sin(phase) Y) / 2)` on a qubit, or CZ on two.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Instruction {
    Prx { angle: f64, phase: f64, qubit: usize },
    Cz(usize, usize),
}

/// A circuit on the qubits of a device.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Program {
    pub instructions: Vec<Instruction>,
    /// Where the qubits of the circuit are measured.
    pub places: Vec<usize>,
}

/// Turns about Z are never done: they become a phase of all later turns of the qubit, as they commute
/// with CZ and with the measurement at the end.
fn instructions(steps: &[Step], n_qubits: usize) -> Vec<Instruction> {
    let mut frames = vec![0.0; n_qubits];
    let mut out = Vec::with_capacity(steps.len());
    for step in steps {
        match step {
            Step::Pair(a, b) => out.push(Instruction::Cz(*a, *b)),
            Step::Turn(matrix, qubit) => {
                let Euler { theta, phi, lambda, .. } = euler(matrix);
                let frame: &mut f64 = &mut frames[*qubit];
                let before = *frame + lambda;
                // RY(theta) RZ(before) = RZ(before) PRX(theta, pi/2 - before).
                if theta > ROUNDING {
                    let phase = (FRAC_PI_2 - before).rem_euclid(TAU);
                    out.push(Instruction::Prx { angle: theta, phase, qubit: *qubit });
                }
                *frame = phi + before;
            }
        }
    }
    out
}

/// The program of a circuit whose angles are constants.
pub(super) fn program(
    circuit: &Circuit,
    coupling: &Coupling,
    device: &str,
) -> Result<Program, Error> {
    let routed = coupling.route(&lowered(circuit)?, circuit.n_qubits(), device)?;
    let n = coupling.n_qubits();
    // CZ is symmetric, but IQM calls each pair in one order only.
    let steps = merged(Pair::Cz.translated(routed.steps, |_, _| true), n);
    let ordered = |instruction| match instruction {
        Instruction::Cz(a, b) if !coupling.is_pair(a, b) => Instruction::Cz(b, a),
        instruction => instruction,
    };
    let instructions = instructions(&steps, n).into_iter().map(ordered).collect();
    Ok(Program { instructions, places: routed.places })
}

impl Program {
    /// As IQM's service reads it, with the measurement of qubit `k` under the key `k`.
    pub fn to_json(&self, name: &str, qubits: &[String]) -> Value {
        let gate = |instruction: &Instruction| match *instruction {
            Instruction::Prx { angle, phase, qubit } => json!({
                "name": "prx", "locus": [qubits[qubit]], "args": { "angle": angle, "phase": phase },
            }),
            Instruction::Cz(a, b) => {
                json!({ "name": "cz", "locus": [qubits[a], qubits[b]], "args": {} })
            }
        };
        let measure = |(k, &place): (usize, &usize)| {
            let key = k.to_string();
            json!({ "name": "measure", "locus": [qubits[place]], "args": { "key": key } })
        };
        let gates = self.instructions.iter().map(gate);
        let measures = self.places.iter().enumerate().map(measure);
        json!({ "name": name, "instructions": gates.chain(measures).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::native::oracle;
    use num_complex::Complex64;

    fn of(program: &Program, n: usize) -> oracle::Rows {
        program.instructions.iter().fold(oracle::one(n), |all, gate| match *gate {
            Instruction::Prx { angle, phase, qubit } => {
                let (sin, cos) = (angle / 2.0).sin_cos();
                let on = Complex64::new(cos, 0.0);
                let off = |sign: f64| -Complex64::I * sin * Complex64::cis(sign * phase);
                oracle::then(&all, &[on, off(-1.0), off(1.0), on], &[qubit])
            }
            Instruction::Cz(a, b) => {
                let mut cz = [Complex64::ZERO; 16];
                [0, 5, 10].into_iter().for_each(|k| cz[k] = Complex64::ONE);
                cz[15] = -Complex64::ONE;
                oracle::then(&all, &cz, &[a, b])
            }
        })
    }

    /// Up to turns about Z at the end, which no measurement sees: so each row has a phase of its own.
    #[test]
    fn the_whole_table_is_the_same_in_iqms_gates() {
        for circuit in oracle::whole_table() {
            let n = circuit.n_qubits();
            let mut turned = circuit.clone();
            for q in 0..n {
                turned.ry(0.9 + 0.3 * q as f64, q).rz(0.4, q).rx(1.1 - 0.2 * q as f64, q);
            }
            let pairs = (0..n).flat_map(|a| (0..a).map(move |b| (a, b)));
            let program = program(&turned, &Coupling::new(n, pairs), "").unwrap();
            let (found, exact) = (of(&program, n), oracle::of_circuit(&turned));
            let moved = |i: usize| -> usize {
                program.places.iter().enumerate().map(|(k, place)| (i >> k & 1) << place).sum()
            };
            for (i, row) in exact.iter().enumerate() {
                let found: Vec<Complex64> =
                    (0..row.len()).map(|j| found[moved(i)][moved(j)]).collect();
                let pairs = || found.iter().zip(row);
                let overlap: Complex64 = pairs().map(|(a, b)| a.conj() * b).sum();
                let is_same = |(a, b): (&Complex64, &Complex64)| (a * overlap - b).norm() < 1e-9;
                assert!(pairs().all(is_same), "{circuit:?}\n{program:?}");
            }
        }
    }

    #[test]
    fn a_bell_pair_is_three_turns_and_one_cz() {
        let mut bell = Circuit::new(2);
        bell.h(0).cnot(0, 1).rz(0.3, 1);
        let program = program(&bell, &Coupling::new(2, [(1, 0)]), "").unwrap();
        assert_eq!(program.instructions.len(), 4, "{program:?}");
        let pairs = program.instructions.iter().filter(|i| **i == Instruction::Cz(1, 0)).count();
        assert_eq!(pairs, 1);
    }
}
