//! The gradient of expectation values by un-computing.
//!
//! With `L = sum_k c_k <psi|O_k|psi>` and `|bra> = sum_k c_k O_k |psi>`, the derivative by the
//! angle of a rotation about `P` is `Im <bra|P|psi>`, both taken right after that gate. Walking
//! the circuit backwards, every gate is undone on both states, so two states suffice whatever the
//! depth: no tape, no stored trajectory.
//!
//! # References
//!
//! - [Jones and Gacon (2020)](https://arxiv.org/abs/2009.02823). Their `|lambda>` is our `bra`.

use super::dispatch::{TileJob, lanes};
use super::expectation::check_finite;
use super::passes::Bound;
use super::{Lanes, Program, Real, Tile, gather, samples_per_job, scatter, walsh};
use crate::circuit::Angle;
use crate::error::{Error, length};
use rayon::prelude::*;

/// The gradient of `sum_{b,k} c[b, k] out[b, k]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient<T> {
    /// The expectation values themselves, `[batch, n_observables]`.
    pub values: Vec<T>,
    /// `[batch, n_inputs]`.
    pub inputs: Vec<T>,
    /// `[n_weights]`, summed over the batch.
    pub weights: Vec<T>,
}

impl Program {
    /// The values and the vector-Jacobian product with the cotangent `c`,
    /// `[batch, n_observables]`, for all inputs and weights in one sweep.
    ///
    /// Memory: two states and a half for each of the samples in flight.
    ///
    /// # Errors
    ///
    /// When a slice has the wrong length, or holds NaN or infinity.
    pub fn gradient<T: Real>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
        cotangent: &[T],
    ) -> Result<Gradient<T>, Error> {
        self.check(batch, inputs, weights)?;
        length("cotangent", batch * self.n_observables, cotangent.len())?;
        check_finite("cotangent", cotangent, self.n_observables)?;
        let lanes = lanes(batch, self.n_qubits);
        let per_job = samples_per_job(batch, lanes);
        let jobs = (0..batch.div_ceil(per_job)).into_par_iter();
        let parts: Vec<Gradient<T>> = jobs
            .map(|k| {
                let (first, last) = (k * per_job, ((k + 1) * per_job).min(batch));
                let job = Backward {
                    program: self,
                    n: last - first,
                    inputs: &inputs[first * self.n_inputs..last * self.n_inputs],
                    weights,
                    cotangent: &cotangent[first * self.n_observables..last * self.n_observables],
                };
                T::backward(lanes, job)
            })
            .collect();
        Ok(self.join(parts))
    }

    /// Puts the jobs together; `weights` come per tile and are summed in the order of the tiles.
    fn join<T: Real>(&self, parts: Vec<Gradient<T>>) -> Gradient<T> {
        let mut whole = Gradient {
            values: Vec::new(),
            inputs: Vec::new(),
            weights: vec![T::zero(); self.n_weights],
        };
        for part in parts {
            whole.values.extend(part.values);
            whole.inputs.extend(part.inputs);
            for tile in part.weights.chunks_exact(self.n_weights.max(1)) {
                whole.weights.iter_mut().zip(tile).for_each(|(sum, &g)| *sum += g);
            }
        }
        whole
    }

    /// `|bra> = sum_k c_k O_k |ket>`; `scratch` becomes the diagonal part.
    #[inline(always)]
    fn observe<T: Real, const L: usize>(
        &self,
        ket: &Tile<T, L>,
        cotangent: &[Lanes<T, L>],
        scratch: &mut [Lanes<T, L>],
        bra: &mut Tile<T, L>,
    ) {
        scratch.fill(Lanes::zero());
        for &(c, mask, k) in &self.diagonal {
            scratch[mask] += Lanes::splat(T::of(c)) * cotangent[k];
        }
        match self.singles {
            true => walsh::expand_singles(scratch),
            false => walsh::transform(scratch),
        }
        bra.re.copy_from_slice(&ket.re);
        bra.im.copy_from_slice(&ket.im);
        bra.scale_by(scratch);
        for &(c, string, k) in &self.other {
            bra.add_pauli(string, Lanes::splat(T::of(c)) * cotangent[k], ket);
        }
    }
}

/// Values and gradient of `n` samples; the gradient by weights one for each tile.
pub struct Backward<'a, T> {
    program: &'a Program,
    n: usize,
    inputs: &'a [T],
    weights: &'a [T],
    cotangent: &'a [T],
}

impl<T: Real> TileJob<T> for Backward<'_, T> {
    type Output = Gradient<T>;

    #[inline(always)]
    fn run<const L: usize, const FMA: bool>(self) -> Gradient<T> {
        let Backward { program, n, inputs, weights, cotangent } = self;
        let (width, dim) = (program.n_observables, 1 << program.n_qubits);
        let (mut ket, mut bra) = (Tile::<T, L>::new(dim), Tile::<T, L>::new(dim));
        let mut scratch = vec![Lanes::zero(); dim];
        let mut values = vec![Lanes::zero(); width];
        let mut bound = Bound::new(&program.plan, dim, program.angles(&[], weights));
        let mut by_input = vec![Lanes::<T, L>::zero(); program.n_inputs];
        let mut out = Gradient {
            values: vec![T::zero(); n * width],
            inputs: vec![T::zero(); n * program.n_inputs],
            weights: vec![T::zero(); n.div_ceil(L) * program.n_weights],
        };
        for (tile, first) in (0..n).step_by(L).enumerate() {
            let last = (first + L).min(n);
            let features = first * program.n_inputs..last * program.n_inputs;
            let angles = program.angles(&inputs[features.clone()], weights);
            bound.load(&program.plan, angles);
            ket.run_plan::<FMA>(&program.plan, &bound);
            program.measure(&ket, &mut scratch, &mut values);
            let rows = first * width..last * width;
            for (k, value) in values.iter_mut().enumerate() {
                scatter(*value, &mut out.values[rows.clone()], width, k);
                *value = gather(&cotangent[rows.clone()], width, k);
            }
            program.observe(&ket, &values, &mut scratch, &mut bra);
            by_input.fill(Lanes::zero());
            let by_weight = &mut out.weights[tile * program.n_weights..][..program.n_weights];
            let emit = |angle, g: Lanes<T, L>| match angle {
                Angle::Input(i) => by_input[i] += g,
                Angle::Weight(i) => by_weight[i] += g.sum(),
                Angle::Constant(_) => {}
            };
            ket.undo_plan::<FMA>(&mut bra, &program.plan, &bound, angles, &mut scratch, emit);
            for (i, &g) in by_input.iter().enumerate() {
                scatter(g, &mut out.inputs[features.clone()], program.n_inputs, i);
            }
        }
        out
    }
}
