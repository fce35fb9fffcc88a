//! A program bound to weights, ready for the samples of one share of a batch.

use super::buffer::Buffer;
use super::kernels::bind::{Angles, Bind, Coefficients, Turns};
use super::kernels::gate::Rule;
use super::kernels::polynomial::{Expand, Expansion, Masks};
use super::kernels::remap::{Factors, Gather};
use super::kernels::turn::Stages;
use super::layout::{Cut, Share};
use super::plan::{Diagonal, Pass, Run, is_shared};
use super::program::Instruction;
use super::simd::Machine;
use super::{Program, Real};
use crate::circuit::Angle;

/// Larger states have no tables of a factor for each amplitude: they would rival the state.
const MAX_TABLE: usize = 12;

/// Registers of the low part of a product of tables.
const LOW: usize = 64;

/// What all samples of a share have in common.
pub struct Bound<'a, T> {
    pub program: &'a Program,
    pub weights: &'a [T],
    pub machine: Machine,
    pub lanes: usize,
    /// Registers of a state.
    pub registers: usize,
    pub cut: Cut,
    pub passes: Vec<BoundPass<'a, T>>,
    /// Of the observables.
    pub masks: Masks,
    /// Of the identity.
    pub norm: Masks,
}

pub enum BoundPass<'a, T> {
    Qubits(BoundRuns<'a, T>),
    Diagonal(Box<BoundDiagonal<'a, T>>),
    Gate(BoundGate<'a, T>),
}

pub struct BoundRuns<'a, T> {
    pub runs: &'a [Run],
    pub stages: Stages,
    pub shared: bool,
    /// Eight registers for each run; those that differ between samples are in the worker.
    pub matrices: Buffer<T>,
}

pub struct BoundDiagonal<'a, T> {
    pub diagonal: &'a Diagonal,
    pub masks: Masks,
    /// Nothing if it differs between samples, or if there are no terms.
    pub phase: Option<Phase<T>>,
    pub forward: Option<Gather>,
    pub backward: Option<Gather>,
}

pub struct BoundGate<'a, T> {
    pub instruction: &'a Instruction,
    pub rule: Rule,
    /// The angle, and what to multiply it with before its sine and cosine are taken.
    pub angle: Option<(Angle, f64)>,
    pub turn: Buffer<T>,
}

/// A diagonal with its angles.
pub enum Phase<T> {
    Factors(Factors<T>),
    /// The coefficients of its polynomial, where a table would be too large.
    Polynomial(Buffer<T>),
}

/// What one sample, or one tile of samples, has of its own: for each pass, what of it is not shared.
pub enum Own<T> {
    Nothing,
    Matrices(Buffer<T>),
    Phase(Phase<T>),
    Turn(Buffer<T>),
}

impl<'a, T: Real> Bound<'a, T> {
    pub fn new(program: &'a Program, weights: &'a [T], share: &Share) -> Self {
        let machine = share.machine;
        let mut bound = Self {
            program,
            weights,
            machine,
            lanes: machine.lanes::<T>(),
            registers: 1 << program.n_qubits >> machine.lane_bits::<T>(),
            cut: Cut::new(program.n_qubits, share.samples.len()),
            passes: Vec::with_capacity(program.plan.len()),
            masks: Masks::new(program.diagonal.iter().map(|&(_, mask, _)| mask).collect()),
            norm: Masks::new(vec![0]),
        };
        for pass in &program.plan {
            let pass = match pass {
                Pass::Qubits(runs) => BoundPass::Qubits(bound.runs(runs)),
                Pass::Diagonal(diagonal) => BoundPass::Diagonal(Box::new(bound.diagonal(diagonal))),
                Pass::Gate(instruction) => BoundPass::Gate(bound.gate(instruction)),
            };
            bound.passes.push(pass);
        }
        bound
    }

    /// The angles that do not depend on samples.
    fn shared_angles(&self) -> Angles<'_, T> {
        Angles { inputs: &[], weights: self.weights }
    }

    /// Makes room for a state, if there is none yet. It may hold anything.
    pub fn ensure(&self, state: &mut Buffer<T>) {
        if state.is_empty() {
            *state = T::pool(self.program).take(2 * self.registers * self.lanes);
        }
    }

    /// Leaves the memory of a state to later runs.
    pub fn give(&self, state: Buffer<T>) {
        T::pool(self.program).give(state);
    }

    fn runs(&self, runs: &'a [Run]) -> BoundRuns<'a, T> {
        let mut matrices = Buffer::zeros(8 * self.lanes * runs.len());
        let angles = self.shared_angles();
        self.machine.launch(Bind { runs, angles, shared: true, matrices: &mut matrices });
        BoundRuns {
            runs,
            stages: Stages::new(runs, self.machine.lane_bits::<T>(), self.registers),
            shared: runs.iter().all(Run::is_shared),
            matrices,
        }
    }

    fn diagonal(&self, diagonal: &'a Diagonal) -> BoundDiagonal<'a, T> {
        let masks = Masks::new(diagonal.terms.iter().map(|term| term.mask).collect());
        let (bits, n) = (self.machine.lane_bits::<T>(), self.registers);
        let map = diagonal.map.as_ref();
        let mut phase = None;
        if diagonal.is_shared() && masks.len() > 0 {
            // Tiles read a table in the layout of single states.
            let table = self.machine.singly();
            let registers = (1 << self.program.n_qubits >> table.lane_bits::<T>()).max(1);
            self.phase(diagonal, &masks, self.shared_angles(), (table, registers), &mut phase);
        }
        BoundDiagonal {
            diagonal,
            phase,
            masks,
            forward: map.map(|map| Gather::new(&map.source, bits, n)),
            backward: map.map(|map| Gather::new(&map.target, bits, n)),
        }
    }

    fn gate(&self, instruction: &'a Instruction) -> BoundGate<'a, T> {
        let angle = instruction.angle();
        let mut turn = Buffer::zeros(2 * self.lanes);
        if let Some((angle, scale)) = angle.filter(|(angle, _)| is_shared(angle)) {
            let angles = self.shared_angles();
            self.machine.launch(Turns { angle, scale, angles, out: &mut turn });
        }
        BoundGate { instruction, rule: Rule::gate(instruction), angle, turn }
    }

    /// Binds a diagonal for a machine and a number of registers, into the memory of `phase`.
    fn phase(
        &self,
        diagonal: &Diagonal,
        masks: &Masks,
        angles: Angles<T>,
        (machine, registers): (Machine, usize),
        phase: &mut Option<Phase<T>>,
    ) {
        let terms = &diagonal.terms;
        let mut coefficients = Buffer::zeros(self.lanes * terms.len());
        machine.launch(Coefficients { terms, angles, out: &mut coefficients });
        if self.program.n_qubits <= MAX_TABLE {
            let mut table = match phase.take() {
                Some(Phase::Factors(Factors::Shared(table) | Factors::Each(table))) => table,
                _ => Buffer::zeros(2 * self.lanes * registers),
            };
            let expansion = Expansion::Phases { to: table.view() };
            let coefficients = &coefficients;
            machine.launch(Expand { masks, coefficients, expansion, registers: 0..registers });
            let each = !machine.single;
            let factors = if each { Factors::Each(table) } else { Factors::Shared(table) };
            *phase = Some(Phase::Factors(factors));
        } else if masks.are_singles() {
            *phase = Some(Phase::Factors(self.split(masks, &coefficients, registers)));
        } else {
            *phase = Some(Phase::Polynomial(coefficients));
        }
    }

    /// A large table of products of phases of single qubits, as a small table for the low qubits
    /// and one for the others.
    fn split(&self, masks: &Masks, coefficients: &[T], registers: usize) -> Factors<T> {
        let (n, bits) = (registers.min(LOW), self.machine.lane_bits::<T>());
        let first = n.trailing_zeros() as usize + bits;
        let is_low = |mask: usize| mask >> first == 0;
        let low_masks = Masks::new(masks.iter().filter(|&mask| is_low(mask)).collect());
        let terms = || masks.iter().zip(coefficients.chunks_exact(self.lanes));
        let low_terms = terms().filter(|&(mask, _)| is_low(mask));
        let low_coefficients: Vec<T> = low_terms.flat_map(|(_, c)| c.to_vec()).collect();
        let mut low = Buffer::zeros(2 * self.lanes * n);
        self.machine.launch(Expand {
            masks: &low_masks,
            coefficients: &low_coefficients,
            expansion: Expansion::Phases { to: low.view() },
            registers: 0..n,
        });
        let mut high = vec![(T::one(), T::zero())];
        for qubit in first..self.program.n_qubits {
            let mine = terms().filter(|&(mask, _)| mask == 1usize << qubit);
            let angle = mine.map(|(_, c)| c[0].as_f64()).sum::<f64>();
            let (sin, cos) = (T::of(angle.sin()), T::of(angle.cos()));
            let turned = |&(re, im): &(T, T), sin: T| (re * cos - im * sin, re * sin + im * cos);
            let up: Vec<_> = high.iter().map(|z| turned(z, sin)).collect();
            high = high.iter().map(|z| turned(z, -sin)).chain(up).collect();
        }
        Factors::Product { low, high }
    }

    /// Room for what the samples of a tile do not share.
    pub fn own(&self) -> Vec<Own<T>> {
        let room = |pass: &BoundPass<T>| match pass {
            BoundPass::Qubits(runs) if !runs.shared => Own::Matrices(runs.matrices.clone()),
            BoundPass::Gate(gate) if gate.angle.is_some_and(|(angle, _)| !is_shared(&angle)) => {
                Own::Turn(gate.turn.clone())
            }
            _ => Own::Nothing,
        };
        self.passes.iter().map(room).collect()
    }

    /// Binds what the samples of a tile do not share.
    pub fn load(&self, features: &[T], own: &mut [Own<T>]) {
        let angles = Angles { inputs: features, weights: self.weights };
        for (pass, own) in self.passes.iter().zip(own) {
            match (pass, own) {
                (BoundPass::Qubits(bound), Own::Matrices(matrices)) => {
                    let runs = bound.runs;
                    self.machine.launch(Bind { runs, angles, shared: false, matrices });
                }
                (BoundPass::Gate(gate), Own::Turn(out)) => {
                    let (angle, scale) =
                        gate.angle.expect("a gate with room for its angle has one");
                    self.machine.launch(Turns { angle, scale, angles, out });
                }
                (BoundPass::Diagonal(bound), own)
                    if bound.phase.is_none() && !bound.diagonal.terms.is_empty() =>
                {
                    let mut phase = match std::mem::replace(own, Own::Nothing) {
                        Own::Phase(phase) => Some(phase),
                        _ => None,
                    };
                    let layout = (self.machine, self.registers);
                    self.phase(bound.diagonal, &bound.masks, angles, layout, &mut phase);
                    *own = phase.map_or(Own::Nothing, Own::Phase);
                }
                _ => {}
            }
        }
    }
}
