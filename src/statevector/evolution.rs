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

use super::dispatch::{TileJob, lanes};
use super::expectation::check_finite;
use super::program::check_size;
use super::{Lanes, Real, Tile, gather, samples_per_job, scatter, walsh};
use crate::circuit::PauliString;
use crate::error::{Error, ErrorKind, length};
use rayon::prelude::*;

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
        let parts = self.run_jobs(input, None);
        Ok(parts.into_iter().flat_map(|part| part.values).collect())
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
        let parts = self.run_jobs(input, Some(cotangent));
        let mut whole = EvolutionGradient {
            values: Vec::new(),
            fields: Vec::new(),
            couplings: Vec::new(),
            start: Vec::new(),
            schedule: vec![T::zero(); input.schedule.len()],
        };
        let mut shared = vec![T::zero(); self.n_qubits * self.n_qubits];
        for part in parts {
            whole.values.extend(part.values);
            whole.fields.extend(part.fields);
            whole.start.extend(part.start);
            add_chunks(&mut whole.schedule, &part.schedule);
            if self.is_shared(input) {
                add_chunks(&mut shared, &part.couplings);
            } else {
                whole.couplings.extend(part.couplings);
            }
        }
        if self.is_shared(input) {
            whole.couplings = shared;
        }
        Ok(whole)
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

    fn run_jobs<T: Real>(
        &self,
        input: &EvolutionInput<T>,
        cotangent: Option<&[T]>,
    ) -> Vec<EvolutionGradient<T>> {
        let lanes = lanes(input.batch, self.n_qubits);
        let per_job = samples_per_job(input.batch, lanes);
        let (n, width) = (self.n_qubits, self.n_readouts());
        let job = |k: usize| {
            let (first, last) = (k * per_job, ((k + 1) * per_job).min(input.batch));
            let couplings = match self.is_shared(input) {
                true => input.couplings,
                false => &input.couplings[first * n * n..last * n * n],
            };
            let input = EvolutionInput {
                batch: last - first,
                fields: &input.fields[first * n..last * n],
                couplings,
                start: &input.start[first * n..last * n],
                schedule: input.schedule,
            };
            let cotangent = cotangent.map(|c| &c[first * width..last * width]);
            T::evolve(
                lanes,
                Run { evolution: self, shared: self.is_shared(&input), input, cotangent },
            )
        };
        (0..input.batch.div_ceil(per_job)).into_par_iter().map(job).collect()
    }
}

/// Adds each chunk of the length of `sum` to it.
fn add_chunks<T: Real>(sum: &mut [T], values: &[T]) {
    for chunk in values.chunks_exact(sum.len().max(1)) {
        sum.iter_mut().zip(chunk).for_each(|(sum, &x)| *sum += x);
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

/// Some runs of a batch, with their gradient if there is a cotangent.
pub struct Run<'a, T> {
    evolution: &'a Evolution,
    shared: bool,
    input: EvolutionInput<'a, T>,
    cotangent: Option<&'a [T]>,
}

/// The buffers of one tile: two states, the energies and their gradient, three states in all.
struct Work<T, const L: usize> {
    ket: Tile<T, L>,
    bra: Tile<T, L>,
    energies: Vec<Lanes<T, L>>,
    scratch: Vec<Lanes<T, L>>,
}

impl<T: Real> Run<'_, T> {
    /// The energy of every basis state.
    #[inline(always)]
    fn load_energies<const L: usize>(&self, rows: &Rows, energies: &mut [Lanes<T, L>]) {
        let n = self.evolution.n_qubits;
        energies.fill(Lanes::zero());
        for i in 0..n {
            energies[1 << i] = gather(&self.input.fields[rows.of(n)], n, i);
            for j in i + 1..n {
                energies[1 << i | 1 << j] = match self.shared {
                    true => Lanes::splat(self.input.couplings[i * n + j]),
                    false => gather(&self.input.couplings[rows.of(n * n)], n * n, i * n + j),
                };
            }
        }
        walsh::transform(energies);
    }

    #[inline(always)]
    fn forward<const L: usize>(&self, rows: &Rows, pulses: &[T], work: &mut Work<T, L>) {
        let n = self.evolution.n_qubits;
        let start = &self.input.start[rows.of(n)];
        let half = Lanes::splat(T::of(0.5));
        let half_angles: Vec<_> = (0..n).map(|q| (gather(start, n, q) * half).sin_cos()).collect();
        work.ket.fill_product(&half_angles);
        for (k, &pulse) in pulses.iter().enumerate() {
            turn_phases(&mut work.ket, &work.energies, pulse);
            if let Some(&area) = self.input.schedule.get(2 * k) {
                turn_x(&mut work.ket, n, area);
            }
        }
    }

    #[inline(always)]
    fn measure<const L: usize>(&self, work: &mut Work<T, L>, values: &mut [T]) {
        work.ket.probabilities(&mut work.scratch);
        walsh::transform(&mut work.scratch);
        let readout = &self.evolution.readout;
        for (k, &mask) in readout.iter().enumerate() {
            scatter(work.scratch[mask], values, readout.len(), k);
        }
    }

    #[inline(always)]
    fn observe<const L: usize>(&self, cotangent: &[T], work: &mut Work<T, L>) {
        let readout = &self.evolution.readout;
        work.scratch.fill(Lanes::zero());
        for (k, &mask) in readout.iter().enumerate() {
            work.scratch[mask] += gather(cotangent, readout.len(), k);
        }
        walsh::transform(&mut work.scratch);
        work.bra.re.copy_from_slice(&work.ket.re);
        work.bra.im.copy_from_slice(&work.ket.im);
        work.bra.scale_by(&work.scratch);
        work.scratch.fill(Lanes::zero());
    }

    /// Un-computes the run; `by_pulse` receives the gradient by the phase pulses and
    /// `by_schedule` that by the X pulses, `work.scratch` that by the energies.
    #[inline(always)]
    fn backward<const L: usize>(
        &self,
        pulses: &[T],
        work: &mut Work<T, L>,
        by_pulse: &mut [T],
        by_schedule: &mut [T],
    ) {
        let n = self.evolution.n_qubits;
        for (k, &pulse) in pulses.iter().enumerate().rev() {
            if let Some(&area) = self.input.schedule.get(2 * k) {
                let mut sum = Lanes::zero();
                for q in 0..n {
                    sum += work.bra.im_pauli(PauliString::x(q), 0, &work.ket);
                }
                by_schedule[2 * k] = -T::of(2.0) * sum.sum();
                turn_x(&mut work.ket, n, -area);
                turn_x(&mut work.bra, n, -area);
            }
            by_pulse[k] = phase_gradient(work, pulse);
            turn_phases(&mut work.ket, &work.energies, -pulse);
            turn_phases(&mut work.bra, &work.energies, -pulse);
        }
        for (k, area) in by_schedule.chunks_exact_mut(2).enumerate() {
            area[1] = T::of(0.5) * (by_pulse[k] + by_pulse[k + 1]);
        }
    }

    /// Spreads the gradient by the energies over fields and couplings.
    #[inline(always)]
    fn unload_energies<const L: usize>(
        &self,
        gradient: &mut [Lanes<T, L>],
        fields: &mut [T],
        couplings: &mut [T],
    ) {
        let n = self.evolution.n_qubits;
        walsh::transform(gradient);
        for i in 0..n {
            scatter(gradient[1 << i], fields, n, i);
            for j in i + 1..n {
                let g = gradient[1 << i | 1 << j];
                match self.shared {
                    true => couplings[i * n + j] = g.sum(),
                    false => scatter(g, couplings, n * n, i * n + j),
                }
            }
        }
    }
}

/// A range of samples.
struct Rows(std::ops::Range<usize>);

impl Rows {
    fn of(&self, width: usize) -> std::ops::Range<usize> {
        self.0.start * width..self.0.end * width
    }
}

/// `exp(-i pulse E)` on every amplitude.
#[inline(always)]
fn turn_phases<T: Real, const L: usize>(ket: &mut Tile<T, L>, energies: &[Lanes<T, L>], pulse: T) {
    let pulse = Lanes::splat(pulse);
    for ((re, im), &e) in ket.re.iter_mut().zip(&mut ket.im).zip(energies) {
        let (s, c) = (e * pulse).sin_cos();
        (*re, *im) = (c * *re + s * *im, c * *im - s * *re);
    }
}

/// `exp(i area X)` on every qubit.
#[inline(always)]
fn turn_x<T: Real, const L: usize>(ket: &mut Tile<T, L>, n_qubits: usize, area: T) {
    let area = area.as_f64();
    let cos_minus_one = -2.0 * (area / 2.0).sin().powi(2);
    let turn = (Lanes::splat(T::of(-area.sin())), Lanes::splat(T::of(cos_minus_one)));
    for q in 0..n_qubits {
        ket.rotate_x_slightly(1 << q, turn);
    }
}

/// `2 Im <bra|E|ket>`, and adds `2 pulse Im(conj(bra_i) ket_i)` to the gradient by `E_i`.
#[inline(always)]
fn phase_gradient<T: Real, const L: usize>(work: &mut Work<T, L>, pulse: T) -> T {
    let mut sum = Lanes::zero();
    let (two, pulse) = (Lanes::splat(T::of(2.0)), Lanes::splat(pulse));
    for (i, (gradient, &e)) in work.scratch.iter_mut().zip(&work.energies).enumerate() {
        let w = two * work.bra.im_product(i, i, &work.ket);
        *gradient += pulse * w;
        sum += e * w;
    }
    sum.sum()
}

impl<T: Real> TileJob<T> for Run<'_, T> {
    type Output = EvolutionGradient<T>;

    #[inline(always)]
    fn run<const L: usize, const FMA: bool>(self) -> EvolutionGradient<T> {
        let (batch, n) = (self.input.batch, self.evolution.n_qubits);
        let (width, steps) = (self.evolution.n_readouts(), self.input.schedule.len());
        let wanted = |len: usize| vec![T::zero(); if self.cotangent.is_some() { len } else { 0 }];
        let per_tile = if self.shared { batch.div_ceil(L) } else { batch };
        let mut out = EvolutionGradient {
            values: vec![T::zero(); batch * width],
            fields: wanted(batch * n),
            couplings: wanted(per_tile * n * n),
            start: wanted(batch * n),
            schedule: wanted(batch.div_ceil(L) * steps),
        };
        let mut work = Work {
            ket: Tile::<T, L>::new(1 << n),
            bra: Tile::new(if self.cotangent.is_some() { 1 << n } else { 0 }),
            energies: vec![Lanes::zero(); 1 << n],
            scratch: vec![Lanes::zero(); 1 << n],
        };
        let pulses = phase_pulses(self.input.schedule);
        let mut by_pulse = vec![T::zero(); pulses.len()];
        for (tile, first) in (0..batch).step_by(L).enumerate() {
            let rows = Rows(first..(first + L).min(batch));
            self.load_energies(&rows, &mut work.energies);
            self.forward(&rows, &pulses, &mut work);
            self.measure(&mut work, &mut out.values[rows.of(width)]);
            let Some(cotangent) = self.cotangent else {
                continue;
            };
            self.observe(&cotangent[rows.of(width)], &mut work);
            let by_schedule = &mut out.schedule[tile * steps..][..steps];
            self.backward(&pulses, &mut work, &mut by_pulse, by_schedule);
            for q in 0..n {
                let g = work.bra.im_pauli(PauliString::y(q), 0, &work.ket);
                scatter(g, &mut out.start[rows.of(n)], n, q);
            }
            let couplings = match self.shared {
                true => &mut out.couplings[tile * n * n..][..n * n],
                false => &mut out.couplings[rows.of(n * n)],
            };
            let fields = &mut out.fields[rows.of(n)];
            self.unload_energies(&mut work.scratch, fields, couplings);
        }
        out
    }
}
