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

use super::program::{Instruction, Kernel};
use super::walsh;
use crate::circuit::{Angle, Pauli};
use num_complex::Complex64;
use std::collections::BTreeMap;

/// Larger states go gate by gate: the tables of a plan would rival them in size.
pub(super) const MAX_PLANNED: usize = 12;

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

/// `exp(-i sum_t scale_t angle_t Z_{mask_t})`, then `new[f(j)] = old[j]`.
#[derive(Debug, Clone)]
pub(super) struct Diagonal {
    pub terms: Vec<Term>,
    /// Whether every mask has at most one bit.
    pub singles: bool,
    pub cycles: Cycles,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    pub mask: usize,
    pub scale: f64,
    pub angle: Angle,
    /// The qubit of a gate on one qubit, 0 of others.
    owner: usize,
}

/// The cycles of a permutation longer than one, each written in the order in which amplitudes are
/// fetched: the first place of a cycle receives what stood in the second.
#[derive(Debug, Clone, Default)]
pub(super) struct Cycles {
    pub places: Vec<u32>,
    /// Where each cycle ends in `places`.
    pub ends: Vec<u32>,
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

fn is_shared(angle: &Angle) -> bool {
    !matches!(angle, Angle::Input(_))
}

fn is_free(angle: &Angle) -> bool {
    !matches!(angle, Angle::Constant(_))
}

/// The passes of a circuit on at most [`MAX_PLANNED`] qubits.
pub(super) fn plan(n_qubits: usize, instructions: &[Instruction]) -> Vec<Pass> {
    let mut planner =
        Planner { dim: 1 << n_qubits, segment: Segment::default(), passes: Vec::new() };
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
    /// The map of basis states so far; empty for the identity.
    map: Vec<u32>,
    /// Qubits that the map reads or writes.
    mapped: usize,
}

struct Planner {
    dim: usize,
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
            Kernel::Flip { target } if controls.count_ones() <= 1 => {
                let flip = |j: usize| if j & controls == controls { j ^ target } else { j };
                self.map(controls | target, flip);
            }
            Kernel::Swap { a, b } if controls == 0 => {
                let differ = |j: usize| (j & a == 0) != (j & b == 0);
                self.map(a | b, |j| if differ(j) { j ^ a ^ b } else { j });
            }
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

    fn map(&mut self, qubits: usize, step: impl Fn(usize) -> usize) {
        let segment = &mut self.segment;
        if segment.map.is_empty() {
            segment.map = (0..self.dim as u32).collect();
        }
        segment.map.iter_mut().for_each(|j| *j = step(*j as usize) as u32);
        segment.mapped |= qubits;
    }

    fn flush(&mut self) {
        let segment = std::mem::take(&mut self.segment);
        if !segment.runs.is_empty() {
            let runs = segment.runs.into_iter().map(|(target, gates)| Run { target, gates });
            self.passes.push(Pass::Qubits(runs.collect()));
        }
        if !segment.terms.is_empty() || !segment.map.is_empty() {
            let (terms, cycles) = (segment.terms, Cycles::of(&segment.map));
            let singles = walsh::are_singles(terms.iter().map(|term| term.mask));
            self.passes.push(Pass::Diagonal(Diagonal { terms, singles, cycles }));
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

impl Cycles {
    /// Of the permutation that moves `j` to `map[j]`.
    fn of(map: &[u32]) -> Self {
        let mut cycles = Cycles::default();
        let mut source = vec![0u32; map.len()];
        map.iter().enumerate().for_each(|(j, &k)| source[k as usize] = j as u32);
        let mut seen = vec![false; map.len()];
        for first in 0..map.len() as u32 {
            if seen[first as usize] || source[first as usize] == first {
                continue;
            }
            let mut place = first;
            while !seen[place as usize] {
                seen[place as usize] = true;
                cycles.places.push(place);
                place = source[place as usize];
            }
            cycles.ends.push(cycles.places.len() as u32);
        }
        cycles
    }

    /// The cycles, one by one.
    #[inline(always)]
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let cycle = &self.places[start..end as usize];
            start = end as usize;
            cycle
        })
    }
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
