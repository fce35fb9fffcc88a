//! Any circuit from gates that every device knows.
//!
//! Controls are taken apart by parities. `exp(-i theta/2 Z_t)` where all of `k` controls are 1 is
//! the product of `exp(-i (+-theta) / 2^(k+1) Z_t Z_S)` over the subsets `S` of the controls, with
//! the sign `(-1)^|S|`, because `prod_c (1 - Z_c) / 2` is the projector onto ones. In the order of a
//! Gray code one CNOT leads from each subset to the next.

use super::gate::Action;
use super::sampler::not_expressible;
use super::{Circuit, Gate, Operation, Pauli};
use crate::error::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

/// The largest number of controls that are taken apart, into about `2^(n + 1)` rotations.
const MAX_CONTROLS: usize = 12;

/// A set of gates of which any circuit can be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateSet {
    /// `X Y Z H S Sdg T Tdg RX RY RZ CNOT`: gates that services take, whatever their device has.
    Common,
    /// `X SX RZ CZ`, the basis of IBM's Heron processors, which take nothing else.
    Heron,
}

impl Circuit {
    /// The same circuit, up to a global phase, of the gates of a set.
    ///
    /// The rules are exact. A gate with `n` controls takes `O(2^n)` gates and no further qubit.
    /// Nothing is optimised, and qubits need not be neighbours on the device.
    ///
    /// # Errors
    ///
    /// When an angle is an input or a weight, for controls take parts of angles, or a gate has more
    /// than 12 controls.
    ///
    /// # References
    ///
    /// - [Barenco et al. (1995)](https://arxiv.org/abs/quant-ph/9503016), section 7.1, the same sum
    ///   over subsets of the controls
    ///
    /// ```
    /// use burn_quantum::circuit::{Circuit, GateSet};
    ///
    /// let mut circuit = Circuit::new(2);
    /// circuit.cz(0, 1);
    /// let common = circuit.decomposed(GateSet::Common)?;
    /// assert_eq!(&common, Circuit::new(2).h(1).cnot(0, 1).h(1));
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn decomposed(&self, set: GateSet) -> Result<Circuit, Error> {
        if let Some(free) = self.free_angle() {
            return Err(not_expressible("a decomposition", free));
        }
        let mut common = Circuit::new(self.n_qubits());
        for operation in self.operations() {
            check_controls(operation)?;
            common.take_apart(operation);
        }
        Ok(match set {
            GateSet::Common => common,
            GateSet::Heron => heron(&common),
        })
    }

    fn take_apart(&mut self, operation: &Operation) {
        let (controls, targets) = (operation.controls(), operation.targets());
        let (gate, target) = (operation.gate(), targets[0]);
        let angle = |k: usize| operation.angles()[k].resolve(&[], &[]);
        match gate.info().action {
            Action::Identity => {}
            Action::Flip => self.flip(controls, target),
            Action::FixedPhase(_) if controls.is_empty() => {
                self.gate(gate, &[target], &[]);
            }
            Action::FixedPhase(value) => self.phase(controls, target, value),
            Action::Phase => self.phase(controls, target, angle(0)),
            Action::Rotation(paulis) => self.rotation(controls, targets, paulis, angle(0)),
            Action::Swap => {
                let (a, b) = (targets[0], targets[1]);
                self.cnot(b, a).flip(&[controls, &[a]].concat(), b);
                self.cnot(b, a);
            }
            Action::Matrix(_) => self.matrix(gate, controls, target),
            // U(theta, phi, lambda) = P(phi) RY(theta) P(lambda)
            Action::Euler => {
                self.phase(controls, target, angle(2));
                self.rotation(controls, targets, &[Pauli::Y], angle(0));
                self.phase(controls, target, angle(1));
            }
        }
    }

    fn flip(&mut self, controls: &[usize], target: usize) {
        match *controls {
            [] => {
                self.x(target);
            }
            [control] => {
                self.cnot(control, target);
            }
            _ => {
                self.h(target).phase(controls, target, PI);
                self.h(target);
            }
        }
    }

    /// `exp(i phase)` where the controls and the target are 1: where the controls are, `RZ(phase)`
    /// on the target and half the phase.
    fn phase(&mut self, controls: &[usize], target: usize, phase: f64) {
        if let ([control], PI) = (controls, phase) {
            self.h(target).cnot(*control, target).h(target);
            return;
        }
        self.controlled_rz(controls, target, phase);
        if let Some((&last, rest)) = controls.split_last() {
            self.phase(rest, last, phase / 2.0);
        }
    }

    /// See the head of this file.
    fn controlled_rz(&mut self, controls: &[usize], target: usize, theta: f64) {
        let n_subsets = 1usize << controls.len();
        let part = theta / n_subsets as f64;
        for k in 0..n_subsets {
            let is_odd = (k ^ k >> 1).count_ones() % 2 == 1;
            self.rz(if is_odd { -part } else { part }, target);
            // From one word of the Gray code to the next, and from the last to the first.
            if let Some(last) = controls.len().checked_sub(1) {
                self.cnot(controls[((k + 1).trailing_zeros() as usize).min(last)], target);
            }
        }
    }

    /// A rotation about a product of Pauli matrices: each turned onto Z, and their parity collected
    /// on the last target.
    fn rotation(&mut self, controls: &[usize], targets: &[usize], paulis: &[Pauli], theta: f64) {
        if let ([], [target], [pauli]) = (controls, targets, paulis) {
            let gate = [Gate::RX, Gate::RY, Gate::RZ][*pauli as usize];
            self.gate(gate, &[*target], &[theta.into()]);
            return;
        }
        let Some((&last, rest)) = targets.split_last() else { return };
        self.turn(targets, paulis, 1.0);
        self.collect_parity(rest, last);
        self.controlled_rz(controls, last, theta);
        self.collect_parity(rest, last);
        self.turn(targets, paulis, -1.0);
    }

    fn collect_parity(&mut self, qubits: &[usize], last: usize) {
        for &qubit in qubits {
            self.cnot(qubit, last);
        }
    }

    /// The axis of each target onto Z, or (with the sign -1) back.
    fn turn(&mut self, targets: &[usize], paulis: &[Pauli], sign: f64) {
        for (&target, pauli) in targets.iter().zip(paulis) {
            match pauli {
                Pauli::X => self.h(target),
                Pauli::Y => self.rx(sign * FRAC_PI_2, target),
                Pauli::Z => continue,
            };
        }
    }

    fn matrix(&mut self, gate: Gate, controls: &[usize], target: usize) {
        match (gate.with_n_controls(0), controls) {
            (Some(gate @ (Gate::Y | Gate::H)), []) => {
                self.gate(gate, &[target], &[]);
            }
            (Some(Gate::SX), []) => {
                self.rx(FRAC_PI_2, target);
            }
            (Some(Gate::SXdg), []) => {
                self.rx(-FRAC_PI_2, target);
            }
            (Some(Gate::Y), _) => {
                self.gate(Gate::Sdg, &[target], &[]).flip(controls, target);
                self.gate(Gate::S, &[target], &[]);
            }
            // H = RY(pi/4) Z RY(-pi/4)
            (Some(Gate::H), _) => {
                self.ry(-FRAC_PI_4, target).phase(controls, target, PI);
                self.ry(FRAC_PI_4, target);
            }
            (Some(root @ (Gate::SX | Gate::SXdg)), _) => {
                let sign = if root == Gate::SX { 1.0 } else { -1.0 };
                self.h(target).phase(controls, target, sign * FRAC_PI_2);
                self.h(target);
            }
            _ => unreachable!("the table has no other matrix"),
        }
    }

    /// `U(theta, phi, lambda)` up to a global phase, as `RZ(phi + pi) SX RZ(theta + pi) SX
    /// RZ(lambda)`.
    fn euler(&mut self, [theta, phi, lambda]: [f64; 3], q: usize) {
        self.rz(lambda, q).gate(Gate::SX, &[q], &[]).rz(theta + PI, q);
        self.gate(Gate::SX, &[q], &[]).rz(phi + PI, q);
    }

    fn heron_h(&mut self, q: usize) -> &mut Self {
        self.rz(FRAC_PI_2, q).gate(Gate::SX, &[q], &[]).rz(FRAC_PI_2, q)
    }
}

fn check_controls(operation: &Operation) -> Result<(), Error> {
    let given = operation.controls().len();
    if given <= MAX_CONTROLS {
        return Ok(());
    }
    Err(ErrorKind::TooManyVariables {
        given,
        limit: MAX_CONTROLS,
        what: "controls",
        method: "a decomposition without further qubits",
        remedy: "each doubles the number of gates, so collect them on a further qubit",
    }
    .into())
}

/// From the common gates.
fn heron(common: &Circuit) -> Circuit {
    let mut circuit = Circuit::new(common.n_qubits());
    for operation in common.operations() {
        let q = operation.targets()[0];
        let angle = operation.angles().first().map_or(0.0, |angle| angle.resolve(&[], &[]));
        match (operation.gate(), operation.gate().info().action) {
            (Gate::X, _) => {
                circuit.x(q);
            }
            (Gate::Y, _) => {
                circuit.rz(PI, q).x(q);
            }
            (Gate::RX, _) => circuit.euler([angle, -FRAC_PI_2, FRAC_PI_2], q),
            (Gate::RY, _) => circuit.euler([angle, 0.0, 0.0], q),
            (Gate::RZ, _) => {
                circuit.rz(angle, q);
            }
            (Gate::CNOT, _) => {
                circuit.heron_h(q).cz(operation.controls()[0], q).heron_h(q);
            }
            (_, Action::FixedPhase(value)) => {
                circuit.rz(value, q);
            }
            _ => {
                circuit.heron_h(q);
            }
        }
    }
    circuit
}
