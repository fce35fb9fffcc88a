//! Expectation values of a batch.

use super::dispatch::{TileJob, lanes};
use super::passes::{Angles, Bound};
use super::{Complex, Lanes, Program, Real, Tile, samples_per_job, scatter, walsh};
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
            T::forward(lanes, Forward { program: self, n, inputs, weights, out });
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
        Ok(T::state(self, inputs, weights))
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

    /// The angles of a tile of samples.
    pub(super) fn angles<'a, T>(&self, inputs: &'a [T], weights: &'a [T]) -> Angles<'a, T> {
        Angles { inputs, width: self.n_inputs, weights }
    }

    /// The expectation values of a tile.
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
            match self.singles {
                true => walsh::transform_singles(scratch),
                false => walsh::transform(scratch),
            }
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

/// The expectation values of `n` samples.
pub struct Forward<'a, T> {
    program: &'a Program,
    n: usize,
    inputs: &'a [T],
    weights: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> TileJob<T> for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const L: usize, const FMA: bool>(self) {
        let (program, width) = (self.program, self.program.n_observables);
        let mut ket = Tile::<T, L>::new(1 << program.n_qubits);
        let mut scratch = vec![Lanes::zero(); 1 << program.n_qubits];
        let mut values = vec![Lanes::zero(); width];
        let mut bound =
            Bound::new(&program.plan, 1 << program.n_qubits, program.angles(&[], self.weights));
        for (first, out) in (0..self.n).step_by(L).zip(self.out.chunks_mut(L * width)) {
            let last = (first + L).min(self.n);
            let inputs = &self.inputs[first * program.n_inputs..last * program.n_inputs];
            bound.load(&program.plan, program.angles(inputs, self.weights));
            ket.run_plan::<FMA>(&program.plan, &bound);
            program.measure(&ket, &mut scratch, &mut values);
            for (k, &value) in values.iter().enumerate() {
                scatter(value, out, width, k);
            }
        }
    }
}

/// The amplitudes of one sample.
pub struct State<'a, T> {
    pub program: &'a Program,
    pub inputs: &'a [T],
    pub weights: &'a [T],
}

impl<T: Real> TileJob<T> for State<'_, T> {
    type Output = Vec<Number<T>>;

    #[inline(always)]
    fn run<const L: usize, const FMA: bool>(self) -> Vec<Number<T>> {
        let (plan, dim) = (&self.program.plan, 1 << self.program.n_qubits);
        let angles = self.program.angles(self.inputs, self.weights);
        let mut ket = Tile::<T, L>::new(dim);
        let mut bound = Bound::new(plan, dim, angles);
        bound.load(plan, angles);
        ket.run_plan::<FMA>(plan, &bound);
        let amplitudes = ket.re.iter().zip(&ket.im);
        amplitudes.map(|(re, im)| Number::new(re.0[0], im.0[0])).collect()
    }
}
