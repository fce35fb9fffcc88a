//! Circuits in the gates of devices: any circuit as turns of single qubits and one gate on pairs.
//!
//! Everything is exact up to a global phase. There is no optimiser: turns that follow each other on
//! a qubit are made one, and that is all.

mod controlled;
mod matrix;
mod pair;
mod route;

pub(super) use matrix::{Euler, euler};
pub(super) use pair::Pair;
pub(super) use route::Coupling;

use crate::circuit::{Action, Circuit, Operation, Pauli};
use crate::error::Error;
use matrix::{H, Matrix, is_trivial, product, rx};

/// A step on a device.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// A unitary matrix on one qubit, row-major.
    Turn(Matrix, usize),
    /// The gate on pairs: a CNOT of these control and target, until it is translated.
    Pair(usize, usize),
}

/// A circuit whose angles are constants, as turns and CNOTs.
///
/// # Errors
///
/// When a gate has too many controls.
pub(super) fn lowered(circuit: &Circuit) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    for operation in circuit.operations() {
        steps.extend(lowered_operation(operation)?);
    }
    Ok(steps)
}

/// The same of one operation.
pub(super) fn lowered_operation(operation: &Operation) -> Result<Vec<Step>, Error> {
    let info = operation.gate().info();
    let angles: Vec<f64> = operation.angles().iter().map(|a| a.resolve(&[], &[])).collect();
    let (controls, targets) = (operation.controls(), operation.targets());
    let mut steps = Vec::new();
    match info.action {
        Action::Identity => {}
        Action::Swap => {
            let (a, b) = (targets[0], targets[1]);
            steps.push(Step::Pair(b, a));
            controlled::push(&mut steps, &matrix::X, &[controls, &[a]].concat(), b)?;
            steps.push(Step::Pair(b, a));
        }
        Action::Rotation(&[p, q]) => {
            let bases = [(p, targets[0]), (q, targets[1])].map(|(p, target)| (to_z(p), target));
            steps.extend(bases.iter().map(|&(basis, target)| Step::Turn(basis, target)));
            steps.push(Step::Pair(targets[0], targets[1]));
            controlled::push(&mut steps, &matrix::rz(angles[0]), controls, targets[1])?;
            steps.push(Step::Pair(targets[0], targets[1]));
            let back = bases.iter().map(|(basis, target)| (matrix::adjoint(basis), *target));
            steps.extend(back.map(|(basis, target)| Step::Turn(basis, target)));
        }
        _ => {
            let matrix: Matrix = std::array::from_fn({
                let entries = info.target_matrix(&angles);
                move |k| entries[k]
            });
            controlled::push(&mut steps, &matrix, controls, targets[0])?;
        }
    }
    Ok(steps)
}

/// `B` such that `B P B^-1 = Z`.
fn to_z(pauli: Pauli) -> Matrix {
    match pauli {
        Pauli::X => H,
        Pauli::Y => rx(std::f64::consts::FRAC_PI_2),
        Pauli::Z => matrix::ONE,
    }
}

/// Makes turns that follow each other on a qubit one, and drops those that do nothing.
pub(super) fn merged(steps: Vec<Step>, n_qubits: usize) -> Vec<Step> {
    let mut waiting: Vec<Option<Matrix>> = vec![None; n_qubits];
    let mut out = Vec::with_capacity(steps.len());
    let flush = |out: &mut Vec<Step>, waiting: &mut Option<Matrix>, qubit: usize| {
        if let Some(matrix) = waiting.take().filter(|matrix| !is_trivial(matrix)) {
            out.push(Step::Turn(matrix, qubit));
        }
    };
    for step in steps {
        match step {
            Step::Turn(matrix, qubit) => {
                let before = waiting[qubit].take();
                waiting[qubit] = Some(before.map_or(matrix, |before| product(&matrix, &before)));
            }
            Step::Pair(a, b) => {
                [a, b].into_iter().for_each(|q| flush(&mut out, &mut waiting[q], q));
                out.push(Step::Pair(a, b));
            }
        }
    }
    (0..n_qubits).for_each(|q| flush(&mut out, &mut waiting[q], q));
    out
}

/// What the gates of a device do, for comparisons: rows of a matrix on all qubits.
#[cfg(test)]
pub(super) mod oracle {
    use super::*;
    use num_complex::Complex64;

    pub type Rows = Vec<Vec<Complex64>>;

    pub fn one(n: usize) -> Rows {
        let unit = |i: usize, j: usize| Complex64::new((i == j) as u8 as f64, 0.0);
        (0..1 << n).map(|i| (0..1 << n).map(|j| unit(i, j)).collect()).collect()
    }

    /// What follows is a small matrix on these qubits, the first the least significant bit of its
    /// index.
    pub fn then(rows: &Rows, small: &[Complex64], qubits: &[usize]) -> Rows {
        let local =
            |i: usize| -> usize { qubits.iter().enumerate().map(|(k, q)| (i >> q & 1) << k).sum() };
        let mask: usize = qubits.iter().map(|q| 1 << q).sum();
        let width = 1 << qubits.len();
        let spread = |k: usize| -> usize {
            qubits.iter().enumerate().map(|(bit, q)| (k >> bit & 1) << q).sum()
        };
        let row = |i: usize| -> Vec<Complex64> {
            let entry = |k: usize| (small[local(i) * width + k], &rows[i & !mask | spread(k)]);
            let parts: Vec<_> = (0..width).map(entry).collect();
            (0..rows.len()).map(|j| parts.iter().map(|(z, row)| z * row[j]).sum()).collect()
        };
        (0..rows.len()).map(row).collect()
    }

    /// By the definitions of the gates.
    pub fn of_circuit(circuit: &Circuit) -> Rows {
        circuit.operations().iter().fold(one(circuit.n_qubits()), |all, operation| {
            let angles: Vec<f64> = operation.angles().iter().map(|a| a.resolve(&[], &[])).collect();
            let on_targets = operation.gate().info().target_matrix(&angles);
            let (width, n_controls) = (1 << operation.targets().len(), operation.controls().len());
            let (dim, active) = (width << n_controls, (width << n_controls) - width);
            let entry = |(i, j): (usize, usize)| match i >= active && j >= active {
                true => on_targets[(i - active) * width + j - active],
                false => Complex64::new((i == j) as u8 as f64, 0.0),
            };
            let small: Vec<Complex64> = (0..dim * dim).map(|k| entry((k / dim, k % dim))).collect();
            then(&all, &small, &[operation.targets(), operation.controls()].concat())
        })
    }

    /// Steps whose gate on pairs is this matrix.
    pub fn of_steps(steps: &[Step], pair: &[Complex64; 16], n: usize) -> Rows {
        steps.iter().fold(one(n), |all, step| match step {
            Step::Turn(matrix, qubit) => then(&all, matrix, &[*qubit]),
            Step::Pair(a, b) => then(&all, pair, &[*a, *b]),
        })
    }

    /// Whether they are equal up to a phase.
    pub fn agree(a: &Rows, b: &Rows) -> bool {
        let pairs = || a.iter().flatten().zip(b.iter().flatten());
        let overlap: Complex64 = pairs().map(|(a, b)| a.conj() * b).sum();
        let phase = overlap / overlap.norm();
        pairs().all(|(a, b)| (a * phase - b).norm() < 1e-9)
    }

    /// CNOT, the first qubit its control.
    pub fn cnot() -> [Complex64; 16] {
        let ones = [0, 7, 10, 13];
        std::array::from_fn(|k| Complex64::new(ones.contains(&k) as u8 as f64, 0.0))
    }

    /// Each gate of the table, as it is and with up to two controls more, on qubits in another
    /// order, with angles that are in no way special and with some that are.
    pub fn whole_table() -> Vec<Circuit> {
        use crate::circuit::{Angle, Gate, Operation};
        use std::f64::consts::PI;
        let mut circuits = Vec::new();
        for gate in Gate::all() {
            let info = gate.info();
            for angles in [[0.7, -1.3, 2.1], [PI, PI / 2.0, 0.0], [0.0; 3], [-PI / 2.0, PI, PI]] {
                for added in 0..3usize {
                    let n = info.n_qubits() + added;
                    let qubits: Vec<usize> = (0..n).map(|k| (k + 1) % n).rev().collect();
                    let angles = angles[..info.n_angles].iter().map(|&a| Angle::Constant(a));
                    let angles: Vec<Angle> = angles.collect();
                    let (own, added) = qubits.split_at(info.n_qubits());
                    let operation = Operation::new(gate, own, &angles).unwrap();
                    let mut circuit = Circuit::new(n);
                    circuit.push(operation.with_controls(added).unwrap()).unwrap();
                    circuits.push(circuit);
                }
            }
        }
        circuits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::Gate;
    use crate::statevector::dense;

    #[test]
    fn the_whole_table_is_lowered_to_the_same_matrices() {
        let circuits = oracle::whole_table();
        assert_eq!(circuits.len(), 12 * Gate::all().count());
        for circuit in circuits {
            let n = circuit.n_qubits();
            let steps = lowered(&circuit).unwrap();
            let exact = oracle::of_circuit(&circuit);
            assert!(
                oracle::agree(&oracle::of_steps(&steps, &oracle::cnot(), n), &exact),
                "{circuit:?}"
            );
            let merged = merged(steps, n);
            assert!(
                oracle::agree(&oracle::of_steps(&merged, &oracle::cnot(), n), &exact),
                "{circuit:?}"
            );
        }
    }

    #[test]
    fn many_controls_are_lowered_up_to_a_limit() {
        let controlled = |k: usize| {
            let mut circuit = Circuit::new(k + 1);
            let controls: Vec<usize> = (1..=k).collect();
            let operation = Operation::new(Gate::RY, &[0], &[0.7.into()]).unwrap();
            circuit.push(operation.with_controls(&controls).unwrap()).unwrap();
            circuit
        };
        for k in 3..=5 {
            let circuit = controlled(k);
            let steps = lowered(&circuit).unwrap();
            let found = oracle::of_steps(&steps, &oracle::cnot(), k + 1);
            assert!(oracle::agree(&found, &oracle::of_circuit(&circuit)), "{k}");
        }
        assert!(lowered(&controlled(8)).is_ok());
        let error = lowered(&controlled(9)).unwrap_err().to_string();
        assert!(error.contains("9 controls") && error.contains("ancillas"), "{error}");
    }

    /// The oracle of this module against that of the crate.
    #[test]
    fn matrices_of_circuits_are_those_of_the_dense_simulation() {
        for circuit in oracle::whole_table() {
            let n = circuit.n_qubits();
            let found = oracle::of_circuit(&circuit);
            let exact = dense::matrix(&circuit.operations()[0], n);
            let pairs = found.iter().flatten().zip(exact.iter().flatten());
            assert!(pairs.into_iter().all(|(a, b)| (a - b).norm() < 1e-14), "{circuit:?}");
        }
    }

    #[test]
    fn turns_are_merged_and_those_without_effect_dropped() {
        let mut circuit = Circuit::new(2);
        circuit.h(0).h(0).rx(0.3, 1).rx(0.4, 1).cnot(0, 1).x(0).rz(0.1, 0);
        let steps = merged(lowered(&circuit).unwrap(), 2);
        assert_eq!(steps.len(), 3, "{steps:?}");
        assert!(matches!(steps[1], Step::Pair(0, 1)), "{steps:?}");
    }
}
