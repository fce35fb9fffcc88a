//! Closed-system annealing: the Schroedinger dynamics of a transverse-field Ising model.
//!
//! `H(t) = -A(t) sum_i X_i + B(t) (sum_i h_i Z_i + sum_{i<j} J_ij Z_i Z_j)`, `hbar = 1`.
//!
//! Step `k` of the schedule is a pair of pulse areas `a_k = A(t_k) dt`, `b_k = B(t_k) dt`, `t_k` the
//! middle of the step. The propagator is the second-order (Strang) splitting
//! `exp(-i b_k E / 2) exp(i a_k sum X) exp(-i b_k E / 2)`, whose error falls as `dt^2`. Neighbouring
//! half pulses are one phase pass, so a step costs one phase pass and `n_qubits` rotations.
//!
//! The gradient un-computes the state backwards (see [`super::Gradient`]): memory does not depend
//! on the number of steps.
//!
//! # References
//!
//! - [Kadowaki and Nishimori (1998)](https://arxiv.org/abs/cond-mat/9804280) for the model. Their
//!   couplings enter with the other sign, `-sum J ZZ`.
//! - [Strang (1968)](https://doi.org/10.1137/0705041) for the splitting.

use super::Real;
use super::buffer::Buffer;
use super::expectation::{check_finite, rows};
use super::kernels::anneal::{CHUNK, Mix, Part, Phases, Rotation, UndoMix, UndoPhases};
use super::kernels::bind::{Angles, Bind, EmitRuns, Sums};
use super::kernels::polynomial::{
    Contract, ContractNumbers, Expand, ExpandNumbers, Expansion, Masks,
};
use super::kernels::start::Start;
use super::kernels::turn::Stages;
use super::kernels::undo::Undo;
use super::layout::{self, Share};
use super::plan::{Run, RunGate};
use super::program::check_size;
use super::simd::Machine;
use crate::circuit::{Angle, Pauli, PauliString};
use crate::error::{Error, ErrorKind, length};
use rayon::prelude::*;
use std::ops::Range;

/// An annealing run on `n_qubits` qubits and the products of `Z` that are read out after it.
///
/// ```
/// use burn_quantum::statevector::{Evolution, EvolutionInput};
///
/// // One spin in the field h = 1, annealed slowly, ends in its ground state s = -1.
/// let (n_steps, time) = (2000, 40.0);
/// let dt = time / n_steps as f64;
/// let at = |k: usize| (k as f64 + 0.5) / n_steps as f64;
/// let schedule: Vec<f64> = (0..n_steps).flat_map(|k| [(1.0 - at(k)) * dt, at(k) * dt]).collect();
///
/// let spin = Evolution::each_z(1)?.expectation(&EvolutionInput {
///     batch: 1,
///     fields: &[1.0],
///     couplings: &[0.0],
///     start: &[std::f64::consts::FRAC_PI_2], // |+>
///     schedule: &schedule,
/// })?;
/// assert!(spin[0] < -0.99, "{spin:?}");
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Evolution {
    n_qubits: usize,
    readout: Vec<usize>,
}

/// What one batch of runs depends on. All slices are row-major.
#[derive(Debug, Clone, Copy)]
pub struct EvolutionInput<'a, T> {
    /// The number of runs.
    pub batch: usize,
    /// Local fields `h`, `[batch, n_qubits]`.
    pub fields: &'a [T],
    /// Couplings `J`, `[n_qubits, n_qubits]` for all runs or `[batch, n_qubits, n_qubits]`. Only
    /// entries above the diagonal are read.
    pub couplings: &'a [T],
    /// The runs start in the product state `prod_q RY(start_q)|0>`, `[batch, n_qubits]`, radians;
    /// `pi/2` on every qubit is `|+...+>`, the ground state of `-sum X`.
    pub start: &'a [T],
    /// Pulse areas `(a_k, b_k)`, `[n_steps, 2]`.
    pub schedule: &'a [T],
}

/// The gradient of `sum_{b,k} c[b, k] out[b, k]`; each field has the shape of its input.
#[allow(missing_docs)]
#[derive(Debug, Clone, PartialEq)]
pub struct EvolutionGradient<T> {
    /// The expectation values themselves, `[batch, n_readouts]`.
    pub values: Vec<T>,
    pub fields: Vec<T>,
    pub couplings: Vec<T>,
    pub start: Vec<T>,
    pub schedule: Vec<T>,
}

impl Evolution {
    /// Reads out the products of `Z` in `readout`, in this order.
    ///
    /// # Errors
    ///
    /// When there are more than [`MAX_QUBITS`](super::MAX_QUBITS) qubits, or a string acts on a
    /// qubit that is not there or is not a product of `Z`.
    pub fn new(n_qubits: usize, readout: &[PauliString]) -> Result<Self, Error> {
        check_size(n_qubits)?;
        for string in readout {
            if string.n_qubits() > n_qubits {
                let qubit = string.n_qubits() - 1;
                return Err(ErrorKind::QubitOutOfRange { qubit, n_qubits }.into());
            }
            if !string.is_diagonal() {
                let given = format!("{string}` in a read-out of Z products, `");
                return Err(ErrorKind::PauliSyntax { given }.into());
            }
        }
        let readout = readout.iter().map(|string| string.z).collect();
        Ok(Self { n_qubits, readout })
    }

    /// Reads out `<Z_i>` of every qubit.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn each_z(n_qubits: usize) -> Result<Self, Error> {
        check_size(n_qubits)?;
        let strings: Vec<_> = (0..n_qubits).map(PauliString::z).collect();
        Self::new(n_qubits, &strings)
    }

    /// The number of qubits.
    pub fn n_qubits(&self) -> usize {
        self.n_qubits
    }

    /// The number of values read out.
    pub fn n_readouts(&self) -> usize {
        self.readout.len()
    }

    /// The expectation values after the run, `[batch, n_readouts]`.
    ///
    /// # Errors
    ///
    /// When a slice has the wrong length, or holds NaN or infinity.
    pub fn expectation<T: Real>(&self, input: &EvolutionInput<T>) -> Result<Vec<T>, Error> {
        self.check(input)?;
        Ok(T::evolve(self, input, None).values)
    }

    /// The values and the vector-Jacobian product with the cotangent `c`, `[batch, n_readouts]`.
    ///
    /// # Errors
    ///
    /// When a slice has the wrong length, or holds NaN or infinity.
    pub fn gradient<T: Real>(
        &self,
        input: &EvolutionInput<T>,
        cotangent: &[T],
    ) -> Result<EvolutionGradient<T>, Error> {
        self.check(input)?;
        length("cotangent", input.batch * self.n_readouts(), cotangent.len())?;
        check_finite("cotangent", cotangent, self.n_readouts())?;
        Ok(T::evolve(self, input, Some(cotangent)))
    }

    /// `out[b, i] = |<i|psi_b>|^2` after the run, `[batch, 2^n_qubits]`.
    ///
    /// # Errors
    ///
    /// As [`expectation`](Self::expectation).
    ///
    /// ```
    /// use burn_quantum::statevector::{Evolution, EvolutionInput};
    ///
    /// // Without a pulse the run ends where it starts, in RY(pi/3)|0>.
    /// let p = Evolution::each_z(1)?.probabilities(&EvolutionInput {
    ///     batch: 1,
    ///     fields: &[1.0],
    ///     couplings: &[0.0],
    ///     start: &[std::f64::consts::FRAC_PI_3],
    ///     schedule: &[],
    /// })?;
    /// assert!((p[0] - 0.75).abs() < 1e-12 && (p[1] - 0.25).abs() < 1e-12);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn probabilities<T: Real>(&self, input: &EvolutionInput<T>) -> Result<Vec<T>, Error> {
        self.probabilities_until(input, &|| false)
    }

    /// The same after the steps that were done when `stop` first gave true.
    pub(crate) fn probabilities_until<T: Real>(
        &self,
        input: &EvolutionInput<T>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<T>, Error> {
        self.check(input)?;
        Ok(T::evolve_to_probabilities(self, input, stop))
    }

    fn is_shared<T>(&self, input: &EvolutionInput<T>) -> bool {
        input.couplings.len() == self.n_qubits * self.n_qubits
    }

    fn check<T: Real>(&self, input: &EvolutionInput<T>) -> Result<(), Error> {
        let (batch, n) = (input.batch, self.n_qubits);
        length("fields", batch * n, input.fields.len())?;
        length("start", batch * n, input.start.len())?;
        if !self.is_shared(input) {
            length("couplings", batch * n * n, input.couplings.len())?;
        }
        length("schedule", input.schedule.len() / 2 * 2, input.schedule.len())?;
        check_finite("fields", input.fields, n)?;
        check_finite("couplings", input.couplings, n)?;
        check_finite("start", input.start, n)?;
        check_finite("schedule", input.schedule, 2)
    }
}

/// The areas of the merged phase pulses: `b_0/2, (b_0 + b_1)/2, ..., b_{K-1}/2`.
fn phase_pulses<T: Real>(schedule: &[T]) -> Vec<T> {
    let steps = schedule.len() / 2;
    let half = |k: usize| schedule[2 * k + 1] * T::of(0.5);
    let pulse = |k: usize| {
        let before = if k > 0 { half(k - 1) } else { T::zero() };
        before + if k < steps { half(k) } else { T::zero() }
    };
    (0..=steps).map(pulse).collect()
}

/// What all runs of a share have in common.
struct Plan<'a, T> {
    evolution: &'a Evolution,
    input: &'a EvolutionInput<'a, T>,
    cotangent: Option<&'a [T]>,
    machine: Machine,
    lanes: usize,
    registers: usize,
    shared: bool,
    pulses: Vec<T>,
    /// `RY(start_q)` on every qubit.
    start: Vec<Run>,
    stages: Stages,
    /// `Z_i`, then `Z_i Z_j` row by row.
    energy: Masks,
    readout: Masks,
}

/// The memory of one run: two states, energies and the gradient by them: three states in all.
struct Work<T> {
    ket: Buffer<T>,
    bra: Buffer<T>,
    energies: Buffer<T>,
    by_energy: Buffer<T>,
}

pub(super) fn run<T: Real>(
    evolution: &Evolution,
    input: &EvolutionInput<T>,
    cotangent: Option<&[T]>,
) -> EvolutionGradient<T> {
    let wanted = |len: usize| vec![T::zero(); if cotangent.is_some() { len } else { 0 }];
    let mut whole = EvolutionGradient {
        values: Vec::new(),
        fields: Vec::new(),
        couplings: wanted(input.couplings.len()),
        start: Vec::new(),
        schedule: wanted(input.schedule.len()),
    };
    let mut couplings = Vec::new();
    for share in layout::shares::<T>(input.batch, evolution.n_qubits) {
        let plan = Plan::new(evolution, input, cotangent, &share);
        for part in plan.each_tile(&share, |work, tile| plan.run(work, tile)) {
            whole.values.extend(part.values);
            whole.fields.extend(part.fields);
            whole.start.extend(part.start);
            add(&mut whole.schedule, &part.schedule);
            match plan.shared {
                true => add(&mut whole.couplings, &part.couplings),
                false => couplings.extend(part.couplings),
            }
        }
    }
    if !evolution.is_shared(input) && cotangent.is_some() {
        whole.couplings = couplings;
    }
    whole
}

/// See [`Evolution::probabilities_until`].
pub(super) fn probabilities<T: Real>(
    evolution: &Evolution,
    input: &EvolutionInput<T>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Vec<T> {
    let of_share = |share: Share| {
        let plan = Plan::new(evolution, input, None, &share);
        let probabilities = |work: &mut Work<T>, tile: Range<usize>| {
            plan.start(work, &tile);
            plan.forward(work, stop);
            plan.probabilities(work, tile.len())
        };
        plan.each_tile(&share, probabilities).concat()
    };
    layout::shares::<T>(input.batch, evolution.n_qubits).into_iter().flat_map(of_share).collect()
}

fn add<T: Real>(sum: &mut [T], values: &[T]) {
    sum.iter_mut().zip(values).for_each(|(sum, &x)| *sum += x);
}

impl<'a, T: Real> Plan<'a, T> {
    fn new(
        evolution: &'a Evolution,
        input: &'a EvolutionInput<'a, T>,
        cotangent: Option<&'a [T]>,
        share: &Share,
    ) -> Self {
        let (n, machine) = (evolution.n_qubits, share.machine);
        let (lane_bits, registers) = (machine.lane_bits::<T>(), 1 << n >> machine.lane_bits::<T>());
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| 1 << i | 1 << j));
        let turn = |q| RunGate::Rotation(Pauli::Y, Angle::Input(q));
        let start: Vec<Run> =
            (0..n).map(|q| Run { target: 1 << q, gates: vec![turn(q)] }).collect();
        Self {
            evolution,
            input,
            cotangent,
            machine,
            lanes: machine.lanes::<T>(),
            registers,
            shared: evolution.is_shared(input),
            pulses: phase_pulses(input.schedule),
            stages: Stages::new(&start, lane_bits, registers),
            start,
            energy: Masks::new((0..n).map(|q| 1 << q).chain(pairs).collect()),
            readout: Masks::new(evolution.readout.clone()),
        }
    }

    /// The runs of a share, tile by tile: a tile is a job.
    fn each_tile<R: Send>(
        &self,
        share: &Share,
        run: impl Fn(&mut Work<T>, Range<usize>) -> R + Sync,
    ) -> Vec<R> {
        let tile = if self.machine.single { 1 } else { self.lanes };
        let tiles: Vec<_> = share.samples.clone().step_by(tile).collect();
        let range = |first: usize| first..(first + tile).min(share.samples.end);
        tiles
            .into_par_iter()
            .with_min_len((64 >> self.evolution.n_qubits).max(1))
            .map_init(|| self.work(), |work, first| run(work, range(first)))
            .collect()
    }

    fn work(&self) -> Work<T> {
        let (numbers, back) = (self.registers * self.lanes, self.cotangent.is_some() as usize);
        Work {
            ket: Buffer::zeros(2 * numbers),
            bra: Buffer::zeros(2 * numbers * back),
            energies: Buffer::zeros(numbers),
            by_energy: Buffer::zeros(numbers * back),
        }
    }

    fn run(&self, work: &mut Work<T>, tile: Range<usize>) -> EvolutionGradient<T> {
        let (angles, matrices) = self.start(work, &tile);
        self.forward(work, &|| false);
        let mut out = EvolutionGradient {
            values: self.measure(work, tile.len()),
            fields: Vec::new(),
            couplings: Vec::new(),
            start: Vec::new(),
            schedule: Vec::new(),
        };
        if let Some(cotangent) = self.cotangent {
            self.observe(&cotangent[rows(&tile, self.readout.len())], work);
            out.schedule = self.backward(work);
            let angles = Angles { inputs: &angles, weights: &[] };
            out.start = self.by_start(work, angles, &matrices, tile.len());
            (out.fields, out.couplings) = self.by_energy(work, tile.len());
        }
        out
    }

    /// Prepares the start state and the energies; returns the angles and matrices of the start.
    fn start(&self, work: &mut Work<T>, tile: &Range<usize>) -> (Vec<T>, Vec<T>) {
        let n = self.evolution.n_qubits;
        let angles = self.spread(&self.input.start[rows(tile, n)], n);
        let mut matrices = vec![T::zero(); 8 * n * self.lanes];
        let bound = Angles { inputs: &angles, weights: &[] };
        let (runs, matrices_mut) = (&self.start, &mut matrices);
        self.machine.launch(Bind { runs, angles: bound, shared: false, matrices: matrices_mut });
        self.machine.launch(Start { state: work.ket.view(), runs, matrices: &matrices });
        self.load_energies(tile, work);
        (angles, matrices)
    }

    /// A register for each column of some rows.
    fn spread(&self, rows: &[T], width: usize) -> Vec<T> {
        let mut out = vec![T::zero(); width * self.lanes];
        super::worker::spread(rows, width, self.lanes, self.machine.single, &mut out);
        out
    }

    /// The energy of every basis state.
    fn load_energies(&self, tile: &Range<usize>, work: &mut Work<T>) {
        let n = self.evolution.n_qubits;
        let mut c = self.spread(&self.input.fields[rows(tile, n)], n);
        let tables = match self.shared {
            true => self.input.couplings,
            false => &self.input.couplings[rows(tile, n * n)],
        };
        for i in 0..n {
            for j in i + 1..n {
                let column = tables.iter().skip(i * n + j).step_by(n * n);
                match self.shared || self.machine.single {
                    true => c.extend(std::iter::repeat_n(tables[i * n + j], self.lanes)),
                    false => {
                        let start = c.len();
                        c.extend(column);
                        c.resize(start + self.lanes, T::zero());
                    }
                }
            }
        }
        if self.machine.single {
            let values: Vec<T> = c.iter().step_by(self.lanes).copied().collect();
            for (t, value) in values.into_iter().enumerate() {
                self.energy.set_coefficient(self.machine, &mut c, t, value);
            }
        }
        let (masks, coefficients, numbers) = (&self.energy, &c, &mut work.energies);
        self.machine.launch(ExpandNumbers { masks, coefficients, numbers });
    }

    fn forward(&self, work: &mut Work<T>, stop: &(dyn Fn() -> bool + Sync)) {
        let (state, energies) = (work.ket.view(), &work.energies);
        for (k, &pulse) in self.pulses.iter().enumerate() {
            if stop() {
                return; // between two steps, up to phases
            }
            self.machine.launch(Phases { state, energies, pulse });
            if let Some(&area) = self.input.schedule.get(2 * k) {
                let (rotation, n_qubits) = (rotation(area), self.evolution.n_qubits);
                for part in self.parts(3) {
                    self.machine.launch(Mix { state, rotation, part, n_qubits });
                }
            }
        }
    }

    /// All qubits: those within chunks, then `step` at a time.
    fn parts(&self, step: usize) -> impl Iterator<Item = Part> + '_ {
        let chunk = self.registers.min(CHUNK);
        let units = 0..self.registers / chunk;
        let low = std::iter::once(Part { high: None, units, chunk });
        let bits = chunk.trailing_zeros()..self.registers.trailing_zeros();
        low.chain(bits.clone().step_by(step).map(move |bit| {
            let n = step.min((bits.end - bit) as usize);
            Part { high: Some((1 << bit, n)), units: 0..self.registers >> n, chunk }
        }))
    }

    /// `[n_samples, 2^n_qubits]`.
    fn probabilities(&self, work: &Work<T>, n_samples: usize) -> Vec<T> {
        let square = |x: T| x * x;
        // Real parts lie before imaginary ones, register by register.
        let probability = |register: usize, lane: usize| {
            let parts = &work.ket[2 * register * self.lanes..][..2 * self.lanes];
            square(parts[lane]) + square(parts[self.lanes + lane])
        };
        let of_index = |sample: usize, i: usize| match self.machine.single {
            true => probability(i / self.lanes, i % self.lanes),
            false => probability(i, sample),
        };
        let states = 1usize << self.evolution.n_qubits;
        (0..n_samples).flat_map(|b| (0..states).map(move |i| of_index(b, i))).collect()
    }

    fn measure(&self, work: &Work<T>, n_samples: usize) -> Vec<T> {
        let mut sums = vec![T::zero(); self.readout.len() * self.lanes];
        if !sums.is_empty() {
            self.machine.launch(Contract {
                masks: &self.readout,
                ket: work.ket.look(),
                bra: None,
                registers: 0..self.registers,
                sums: &mut sums,
            });
        }
        self.to_rows(&self.readout, sums, n_samples)
    }

    /// Adds up the lanes of a single state, and puts samples in rows.
    fn to_rows(&self, masks: &Masks, mut sums: Vec<T>, n_samples: usize) -> Vec<T> {
        if self.machine.single {
            masks.add_up_lanes(self.machine, &mut sums);
        }
        let mut out = Vec::with_capacity(n_samples * masks.len());
        super::expectation::gather_rows(&sums, self.lanes, n_samples, &mut out);
        out
    }

    fn observe(&self, cotangent: &[T], work: &mut Work<T>) {
        let mut c = self.spread(cotangent, self.readout.len());
        if self.machine.single {
            for (t, &value) in cotangent.iter().enumerate() {
                self.readout.set_coefficient(self.machine, &mut c, t, value);
            }
        }
        let expansion = Expansion::Scale { from: work.ket.view(), to: work.bra.view() };
        let (masks, coefficients, registers) = (&self.readout, &c, 0..self.registers);
        self.machine.launch(Expand { masks, coefficients, expansion, registers });
        work.by_energy.fill(T::zero());
    }

    /// Un-computes the run; returns the gradient by the schedule and leaves that by the energies.
    fn backward(&self, work: &mut Work<T>) -> Vec<T> {
        let (ket, bra, n_qubits) = (work.ket.view(), work.bra.view(), self.evolution.n_qubits);
        let mut by_schedule = vec![T::zero(); self.input.schedule.len()];
        let mut by_pulse = vec![T::zero(); self.pulses.len()];
        for (k, &pulse) in self.pulses.iter().enumerate().rev() {
            if let Some(&area) = self.input.schedule.get(2 * k) {
                let rotation = rotation(-area);
                let sums = self.parts(2).map(|part| {
                    self.machine.launch(UndoMix { ket, bra, rotation, part, n_qubits })
                });
                by_schedule[2 * k] = -T::of(2.0) * sums.sum::<T>();
            }
            let (energies, by_energy) = (&work.energies, &mut work.by_energy);
            by_pulse[k] = self.machine.launch(UndoPhases { ket, bra, energies, pulse, by_energy });
        }
        for (k, area) in by_schedule.chunks_exact_mut(2).enumerate() {
            area[1] = T::of(0.5) * (by_pulse[k] + by_pulse[k + 1]);
        }
        by_schedule
    }

    fn by_start(&self, work: &mut Work<T>, angles: Angles<T>, m: &[T], n_samples: usize) -> Vec<T> {
        let n = self.evolution.n_qubits;
        let mut sums = vec![T::zero(); 8 * n * self.lanes];
        let (ket, bra) = (work.ket.view(), work.bra.view());
        let highs = self.stages.high.iter().map(|group| (Some(*group), group.n_runs));
        for (high, n_runs) in std::iter::once((None, 0)).chain(highs) {
            let units = match high {
                Some(_) => 0..self.registers >> n_runs,
                None => 0..self.registers / self.stages.chunk,
            };
            self.machine.launch(Undo {
                ket,
                bra,
                matrices: m,
                stages: &self.stages,
                high,
                units,
                undo: false,
                sums: &mut sums,
            });
        }
        let mut gradient = Sums { inputs: vec![T::zero(); n * self.lanes], weights: Vec::new() };
        let (runs, gradient) = (&self.start, &mut gradient);
        self.machine.launch(EmitRuns { runs, angles, sums: &sums, gradient });
        let mut out = Vec::with_capacity(n_samples * n);
        super::expectation::gather_rows(&gradient.inputs, self.lanes, n_samples, &mut out);
        out
    }

    /// Spreads the gradient by the energies over fields and couplings.
    fn by_energy(&self, work: &Work<T>, n_samples: usize) -> (Vec<T>, Vec<T>) {
        let n = self.evolution.n_qubits;
        let mut sums = vec![T::zero(); self.energy.len() * self.lanes];
        if n > 0 {
            let (masks, numbers) = (&self.energy, &work.by_energy);
            self.machine.launch(ContractNumbers { masks, numbers, sums: &mut sums });
        }
        let by_term = self.to_rows(&self.energy, sums, n_samples);
        let (mut fields, mut couplings) = (Vec::new(), Vec::new());
        for terms in by_term.chunks_exact(self.energy.len().max(1)) {
            fields.extend_from_slice(&terms[..n]);
            let mut pairs = terms[n..].iter();
            let at = couplings.len();
            couplings.resize(at + n * n, T::zero());
            for i in 0..n {
                for j in i + 1..n {
                    couplings[at + i * n + j] = pairs.next().copied().unwrap_or_default();
                }
            }
        }
        if self.shared {
            let table = (n * n).min(couplings.len());
            let (first, rest) = couplings.split_at_mut(table);
            rest.chunks_exact(first.len().max(1)).for_each(|table| add(first, table));
            couplings.truncate(n * n);
        }
        (fields, couplings)
    }
}

fn rotation<T: Real>(area: T) -> Rotation<T> {
    let area = area.as_f64();
    Rotation { sin: T::of(area.sin()), cos_minus_one: T::of(-2.0 * (area / 2.0).sin().powi(2)) }
}
