//! A circuit compiled to passes over the state.
//!
//! Gate by gate, a circuit of `m` operations walks `m` times over its amplitudes. Here operations
//! are collected, as long as they commute into place, in segments of three stages:
//!
//! 1. at most one 2 by 2 matrix for each qubit, the product of a run of one-qubit gates;
//! 2. one diagonal, `exp(-i phi)`, with `phi` a polynomial in the `Z`s: RZ, RZZ, P, CZ, ...;
//! 3. one map of basis states: CNOT, X, SWAP.
//!
//! Stages 2 and 3 are one pass. A first stage 1 acts on `|0...0>` and costs no pass at all: it is
//! the product state with which the run starts. What fits nowhere runs gate by gate.

use super::affine::Affine;
use super::program::{Instruction, Kernel};
use crate::circuit::{Angle, Pauli};
use num_complex::Complex64;
use std::collections::BTreeMap;

/// The largest projector that is expanded into products of `Z`: `2^k` terms for `k` qubits.
const MAX_PROJECTOR: u32 = 3;

#[derive(Debug, Clone)]
pub(super) enum Pass {
    Qubits(Vec<Run>),
    Diagonal(Diagonal),
    Gate(Instruction),
}

/// The gates of one qubit, first to last.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub target: usize,
    pub gates: Vec<RunGate>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum RunGate {
    Fixed([Complex64; 4]),
    Rotation(Pauli, Angle),
    Phase(Angle),
}

/// `exp(-i sum_t scale_t angle_t Z_{mask_t})`, then the map of basis states.
#[derive(Debug, Clone)]
pub(super) struct Diagonal {
    pub terms: Vec<Term>,
    /// Nothing for the identity.
    pub map: Option<Affine>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    pub mask: usize,
    pub scale: f64,
    pub angle: Angle,
    /// The qubit of a gate on one qubit, 0 of others.
    owner: usize,
}

impl Run {
    /// Whether the product is a real matrix, whatever the angles.
    pub fn is_real(&self) -> bool {
        self.gates.iter().all(|gate| match gate {
            RunGate::Fixed(m) => m.iter().all(|z| z.im == 0.0),
            RunGate::Rotation(pauli, _) => *pauli == Pauli::Y,
            RunGate::Phase(_) => false,
        })
    }

    /// Whether the product is the same for all samples.
    pub fn is_shared(&self) -> bool {
        self.gates.iter().all(|gate| match gate {
            RunGate::Fixed(_) => true,
            RunGate::Rotation(_, angle) | RunGate::Phase(angle) => is_shared(angle),
        })
    }

    /// Whether an angle is free.
    pub fn is_free(&self) -> bool {
        self.gates.iter().any(|gate| match gate {
            RunGate::Fixed(_) => false,
            RunGate::Rotation(_, angle) | RunGate::Phase(angle) => is_free(angle),
        })
    }
}

impl Diagonal {
    pub fn is_shared(&self) -> bool {
        self.terms.iter().all(|term| is_shared(&term.angle))
    }

    pub fn is_free(&self) -> bool {
        self.terms.iter().any(|term| is_free(&term.angle))
    }
}

pub(super) fn is_shared(angle: &Angle) -> bool {
    !matches!(angle, Angle::Input(_))
}

pub(super) fn is_free(angle: &Angle) -> bool {
    !matches!(angle, Angle::Constant(_))
}

/// The passes of a circuit.
pub(super) fn plan(n_qubits: usize, instructions: &[Instruction]) -> Vec<Pass> {
    let mut planner = Planner { n_qubits, segment: Segment::default(), passes: Vec::new() };
    instructions.iter().for_each(|instruction| planner.add(instruction));
    planner.flush();
    planner.passes
}

#[derive(Default)]
struct Segment {
    runs: BTreeMap<usize, Vec<RunGate>>,
    terms: Vec<Term>,
    /// The gates behind the terms that act on one qubit, so that they can move into its run.
    local: BTreeMap<usize, Vec<RunGate>>,
    /// Qubits of terms on several qubits.
    entangled: usize,
    map: Option<Affine>,
    /// Qubits that the map reads or writes.
    mapped: usize,
}

struct Planner {
    n_qubits: usize,
    segment: Segment,
    passes: Vec<Pass>,
}

impl Planner {
    fn add(&mut self, instruction: &Instruction) {
        let controls = instruction.controls;
        match instruction.kernel {
            Kernel::Flip { target } if controls == 0 && self.segment.mapped & target == 0 => {
                let (o, l) = (Complex64::ZERO, Complex64::ONE);
                self.local_gate(target, RunGate::Fixed([o, l, l, o]));
            }
            Kernel::Flip { target } if controls == 0 => self.map(target).flip(target),
            Kernel::Flip { target } if controls.count_ones() == 1 => {
                self.map(controls | target).cnot(controls, target);
            }
            Kernel::Swap { a, b } if controls == 0 => self.map(a | b).swap(a, b),
            Kernel::Matrix { target, entries } if controls == 0 => {
                self.local_gate(target, RunGate::Fixed(entries));
            }
            // exp(i angle Pi), Pi = prod (1 - Z) / 2
            Kernel::Phase { mask, angle } if mask.count_ones() <= MAX_PROJECTOR => {
                let scale = -(0.5f64.powi(mask.count_ones() as i32));
                let gate = (mask.count_ones() == 1).then_some(RunGate::Phase(angle));
                let signed =
                    |s: usize| (s, if s.count_ones().is_multiple_of(2) { scale } else { -scale });
                self.diagonal(mask, gate, angle, subsets(mask).map(signed).collect());
            }
            // exp(-i angle/2 Z), where the controls are 1
            Kernel::Rotation { string, angle }
                if string.is_diagonal() && controls.count_ones() < MAX_PROJECTOR =>
            {
                let scale = 0.5f64.powi(1 + controls.count_ones() as i32);
                let local = controls == 0 && string.z.count_ones() == 1;
                let gate = local.then_some(RunGate::Rotation(Pauli::Z, angle));
                let sign = |s: usize| if s.count_ones().is_multiple_of(2) { scale } else { -scale };
                let terms = subsets(controls).map(|s| (s ^ string.z, sign(s))).collect();
                self.diagonal(controls | string.z, gate, angle, terms);
            }
            Kernel::Rotation { string, angle }
                if controls == 0 && string.x.count_ones() == 1 && string.z & !string.x == 0 =>
            {
                let pauli = if string.z == 0 { Pauli::X } else { Pauli::Y };
                self.local_gate(string.x, RunGate::Rotation(pauli, angle));
            }
            _ => {
                self.flush();
                self.passes.push(Pass::Gate(*instruction));
            }
        }
    }

    /// A gate on one qubit joins its run, together with the phases that came before it.
    fn local_gate(&mut self, target: usize, gate: RunGate) {
        if (self.segment.mapped | self.segment.entangled) & target != 0 {
            self.flush();
        }
        let phases = self.segment.local.remove(&target).unwrap_or_default();
        self.segment.terms.retain(|term| term.owner != target);
        let run = self.segment.runs.entry(target).or_default();
        run.extend(phases);
        run.push(gate);
    }

    fn diagonal(
        &mut self,
        qubits: usize,
        gate: Option<RunGate>,
        angle: Angle,
        terms: Vec<(usize, f64)>,
    ) {
        if self.segment.mapped & qubits != 0 {
            self.flush();
        }
        let owner = if gate.is_some() { qubits } else { 0 };
        match gate {
            Some(gate) => self.segment.local.entry(qubits).or_default().push(gate),
            None => self.segment.entangled |= qubits,
        }
        let term = |(mask, scale)| Term { mask, scale, angle, owner };
        self.segment.terms.extend(terms.into_iter().map(term));
    }

    fn map(&mut self, qubits: usize) -> &mut Affine {
        self.segment.mapped |= qubits;
        self.segment.map.get_or_insert_with(|| Affine::identity(self.n_qubits))
    }

    fn flush(&mut self) {
        let segment = std::mem::take(&mut self.segment);
        if !segment.runs.is_empty() {
            let runs = segment.runs.into_iter().map(|(target, gates)| Run { target, gates });
            self.passes.push(Pass::Qubits(runs.collect()));
        }
        let map = segment.map.filter(|map| !map.is_identity());
        if !segment.terms.is_empty() || map.is_some() {
            self.passes.push(Pass::Diagonal(Diagonal { terms: segment.terms, map }));
        }
    }
}

/// All subsets of the bits of `mask`, the empty one included.
fn subsets(mask: usize) -> impl Iterator<Item = usize> {
    let mut next = Some(0usize);
    std::iter::from_fn(move || {
        let current = next?;
        let following = (current | !mask).wrapping_add(1) & mask;
        next = (following != 0).then_some(following);
        Some(current)
    })
}

#[cfg(test)]
mod tests {
    use crate::circuit::{Angle, Circuit, ansatz};
    use crate::statevector::Program;

    fn passes(circuit: &Circuit) -> usize {
        Program::new(circuit, &[]).unwrap().n_passes()
    }

    #[test]
    fn a_layer_of_the_hardware_efficient_ansatz_is_two_passes() {
        let mut circuit = Circuit::new(5);
        (0..5).for_each(|q| {
            circuit.h(q).ry(Angle::Input(q), q);
        });
        assert_eq!(passes(&circuit), 1);
        circuit.append(&ansatz::hardware_efficient(5, 4)).unwrap();
        assert_eq!(passes(&circuit), 8, "the first layer's RY joins the product state");
    }

    #[test]
    fn gates_on_one_qubit_are_one_matrix() {
        let mut circuit = Circuit::new(2);
        circuit.rz(0.1, 0).rx(0.2, 0).rz(0.3, 0).h(0).ry(0.4, 0).x(1);
        assert_eq!(passes(&circuit), 1);
    }
}
