//! A program bound to weights, ready for the samples of one share of a batch.

use super::buffer::Buffer;
use super::kernels::bind::{Angles, Bind, Coefficients, Turns};
use super::kernels::polynomial::{Expand, Expansion, Masks};
use super::kernels::remap::Factors;
use super::layout::{Cut, Share};
use super::plan::{Diagonal, Run};
use super::simd::Machine;
use super::tables::{GateTable, RunsTable, Table, Tables};
use super::{Program, Real};
use std::sync::Arc;

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
    pub tables: &'a Tables,
    /// For each pass, what the weights say of it. Matrices of samples have room here, but no value.
    pub shared: Arc<[Values<T>]>,
}

/// A diagonal with its angles.
#[derive(Debug, Clone)]
pub enum Phase<T> {
    Factors(Factors<T>),
    /// The coefficients of its polynomial, where a table would be too large.
    Polynomial(Buffer<T>),
}

/// What angles make of a pass.
#[derive(Debug, Clone)]
pub enum Values<T> {
    Nothing,
    /// Eight registers for each run.
    Matrices(Buffer<T>),
    Phase(Phase<T>),
    /// A register of cosines and one of sines.
    Turn(Buffer<T>),
}

impl<T> Values<T> {
    pub fn matrices(&self) -> &[T] {
        match self {
            Self::Matrices(matrices) => matrices,
            _ => &[],
        }
    }

    pub fn phase(&self) -> Option<&Phase<T>> {
        match self {
            Self::Phase(phase) => Some(phase),
            _ => None,
        }
    }

    pub fn turn(&self) -> &[T] {
        match self {
            Self::Turn(turn) => turn,
            _ => &[],
        }
    }
}

impl<'a, T: Real> Bound<'a, T> {
    pub fn new(program: &'a Program, weights: &'a [T], share: &Share) -> Self {
        let mut bound = Self::again(program, weights, share, Arc::new([]));
        bound.shared = bound.tables.passes.iter().map(|table| bound.bind(table)).collect();
        bound
    }

    /// With the values of an earlier run with the same weights.
    pub fn again(
        program: &'a Program,
        weights: &'a [T],
        share: &Share,
        shared: Arc<[Values<T>]>,
    ) -> Self {
        let (machine, lane_bits) = (share.machine, share.machine.lane_bits::<T>());
        Self {
            program,
            weights,
            machine,
            lanes: machine.lanes::<T>(),
            registers: 1 << program.n_qubits >> lane_bits,
            cut: Cut::new(program.n_qubits, share.samples.len()),
            tables: program.tables(lane_bits),
            shared,
        }
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

    /// What samples share of a pass.
    fn bind(&self, table: &Table) -> Values<T> {
        match table {
            Table::Qubits(table) => Values::Matrices(self.matrices(&table.runs)),
            Table::Gate(table) => Values::Turn(self.turn(table)),
            Table::Diagonal(table) if table.shared && table.masks.len() > 0 => {
                // Tiles read a table in the layout of single states.
                let singly = self.machine.singly();
                let registers = (1 << self.program.n_qubits >> singly.lane_bits::<T>()).max(1);
                let (angles, layout) = (self.shared_angles(), (singly, registers));
                Values::Phase(self.phase(&table.diagonal, &table.masks, angles, layout, None))
            }
            Table::Diagonal(_) => Values::Nothing,
        }
    }

    fn matrices(&self, runs: &[Run]) -> Buffer<T> {
        let mut matrices = Buffer::zeros(8 * self.lanes * runs.len());
        let angles = self.shared_angles();
        self.machine.launch(Bind { runs, angles, shared: true, matrices: &mut matrices });
        matrices
    }

    fn turn(&self, table: &GateTable) -> Buffer<T> {
        let mut turn = Buffer::zeros(2 * self.lanes);
        if let Some((angle, scale)) = table.angle.filter(|_| table.shared) {
            let angles = self.shared_angles();
            self.machine.launch(Turns { angle, scale, angles, out: &mut turn });
        }
        turn
    }

    /// Binds a diagonal for a machine and a number of registers, into the memory of an earlier one.
    fn phase(
        &self,
        diagonal: &Diagonal,
        masks: &Masks,
        angles: Angles<T>,
        (machine, registers): (Machine, usize),
        earlier: Option<Phase<T>>,
    ) -> Phase<T> {
        let terms = &diagonal.terms;
        let mut coefficients = Buffer::zeros(self.lanes * terms.len());
        machine.launch(Coefficients { terms, angles, out: &mut coefficients });
        if self.program.n_qubits <= MAX_TABLE {
            let mut table = match earlier {
                Some(Phase::Factors(Factors::Shared(table) | Factors::Each(table))) => table,
                _ => Buffer::zeros(2 * self.lanes * registers),
            };
            let expansion = Expansion::Phases { to: table.view() };
            let coefficients = &coefficients;
            machine.launch(Expand { masks, coefficients, expansion, registers: 0..registers });
            let each = !machine.single;
            let factors = if each { Factors::Each(table) } else { Factors::Shared(table) };
            Phase::Factors(factors)
        } else if masks.are_singles() {
            Phase::Factors(self.split(masks, &coefficients, registers))
        } else {
            Phase::Polynomial(coefficients)
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
    pub fn own(&self) -> Vec<Values<T>> {
        let room = |(table, shared): (&Table, &Values<T>)| match table {
            Table::Qubits(RunsTable { shared: false, .. })
            | Table::Gate(GateTable { shared: false, .. }) => shared.clone(),
            _ => Values::Nothing,
        };
        self.tables.passes.iter().zip(&*self.shared).map(room).collect()
    }

    /// The values of pass `k`: those of the samples, or those that they share.
    pub fn values<'b>(&'b self, own: &'b [Values<T>], k: usize) -> &'b Values<T> {
        match &own[k] {
            Values::Nothing => &self.shared[k],
            values => values,
        }
    }

    /// Binds what the samples of a tile do not share.
    pub fn load(&self, features: &[T], own: &mut [Values<T>]) {
        let angles = Angles { inputs: features, weights: self.weights };
        for (table, own) in self.tables.passes.iter().zip(own) {
            match (table, own) {
                (Table::Qubits(table), Values::Matrices(matrices)) => {
                    let runs = &table.runs;
                    self.machine.launch(Bind { runs, angles, shared: false, matrices });
                }
                (Table::Gate(table), Values::Turn(out)) => {
                    if let Some((angle, scale)) = table.angle {
                        self.machine.launch(Turns { angle, scale, angles, out });
                    }
                }
                (Table::Diagonal(table), own) if !table.shared => {
                    let earlier = match std::mem::replace(own, Values::Nothing) {
                        Values::Phase(phase) => Some(phase),
                        _ => None,
                    };
                    let layout = (self.machine, self.registers);
                    let phase = self.phase(&table.diagonal, &table.masks, angles, layout, earlier);
                    *own = Values::Phase(phase);
                }
                _ => {}
            }
        }
    }
}
