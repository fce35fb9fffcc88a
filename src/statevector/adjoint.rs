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

use super::bound::Bound;
use super::expectation::{check_finite, for_jobs, gather_rows, rows, tiles};
use super::kernels::bind::Sums;
use super::worker::Worker;
use super::{Program, Real, layout};
use crate::error::{Error, length};
use std::ops::Range;

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
        Ok(T::gradient(self, batch, inputs, weights, cotangent))
    }
}

pub(super) fn run<T: Real>(
    program: &Program,
    batch: usize,
    x: &[T],
    w: &[T],
    c: &[T],
) -> Gradient<T> {
    let mut whole = Gradient {
        values: Vec::with_capacity(batch * program.n_observables),
        inputs: Vec::with_capacity(batch * program.n_inputs),
        weights: vec![T::zero(); program.n_weights],
    };
    for share in layout::shares::<T>(batch, program.n_qubits) {
        let bound = Bound::new(program, w, &share);
        let parts = for_jobs(&bound, &share, |worker, job| job_gradient(&bound, worker, job, x, c));
        for part in parts {
            whole.values.extend(part.values);
            whole.inputs.extend(part.inputs);
            whole.weights.iter_mut().zip(part.weights).for_each(|(sum, g)| *sum += g);
        }
    }
    whole
}

fn job_gradient<T: Real>(
    bound: &Bound<T>,
    worker: &mut Worker<T>,
    job: Range<usize>,
    x: &[T],
    c: &[T],
) -> Gradient<T> {
    let (program, n) = (bound.program, bound.lanes);
    let (n_inputs, width) = (program.n_inputs, program.n_observables);
    let mut part = Gradient { values: Vec::new(), inputs: Vec::new(), weights: Vec::new() };
    let mut values = vec![T::zero(); width * n];
    let mut sums = Sums {
        inputs: vec![T::zero(); n_inputs * n],
        weights: vec![T::zero(); program.n_weights * n],
    };
    for tile in tiles(bound, job) {
        worker.load(&x[rows(&tile, n_inputs)]);
        worker.forward();
        worker.measure(&mut values);
        gather_rows(&values, n, tile.len(), &mut part.values);
        worker.observe(&c[rows(&tile, width)]);
        sums.inputs.fill(T::zero());
        worker.backward(&mut sums);
        gather_rows(&sums.inputs, n, tile.len(), &mut part.inputs);
    }
    // Of single states all lanes hold the same.
    let taken = if bound.machine.single { 1 } else { n };
    let weights = sums.weights.chunks_exact(n);
    part.weights = weights.map(|lanes| lanes[..taken].iter().copied().sum()).collect();
    part
}
