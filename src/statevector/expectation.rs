//! Expectation values of a batch.

use super::dispatch::{TileJob, dispatch, lanes};
use super::program::{Instruction, Kernel};
use super::{Complex, Lanes, Program, Real, Tile, gather, samples_per_job, scatter, walsh};
use crate::circuit::Angle;
use crate::error::{Error, ErrorKind, length};
use num_complex::Complex as Number;
use rayon::prelude::*;

impl Program {
    /// `out[b, k] = <psi_b| O_k |psi_b>`, row-major, for `batch` samples.
    ///
    /// `inputs` is `[batch, n_inputs]`, `weights` is `[n_weights]`. Cost
    /// `O(batch * n_operations * 2^n_qubits)`.
    ///
    /// # Errors
    ///
    /// When a slice has another length, or holds NaN or infinity.
    pub fn expectation<T: Real>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
    ) -> Result<Vec<T>, Error> {
        self.check(batch, inputs, weights)?;
        let mut out = vec![T::zero(); batch * self.n_observables];
        if out.is_empty() {
            return Ok(out);
        }
        let lanes = lanes(batch, self.n_qubits);
        let per_job = samples_per_job(batch, lanes);
        let jobs = out.par_chunks_mut(per_job * self.n_observables).enumerate();
        jobs.for_each(|(k, out)| {
            let n = out.len() / self.n_observables;
            let inputs = &inputs[k * per_job * self.n_inputs..][..n * self.n_inputs];
            dispatch(lanes, Forward { program: self, n, inputs, weights, out });
        });
        Ok(out)
    }

    /// The amplitudes of one sample, qubit 0 the least significant bit of the index.
    ///
    /// # Errors
    ///
    /// As [`expectation`](Self::expectation).
    pub fn state<T: Real>(&self, inputs: &[T], weights: &[T]) -> Result<Vec<Number<T>>, Error> {
        self.check(1, inputs, weights)?;
        let mut ket = Tile::<T, 1>::new(1 << self.n_qubits);
        let mut angles = Vec::new();
        self.bind(inputs, weights, &mut angles);
        ket.reset();
        self.run(&mut ket, &angles);
        let amplitudes = ket.re.iter().zip(&ket.im);
        Ok(amplitudes.map(|(re, im)| Number::new(re.0[0], im.0[0])).collect())
    }

    pub(super) fn check<T: Real>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
    ) -> Result<(), Error> {
        length("inputs", batch * self.n_inputs, inputs.len())?;
        length("weights", self.n_weights, weights.len())?;
        check_finite("inputs", inputs, self.n_inputs)?;
        check_finite("weights", weights, self.n_weights)
    }

    /// `(sin, cos)` of every angle, in the order of the instructions that have one.
    #[inline(always)]
    pub(super) fn bind<T: Real, const L: usize>(
        &self,
        inputs: &[T],
        weights: &[T],
        out: &mut Vec<Complex<T, L>>,
    ) {
        out.clear();
        for instruction in &self.instructions {
            let (angle, scale) = match instruction.kernel {
                Kernel::Phase { angle, .. } => (angle, T::one()),
                Kernel::Rotation { angle, .. } => (angle, T::of(0.5)),
                _ => continue,
            };
            let value = match angle {
                Angle::Constant(value) => Lanes::splat(T::of(value)),
                Angle::Weight(i) => Lanes::splat(weights[i]),
                Angle::Input(i) => gather(inputs, self.n_inputs, i),
            };
            out.push((value * Lanes::splat(scale)).sin_cos());
        }
    }

    /// Applies the circuit.
    #[inline(always)]
    pub(super) fn run<T: Real, const L: usize>(
        &self,
        ket: &mut Tile<T, L>,
        angles: &[Complex<T, L>],
    ) {
        let mut angles = angles.iter();
        for &Instruction { kernel, controls } in &self.instructions {
            match kernel {
                Kernel::Flip { target } => ket.flip(target, controls),
                Kernel::Swap { a, b } => ket.swap(a, b, controls),
                Kernel::Matrix { target, entries } => {
                    ket.matrix(target, controls, &entries.map(constant))
                }
                Kernel::Phase { mask, .. } => {
                    let (sin, cos) = *angles.next().expect("bound");
                    ket.phase(mask, (cos, sin));
                }
                Kernel::Rotation { string, .. } => {
                    ket.rotate(string, controls, *angles.next().expect("bound"))
                }
            }
        }
    }

    /// The expectation values of a tile, one after the other through `emit(k, values)`.
    #[inline(always)]
    pub(super) fn measure<T: Real, const L: usize>(
        &self,
        ket: &Tile<T, L>,
        scratch: &mut [Lanes<T, L>],
        out: &mut [Lanes<T, L>],
    ) {
        out.fill(Lanes::zero());
        if !self.diagonal.is_empty() {
            ket.probabilities(scratch);
            walsh::transform(scratch);
        }
        for &(c, mask, k) in &self.diagonal {
            out[k] += Lanes::splat(T::of(c)) * scratch[mask];
        }
        for &(c, string, k) in &self.other {
            out[k] += Lanes::splat(T::of(c)) * ket.expectation(string);
        }
    }
}

/// Refuses NaN and infinity in a `[_, width]` slice, naming the place.
pub(super) fn check_finite<T: Real>(
    name: &'static str,
    values: &[T],
    width: usize,
) -> Result<(), Error> {
    // A sum is finite only if all terms are, or nearly all are huge: the fast path for good input.
    if values.iter().fold(T::zero(), |sum, &x| sum + x * T::zero()) == T::zero() {
        return Ok(());
    }
    let bad = values.iter().position(|x| !x.is_finite()).unwrap_or(0);
    Err(ErrorKind::NotFinite {
        what: format!("{name}[{}, {}]", bad / width, bad % width),
        value: values[bad].as_f64(),
    }
    .into())
}

#[inline(always)]
pub(super) fn constant<T: Real, const L: usize>(z: num_complex::Complex64) -> Complex<T, L> {
    (Lanes::splat(T::of(z.re)), Lanes::splat(T::of(z.im)))
}

struct Forward<'a, T> {
    program: &'a Program,
    n: usize,
    inputs: &'a [T],
    weights: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> TileJob<T> for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const L: usize>(self) {
        let (program, width) = (self.program, self.program.n_observables);
        let mut ket = Tile::<T, L>::new(1 << program.n_qubits);
        let mut scratch = vec![Lanes::zero(); 1 << program.n_qubits];
        let mut values = vec![Lanes::zero(); width];
        let mut angles = Vec::new();
        for (first, out) in (0..self.n).step_by(L).zip(self.out.chunks_mut(L * width)) {
            let last = (first + L).min(self.n);
            let inputs = &self.inputs[first * program.n_inputs..last * program.n_inputs];
            program.bind(inputs, self.weights, &mut angles);
            ket.reset();
            program.run(&mut ket, &angles);
            program.measure(&ket, &mut scratch, &mut values);
            for (k, &value) in values.iter().enumerate() {
                scatter(value, out, width, k);
            }
        }
    }
}
