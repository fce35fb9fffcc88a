//! Runs bound passes on one state or tile: forwards, measured, and undone with their gradient.

use super::Real;
use super::bound::{Bound, Phase, Values};
use super::buffer::Buffer;
use super::kernels::bind::{Angles, EmitRuns, Sums};
use super::kernels::gate::{AddString, Apply, Overlap, Rule};
use super::kernels::polynomial::{BLOCK, Contract, Expand, Expansion, Masks};
use super::kernels::remap::{Gather, Remap};
use super::kernels::scale::Scale;
use super::kernels::start::Start;
use super::kernels::turn::Turn;
use super::kernels::undo::Undo;
use super::kernels::{sign, total};
use super::plan::is_free;
use super::program::Kernel;
use super::tables::{DiagonalTable, GateTable, RunsTable, Table};
use crate::circuit::PauliString;

/// Single precision lets the norm drift, by the same amount at each use of an angle: it is corrected
/// after so many passes, on the way back too.
const NORMALISE: usize = 16;

/// The memory of one run: two states, one to move to, and what its samples do not share.
pub struct Worker<'a, T: Real> {
    bound: &'a Bound<'a, T>,
    own: Vec<Values<T>>,
    /// A register for each input.
    features: Buffer<T>,
    ket: Buffer<T>,
    bra: Buffer<T>,
    spare: Buffer<T>,
    sums: Vec<T>,
}

impl<'a, T: Real> Worker<'a, T> {
    pub fn new(bound: &'a Bound<'a, T>) -> Self {
        Self {
            own: bound.own(),
            features: Buffer::zeros(bound.program.n_inputs * bound.lanes),
            ket: Buffer::zeros(0),
            bra: Buffer::zeros(0),
            spare: Buffer::zeros(0),
            sums: Vec::new(),
            bound,
        }
    }

    /// The state, in the layout of the share.
    pub fn ket(&self) -> &[T] {
        &self.ket
    }

    /// Takes the state away, to be put back with [`put_ket`](Self::put_ket).
    pub fn take_ket(&mut self) -> Buffer<T> {
        std::mem::replace(&mut self.ket, Buffer::zeros(0))
    }

    /// A state to go on from, as [`forward`](Self::forward) left it.
    pub fn put_ket(&mut self, ket: Buffer<T>) {
        self.bound.give(std::mem::replace(&mut self.ket, ket));
    }

    /// Takes the features of the samples of a tile, or of one sample, row by row.
    pub fn load(&mut self, rows: &[T]) {
        let (bound, n) = (self.bound, self.bound.lanes);
        spread(rows, bound.program.n_inputs, n, bound.machine.single, &mut self.features);
        bound.load(&self.features, &mut self.own);
    }

    /// Runs the circuit from `|0...0>`.
    pub fn forward(&mut self) {
        let bound = self.bound;
        bound.ensure(&mut self.ket);
        let own = std::mem::take(&mut self.own);
        let passes = &bound.tables.passes;
        let (runs, matrices) = match passes.first() {
            Some(Table::Qubits(table)) => (&table.runs[..], bound.values(&own, 0).matrices()),
            _ => (&[][..], &[][..]),
        };
        bound.machine.launch(Start { state: self.ket.view(), runs, matrices });
        for (k, table) in passes.iter().enumerate() {
            let values = bound.values(&own, k);
            match table {
                Table::Qubits(_) if k == 0 => {}
                Table::Qubits(table) => self.turn(table, values.matrices()),
                Table::Diagonal(table) => self.apply_diagonal(table, values.phase()),
                Table::Gate(table) => {
                    let (state, turn) = (self.ket.view(), values.turn());
                    bound.machine.launch(Apply { state, rule: table.rule, turn });
                }
            }
            if drifts::<T>(k + 1) {
                self.normalise(false);
            }
        }
        let n_passes = passes.len();
        if n_passes > NORMALISE && !drifts::<T>(n_passes) && drifts::<T>(NORMALISE) {
            self.normalise(false);
        }
        self.own = own;
    }

    /// Scales `ket` to norm 1, and on the way back `bra`, which drifts alike, by the same factor.
    fn normalise(&mut self, back: bool) {
        let bound = self.bound;
        let mut factors = vec![T::zero(); bound.lanes];
        contract(bound, &bound.tables.norm, &self.ket, None, &mut factors);
        factors.iter_mut().for_each(|norm| *norm = norm.sqrt().recip());
        let (factors, bra) = (&factors, back.then_some(&mut self.bra));
        for state in [&mut self.ket].into_iter().chain(bra) {
            let state = state.view();
            bound.cut.each(bound.registers, |registers| {
                bound.machine.launch(Scale { state, factors, registers });
            });
        }
    }

    fn turn(&mut self, table: &RunsTable, matrices: &[T]) {
        let (bound, stages, state) = (self.bound, &table.stages, self.ket.view());
        let run = |high, units| bound.machine.launch(Turn { state, matrices, stages, high, units });
        bound.cut.each(bound.registers / stages.chunk, |units| run(None, units));
        for &group in &stages.high {
            let places = bound.registers >> group.n_runs;
            bound.cut.each(places, |units| run(Some(group), units));
        }
    }

    fn apply_diagonal(&mut self, table: &DiagonalTable, phase: Option<&Phase<T>>) {
        if let Some(Phase::Polynomial(coefficients)) = phase {
            expand(self.bound, &table.masks, coefficients, &mut self.ket, false);
        }
        let gather = table.forward.as_ref();
        remap(self.bound, phase, gather, false, &mut self.ket, &mut self.spare);
    }

    /// Writes a register of expectation values for each observable; of one sample, the same number
    /// in all lanes.
    pub fn measure(&mut self, out: &mut [T]) {
        let (bound, n) = (self.bound, self.bound.lanes);
        let (program, masks) = (bound.program, &bound.tables.masks);
        out.fill(T::zero());
        self.sums.clear();
        self.sums.resize(masks.len() * n, T::zero());
        if masks.len() > 0 {
            contract(bound, masks, &self.ket, None, &mut self.sums);
        }
        for (&(c, _, k), sums) in program.diagonal.iter().zip(self.sums.chunks_exact(n)) {
            let values = &mut out[k * n..][..n];
            values.iter_mut().zip(sums).for_each(|(value, &sum)| *value += T::of(c) * sum);
        }
        for &(c, string, k) in &program.other {
            let rule = Rule::string(string, 0);
            let values = overlap(bound, &self.ket, &self.ket, rule);
            let out = &mut out[k * n..][..n];
            out.iter_mut().zip(&values).for_each(|(out, &value)| *out += T::of(c) * value);
        }
    }

    /// `|bra> = sum_k c_k O_k |ket>`, `c` given row by row like features.
    pub fn observe(&mut self, rows: &[T]) {
        let (bound, n) = (self.bound, self.bound.lanes);
        let (program, single) = (bound.program, bound.machine.single);
        bound.ensure(&mut self.bra);
        self.sums.clear();
        self.sums.resize((program.n_observables + program.diagonal.len()) * n, T::zero());
        let (cotangent, coefficients) = self.sums.split_at_mut(program.n_observables * n);
        spread(rows, program.n_observables, n, single, cotangent);
        for (&(c, mask, k), out) in program.diagonal.iter().zip(coefficients.chunks_exact_mut(n)) {
            weigh(T::of(c), &cotangent[k * n..], out);
            let in_lanes = if single { mask & (n - 1) } else { 0 };
            if in_lanes != 0 {
                out.iter_mut().enumerate().for_each(|(l, x)| *x *= sign::<T>(l & in_lanes));
            }
        }
        let (from, to) = (self.ket.view(), self.bra.view());
        let (masks, coefficients) = (&bound.tables.masks, &*coefficients);
        blocks(bound, |registers| {
            let expansion = Expansion::Scale { from, to };
            bound.machine.launch(Expand { masks, coefficients, expansion, registers });
        });
        for &(c, string, k) in &program.other {
            let mut coefficient = vec![T::zero(); n];
            weigh(T::of(c), &cotangent[k * n..], &mut coefficient);
            let rule = Rule::string(string, 0);
            bound.machine.launch(AddString { from, to, rule, coefficient: &coefficient });
        }
    }

    /// Undoes the circuit on both states and adds to the gradient by every free angle.
    pub fn backward(&mut self, gradient: &mut Sums<T>) {
        let bound = self.bound;
        let own = std::mem::take(&mut self.own);
        for (k, table) in bound.tables.passes.iter().enumerate().rev() {
            let values = bound.values(&own, k);
            match table {
                Table::Qubits(table) => {
                    self.undo_runs(table, values.matrices(), k > 0, gradient);
                }
                Table::Diagonal(table) => self.undo_diagonal(table, values.phase(), gradient),
                Table::Gate(table) => self.undo_gate(table, values.turn(), gradient),
            }
            if drifts::<T>(k) {
                self.normalise(true);
            }
        }
        self.own = own;
    }

    fn undo_runs(&mut self, table: &RunsTable, matrices: &[T], undo: bool, gradient: &mut Sums<T>) {
        let (bound, stages, runs) = (self.bound, &table.stages, &table.runs);
        let (ket, bra) = (self.ket.view(), self.bra.view());
        self.sums.clear();
        self.sums.resize(8 * runs.len() * bound.lanes, T::zero());
        let run = |high, units, sums: &mut [T]| {
            bound.machine.launch(Undo { ket, bra, matrices, stages, high, units, undo, sums });
        };
        let chunks = bound.registers / stages.chunk;
        bound.cut.sum(chunks, &mut self.sums, |units, sums| run(None, units, sums));
        for &group in &stages.high {
            let places = bound.registers >> group.n_runs;
            bound.cut.sum(places, &mut self.sums, |units, sums| run(Some(group), units, sums));
        }
        let angles = Angles { inputs: &self.features, weights: bound.weights };
        bound.machine.launch(EmitRuns { runs, angles, sums: &self.sums, gradient });
    }

    fn undo_diagonal(
        &mut self,
        table: &DiagonalTable,
        phase: Option<&Phase<T>>,
        gradient: &mut Sums<T>,
    ) {
        let (bound, n, masks) = (self.bound, self.bound.lanes, &table.masks);
        for state in [&mut self.ket, &mut self.bra] {
            remap(bound, phase, table.backward.as_ref(), true, state, &mut self.spare);
            if let Some(Phase::Polynomial(coefficients)) = phase {
                expand(bound, masks, coefficients, state, true);
            }
        }
        if !table.diagonal.is_free() {
            return;
        }
        self.sums.clear();
        self.sums.resize(masks.len() * n, T::zero());
        contract(bound, masks, &self.ket, Some(&self.bra), &mut self.sums);
        // dL/dphi_j = 2 Im(conj(bra_j) ket_j), and its transform is the gradient by every term.
        for (term, sums) in table.diagonal.terms.iter().zip(self.sums.chunks_exact(n)) {
            gradient.add(term.angle, T::of(2.0 * term.scale), sums);
        }
    }

    fn undo_gate(&mut self, table: &GateTable, turn: &[T], gradient: &mut Sums<T>) {
        let (bound, controls) = (self.bound, table.instruction.controls);
        let (rule, scale, angle) = match table.instruction.kernel {
            Kernel::Phase { mask, angle } => {
                (Rule::string(PauliString::IDENTITY, controls | mask), T::of(-2.0), Some(angle))
            }
            Kernel::Rotation { string, angle } => {
                (Rule::string(string, controls), T::one(), Some(angle))
            }
            _ => (table.rule, T::one(), None),
        };
        if let Some(angle) = angle.filter(is_free) {
            let values = overlap(bound, &self.bra, &self.ket, rule);
            gradient.add(angle, scale, &values[bound.lanes..]);
        }
        for state in [&mut self.ket, &mut self.bra] {
            let rule = table.rule.inverse();
            bound.machine.launch(Apply { state: state.view(), rule, turn });
        }
    }
}

impl<T: Real> Drop for Worker<'_, T> {
    fn drop(&mut self) {
        for buffer in [&mut self.ket, &mut self.bra, &mut self.spare] {
            self.bound.give(std::mem::replace(buffer, Buffer::zeros(0)));
        }
    }
}

/// Whether to correct the norm after `k` passes.
fn drifts<T>(k: usize) -> bool {
    size_of::<T>() < size_of::<f64>() && k > 0 && k.is_multiple_of(NORMALISE)
}

/// Rows of samples to a register for each column: a sample to a lane, or one sample in all lanes.
pub(super) fn spread<T: Real>(rows: &[T], width: usize, lanes: usize, single: bool, out: &mut [T]) {
    if single {
        let columns = out.chunks_exact_mut(lanes).zip(rows);
        return columns.for_each(|(column, &x)| column.fill(x));
    }
    let n_rows = rows.len() / width.max(1);
    for (i, column) in out.chunks_exact_mut(lanes).enumerate() {
        let (filled, rest) = column.split_at_mut(n_rows);
        filled.iter_mut().enumerate().for_each(|(l, x)| *x = rows[l * width + i]);
        rest.fill(T::zero());
    }
}

/// `out = c x`, lane by lane.
fn weigh<T: Real>(c: T, x: &[T], out: &mut [T]) {
    out.iter_mut().zip(x).for_each(|(out, &x)| *out = c * x);
}

/// Runs `f` on all registers, in whole blocks.
fn blocks<T: Real>(bound: &Bound<T>, f: impl Fn(std::ops::Range<usize>) + Sync + Send) {
    let block = bound.registers.min(BLOCK);
    bound.cut.each(bound.registers / block, |r| f(r.start * block..r.end * block));
}

/// The sums of a polynomial's terms, over `|ket|^2` or `Im(conj(bra) ket)`.
fn contract<T: Real>(
    bound: &Bound<T>,
    masks: &Masks,
    ket: &Buffer<T>,
    bra: Option<&Buffer<T>>,
    sums: &mut [T],
) {
    let (ket, bra) = (ket.look(), bra.map(Buffer::look));
    let block = bound.registers.min(BLOCK);
    bound.cut.sum(bound.registers / block, sums, |r, sums| {
        let registers = r.start * block..r.end * block;
        bound.machine.launch(Contract { masks, ket, bra, registers, sums });
    });
    if bound.machine.single {
        masks.add_up_lanes(bound.machine, sums);
    }
}

/// Multiplies a state by the phases of a polynomial, or undoes that.
fn expand<T: Real>(
    bound: &Bound<T>,
    masks: &Masks,
    coefficients: &[T],
    state: &mut Buffer<T>,
    inverse: bool,
) {
    let to = state.view();
    blocks(bound, |registers| {
        let expansion = Expansion::Turn { to, inverse };
        bound.machine.launch(Expand { masks, coefficients, expansion, registers });
    });
}

/// Multiplies a state by tabulated phases and moves its amplitudes, or undoes both.
fn remap<T: Real>(
    bound: &Bound<T>,
    phase: Option<&Phase<T>>,
    gather: Option<&Gather>,
    inverse: bool,
    state: &mut Buffer<T>,
    spare: &mut Buffer<T>,
) {
    let factors = match phase {
        Some(Phase::Factors(factors)) => Some(factors),
        _ => None,
    };
    if factors.is_none() && gather.is_none() {
        return;
    }
    if gather.is_some() {
        bound.ensure(spare);
    }
    let from = state.view();
    let to = if gather.is_some() { spare.view() } else { from };
    blocks(bound, |registers| {
        bound.machine.launch(Remap { from, to, gather, factors, inverse, registers });
    });
    if gather.is_some() {
        std::mem::swap(state, spare);
    }
}

/// `<bra|P Pi|ket>`: a register of real and one of imaginary parts.
fn overlap<T: Real>(bound: &Bound<T>, bra: &Buffer<T>, ket: &Buffer<T>, rule: Rule) -> Vec<T> {
    let mut out = vec![T::zero(); 2 * bound.lanes];
    let (bra, ket) = (bra.look(), ket.look());
    bound.machine.launch(Overlap { bra, ket, rule, out: &mut out });
    if bound.machine.single {
        for lanes in out.chunks_exact_mut(bound.lanes) {
            let sum = total(lanes);
            lanes.fill(sum);
        }
    }
    out
}
