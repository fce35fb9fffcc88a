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

use super::bound::{Bound, Values};
use super::buffer::Buffer;
use super::expectation::{check_finite, for_each_item, gather_rows, jobs, rows, tiles};
use super::kernels::bind::Sums;
use super::layout::{self, Share};
use super::worker::Worker;
use super::{Program, Real};
use crate::error::{Error, ErrorKind, length};
use std::ops::Range;
use std::sync::Arc;

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

    /// The values, `[batch, n_observables]`, with the states of all samples kept for
    /// [`gradient_from`](Self::gradient_from), which then need not run the circuit again.
    ///
    /// States of more than 256 MiB are not kept.
    ///
    /// # Errors
    ///
    /// As [`expectation`](Self::expectation).
    pub fn forward<T: Real>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
    ) -> Result<(Vec<T>, States<T>), Error> {
        self.check(batch, inputs, weights)?;
        Ok(T::forward(self, batch, inputs, weights))
    }

    /// As [`gradient`](Self::gradient) by the same `inputs` and `weights` as those of
    /// [`forward`](Self::forward), but without the values.
    ///
    /// # Errors
    ///
    /// As [`gradient`](Self::gradient), and when the states have another number of qubits.
    ///
    /// ```
    /// use burn_quantum::circuit::{Angle, Circuit, Observable};
    /// use burn_quantum::statevector::Program;
    ///
    /// let mut circuit = Circuit::new(1);
    /// circuit.ry(Angle::Input(0), 0);
    /// let program = Program::new(&circuit, &Observable::each_z(1))?;
    ///
    /// let x = [0.1, 0.2];
    /// let (z, states) = program.forward(2, &x, &[])?;
    /// let gradient = program.gradient_from(states, &x, &[], &[1.0, 1.0])?;
    /// assert!((z[1] - 0.2f64.cos()).abs() < 1e-15);
    /// assert!((gradient.inputs[1] + 0.2f64.sin()).abs() < 1e-15);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn gradient_from<T: Real>(
        &self,
        states: States<T>,
        inputs: &[T],
        weights: &[T],
        cotangent: &[T],
    ) -> Result<Gradient<T>, Error> {
        // The layout of states follows from the batch and the number of qubits, and kernels trust it.
        if states.n_qubits != self.n_qubits {
            let (given, n_qubits) = (states.n_qubits, self.n_qubits);
            return Err(ErrorKind::OtherStates { given, n_qubits }.into());
        }
        self.check(states.batch, inputs, weights)?;
        length("cotangent", states.batch * self.n_observables, cotangent.len())?;
        check_finite("cotangent", cotangent, self.n_observables)?;
        Ok(T::backward(self, states, inputs, weights, cotangent))
    }
}

/// The states in which a batch ended, for [`Program::gradient_from`].
#[derive(Debug)]
pub struct States<T> {
    batch: usize,
    n_qubits: usize,
    /// Nothing if they were too large to keep.
    shares: Option<Vec<KeptShare<T>>>,
}

/// What is kept of a share.
#[derive(Debug)]
struct KeptShare<T> {
    /// What its samples have in common.
    shared: Arc<[Values<T>]>,
    /// A state for each tile of each job.
    jobs: Vec<Vec<Buffer<T>>>,
}

/// Kept bytes, at most.
const MAX_KEPT: usize = 256 << 20;

pub(super) fn forward<T: Real>(
    program: &Program,
    batch: usize,
    x: &[T],
    w: &[T],
) -> (Vec<T>, States<T>) {
    let n_qubits = program.n_qubits;
    if (batch << program.n_qubits).saturating_mul(2 * size_of::<T>()) > MAX_KEPT {
        return (T::expectation(program, batch, x, w), States { batch, n_qubits, shares: None });
    }
    let (mut values, mut kept) = (Vec::new(), Vec::new());
    for share in layout::shares::<T>(batch, program.n_qubits) {
        let bound = Bound::new(program, w, &share);
        let jobs = jobs(&bound, &share.samples);
        let parts = for_each_item(&bound, &share, jobs, |worker, job| {
            let mut out = vec![T::zero(); program.n_observables * bound.lanes];
            let (mut values, mut kets) = (Vec::new(), Vec::new());
            for tile in tiles(&bound, job) {
                worker.load(&x[rows(&tile, program.n_inputs)]);
                worker.forward();
                worker.measure(&mut out);
                gather_rows(&out, bound.lanes, tile.len(), &mut values);
                kets.push(worker.take_ket());
            }
            (values, kets)
        });
        let mut jobs = Vec::with_capacity(parts.len());
        for (part, kets) in parts {
            values.extend(part);
            jobs.push(kets);
        }
        kept.push(KeptShare { shared: bound.shared.clone(), jobs });
    }
    (values, States { batch, n_qubits, shares: Some(kept) })
}

pub(super) fn backward<T: Real>(
    program: &Program,
    states: States<T>,
    x: &[T],
    w: &[T],
    c: &[T],
) -> Gradient<T> {
    let Some(kept) = states.shares else {
        return T::gradient(program, states.batch, x, w, c);
    };
    let mut kept = kept.into_iter();
    sum_shares(program, states.batch, |share| {
        let kept = kept.next().expect("as many shares as in the forward pass");
        let bound = &Bound::again(program, w, share, kept.shared);
        let jobs = jobs(bound, &share.samples).into_iter().zip(kept.jobs).collect();
        for_each_item(bound, share, jobs, |worker, (job, kets)| {
            job_gradient(bound, worker, job, x, c, Some(kets))
        })
    })
}

pub(super) fn run<T: Real>(
    program: &Program,
    batch: usize,
    x: &[T],
    w: &[T],
    c: &[T],
) -> Gradient<T> {
    sum_shares(program, batch, |share| {
        let bound = &Bound::new(program, w, share);
        for_each_item(bound, share, jobs(bound, &share.samples), |worker, job| {
            job_gradient(bound, worker, job, x, c, None)
        })
    })
}

/// Puts the jobs of all shares together, in their order.
fn sum_shares<T: Real>(
    program: &Program,
    batch: usize,
    mut parts: impl FnMut(&Share) -> Vec<Gradient<T>>,
) -> Gradient<T> {
    let mut whole = Gradient {
        values: Vec::with_capacity(batch * program.n_observables),
        inputs: Vec::with_capacity(batch * program.n_inputs),
        weights: vec![T::zero(); program.n_weights],
    };
    for share in layout::shares::<T>(batch, program.n_qubits) {
        for part in parts(&share) {
            whole.values.extend(part.values);
            whole.inputs.extend(part.inputs);
            whole.weights.iter_mut().zip(part.weights).for_each(|(sum, g)| *sum += g);
        }
    }
    whole
}

/// The gradient of a job, from the states of its tiles if they were kept; only otherwise with the
/// values.
fn job_gradient<T: Real>(
    bound: &Bound<T>,
    worker: &mut Worker<T>,
    job: Range<usize>,
    x: &[T],
    c: &[T],
    kets: Option<Vec<Buffer<T>>>,
) -> Gradient<T> {
    let (program, n) = (bound.program, bound.lanes);
    let (n_inputs, width) = (program.n_inputs, program.n_observables);
    let room = |width: usize| Vec::with_capacity(job.len() * width);
    let values = if kets.is_none() { room(width) } else { Vec::new() };
    let mut part = Gradient { values, inputs: room(n_inputs), weights: Vec::new() };
    let mut values = vec![T::zero(); width * n];
    let mut sums = Sums {
        inputs: vec![T::zero(); n_inputs * n],
        weights: vec![T::zero(); program.n_weights * n],
    };
    let mut kets = kets.map(Vec::into_iter);
    for tile in tiles(bound, job) {
        worker.load(&x[rows(&tile, n_inputs)]);
        match kets.as_mut().and_then(Iterator::next) {
            Some(ket) => worker.put_ket(ket),
            None => {
                worker.forward();
                worker.measure(&mut values);
                gather_rows(&values, n, tile.len(), &mut part.values);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::super::simd::Machine;
    use super::*;
    use crate::circuit::{Angle, Circuit, Gate, Observable, PauliString};

    /// Every gate of the table, on qubits that are bits of a lane and on others.
    fn circuit(n_qubits: usize) -> Circuit {
        let mut circuit = Circuit::new(n_qubits);
        (0..n_qubits).for_each(|q| {
            circuit.ry(Angle::Input(q), q).rx(Angle::Weight(q), q);
        });
        for (k, gate) in Gate::all().enumerate() {
            let info = gate.info();
            let qubits: Vec<usize> =
                (0..info.n_qubits()).map(|i| (5 * k + 2 * i) % n_qubits).collect();
            let angles: Vec<Angle> = (0..info.n_angles)
                .map(|i| match (k + i) % 3 {
                    0 => Angle::Input(k % n_qubits),
                    1 => Angle::Weight(k % n_qubits),
                    _ => Angle::Constant(0.1 * k as f64),
                })
                .collect();
            circuit.gate(gate, &qubits, &angles);
        }
        circuit
    }

    fn check<T: Real>(tolerance: f64) {
        for n_qubits in [5, 7] {
            let strings =
                (0..n_qubits).map(|q| PauliString::z(q) * PauliString::x((q + 1) % n_qubits));
            let observables: Vec<Observable> =
                strings.map(Observable::from).chain(Observable::each_z(n_qubits)).collect();
            let program = Program::new(&circuit(n_qubits), &observables).expect("valid");
            let numbers = |n: usize, f: f64| -> Vec<f64> {
                (0..n).map(|k| (f * (k + 1) as f64).sin() * 3.0).collect()
            };
            let (batch, width) = (3, observables.len());
            let (x, w) = (numbers(batch * n_qubits, 1.3), numbers(n_qubits, 0.7));
            let c = numbers(batch * width, 2.1);
            let exact = program.gradient(batch, &x, &w, &c).expect("valid");
            let [x, w, c] = [x, w, c].map(|v| v.into_iter().map(T::of).collect::<Vec<T>>());
            for machine in [false, true].into_iter().flat_map(Machine::every) {
                let share = Share { samples: 0..batch, machine };
                let bound = Bound::new(&program, &w, &share);
                let mut worker = Worker::new(&bound);
                let got = job_gradient(&bound, &mut worker, 0..batch, &x, &c, None);
                let pairs = [
                    (got.values, &exact.values),
                    (got.inputs, &exact.inputs),
                    (got.weights, &exact.weights),
                ];
                for (got, exact) in pairs {
                    assert_eq!(got.len(), exact.len());
                    let error = got.iter().zip(exact).map(|(a, b)| (a.as_f64() - b).abs());
                    let error = error.fold(0.0, f64::max);
                    assert!(error < tolerance, "{n_qubits} qubits on {machine:?}: {error:e}");
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_and_layout_agrees() {
        check::<f64>(1e-12);
        check::<f32>(1e-3);
    }
}
