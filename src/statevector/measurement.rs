//! What a device would return: probabilities, variances, samples and estimates from shots.

use super::{Program, Real, amplitudes};
use crate::circuit::{Estimate, Group, Observable, PauliString, check_shots, groups};
use crate::error::Error;
use crate::random::Stream;
use num_complex::Complex64;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::f64::consts::FRAC_1_SQRT_2;

impl Program {
    /// `out[b, i] = |<i|psi_b>|^2`, shape `[batch, 2^n_qubits]`.
    ///
    /// # Errors
    ///
    /// As [`expectation`](Self::expectation).
    ///
    /// ```
    /// use burn_quantum::circuit::Circuit;
    /// use burn_quantum::statevector::Program;
    ///
    /// let mut bell = Circuit::new(2);
    /// bell.h(0).cnot(0, 1);
    /// let p = Program::new(&bell, &[])?.probabilities::<f64>(1, &[], &[])?;
    /// assert!((p[0b00] - 0.5).abs() < 1e-15 && (p[0b11] - 0.5).abs() < 1e-15);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn probabilities<T: Real>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
    ) -> Result<Vec<T>, Error> {
        self.each_state(batch, inputs, weights, |_, state| {
            state.iter().map(|z| T::of(z.norm_sqr())).collect::<Vec<T>>()
        })
        .map(|rows| rows.concat())
    }

    /// `out[b, k] = <O_k^2> - <O_k>^2 >= 0`, shape `[batch, n_observables]`.
    ///
    /// Computed as `|(O - <O>) psi|^2`, which neither cancels nor becomes negative. Cost
    /// `O(2^n_qubits)` for each Pauli string and sample.
    ///
    /// # Errors
    ///
    /// As [`expectation`](Self::expectation).
    ///
    /// ```
    /// use burn_quantum::circuit::{Circuit, Observable};
    /// use burn_quantum::statevector::Program;
    ///
    /// let mut circuit = Circuit::new(1);
    /// circuit.rx(0.4, 0);
    /// let variance = Program::new(&circuit, &Observable::each_z(1))?;
    /// let variance = variance.variance::<f64>(1, &[], &[])?[0];
    /// assert!((variance - 0.4f64.sin().powi(2)).abs() < 1e-15);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn variance<T: Real>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
    ) -> Result<Vec<T>, Error> {
        self.each_state(batch, inputs, weights, |_, state| {
            let of = |observable| T::of(variance(observable, state));
            self.observables.iter().map(of).collect::<Vec<T>>()
        })
        .map(|rows| rows.concat())
    }

    /// Basis states drawn with the probabilities of the state, `[batch, shots]`; bit `q` of a
    /// value is the outcome of qubit `q`.
    ///
    /// Each sample of the batch has its own stream of random numbers: the same seed gives the same
    /// samples on any number of threads, and those of sample `b` do not depend on the others.
    ///
    /// # Errors
    ///
    /// As [`expectation`](Self::expectation).
    ///
    /// ```
    /// use burn_quantum::circuit::Circuit;
    /// use burn_quantum::statevector::Program;
    ///
    /// let mut bell = Circuit::new(2);
    /// bell.h(0).cnot(0, 1);
    /// let samples = Program::new(&bell, &[])?.samples::<f64>(1, &[], &[], 100, 2026)?;
    /// assert!(samples.iter().all(|&bits| bits == 0b00 || bits == 0b11));
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn samples<T: Real>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
        shots: usize,
        seed: u64,
    ) -> Result<Vec<usize>, Error> {
        self.each_state(batch, inputs, weights, |b, state| {
            Distribution::of_state(state).draw(shots, &mut Stream::new(seed, b as u64))
        })
        .map(|rows| rows.concat())
    }

    /// How often each basis state came among the [`samples`](Self::samples), one map for each
    /// sample of the batch.
    ///
    /// # Errors
    ///
    /// As [`expectation`](Self::expectation).
    ///
    /// ```
    /// use burn_quantum::circuit::Circuit;
    /// use burn_quantum::statevector::Program;
    ///
    /// let mut circuit = Circuit::new(1);
    /// circuit.x(0);
    /// let counts = Program::new(&circuit, &[])?.counts::<f64>(1, &[], &[], 100, 2026)?;
    /// assert_eq!(counts[0], [(1, 100)].into());
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn counts<T: Real>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
        shots: usize,
        seed: u64,
    ) -> Result<Vec<BTreeMap<usize, usize>>, Error> {
        let samples = self.samples(batch, inputs, weights, shots, seed)?;
        let count = |b: usize| {
            let mut counts = BTreeMap::new();
            for &bits in &samples[b * shots..][..shots] {
                *counts.entry(bits).or_insert(0) += 1;
            }
            counts
        };
        Ok((0..batch).map(count).collect())
    }

    /// The number of bases in which [`estimate`](Self::estimate) measures.
    pub fn n_measurement_bases(&self) -> usize {
        groups(&self.observables).len()
    }

    /// Expectation values estimated from finitely many shots, `[batch, n_observables]`.
    ///
    /// The Pauli strings of all observables are collected, in order, into groups that commute
    /// qubit by qubit. Each group is measured `shots` times in a basis of its own, all its strings
    /// in the same shots, so a sample costs `shots * n_measurement_bases` runs of a device.
    /// The estimates are unbiased. Random numbers as in [`samples`](Self::samples), a stream for
    /// each sample and group.
    ///
    /// # Errors
    ///
    /// As [`expectation`](Self::expectation), and for fewer than 2 shots, which have no spread.
    ///
    /// ```
    /// use burn_quantum::circuit::{Circuit, Observable, PauliString};
    /// use burn_quantum::statevector::Program;
    ///
    /// let mut circuit = Circuit::new(1);
    /// circuit.h(0);
    /// let energy = Observable::new([(1.0, PauliString::x(0)), (1.0, PauliString::z(0))])?;
    /// let estimate = Program::new(&circuit, &[energy])?;
    /// let estimate = estimate.estimate::<f64>(1, &[], &[], 10_000, 2026)?;
    /// assert!((estimate.values[0] - 1.0).abs() < 4.0 * estimate.standard_errors[0]);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn estimate<T: Real>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
        shots: usize,
        seed: u64,
    ) -> Result<Estimate<T>, Error> {
        check_shots(shots)?;
        let groups = groups(&self.observables);
        let moments = self.each_state(batch, inputs, weights, |b, state| {
            let mut total = vec![(0.0, 0.0); self.n_observables];
            for (g, group) in groups.iter().enumerate() {
                let stream = Stream::new(seed, (b * groups.len() + g) as u64);
                measure(group, state, shots, stream, &mut total);
            }
            total
        })?;
        let moments = moments.concat();
        Ok(Estimate {
            values: moments.iter().map(|&(mean, _)| T::of(mean)).collect(),
            standard_errors: moments.iter().map(|&(_, square)| T::of(square.sqrt())).collect(),
        })
    }

    /// Calls `f` with each sample's index and amplitudes, in parallel.
    fn each_state<T: Real, R: Send>(
        &self,
        batch: usize,
        inputs: &[T],
        weights: &[T],
        f: impl Fn(usize, &[Complex64]) -> R + Sync,
    ) -> Result<Vec<R>, Error> {
        self.check(batch, inputs, weights)?;
        let width = self.n_inputs;
        let wide = |z: num_complex::Complex<T>| Complex64::new(z.re.as_f64(), z.im.as_f64());
        let one = |b: usize| {
            let state = self.state(&inputs[b * width..][..width], weights)?;
            Ok(f(b, &state.into_iter().map(wide).collect::<Vec<_>>()))
        };
        (0..batch).into_par_iter().map(one).collect()
    }
}

/// Measures `shots` times in the basis of a group, and adds the moments of each observable.
fn measure(
    group: &Group,
    state: &[Complex64],
    shots: usize,
    mut stream: Stream,
    total: &mut [(f64, f64)],
) {
    let outcomes = Distribution::of_state(&rotated(group.basis, state)).draw(shots, &mut stream);
    let once: Vec<(usize, usize)> = outcomes.into_iter().map(|bits| (bits, 1)).collect();
    group.add_moments(&once, None, total);
}

/// The state with each axis of the basis turned onto Z.
fn rotated(basis: PauliString, state: &[Complex64]) -> Vec<Complex64> {
    let (r, i) = (Complex64::from(FRAC_1_SQRT_2), Complex64::I * FRAC_1_SQRT_2);
    let mut state = state.to_vec();
    for q in (0..basis.n_qubits()).filter(|q| basis.x >> q & 1 == 1) {
        let is_y = basis.z >> q & 1 == 1;
        let onto_z = if is_y { [r, -i, r, i] } else { [r, r, r, -r] };
        amplitudes::apply(&mut state, &onto_z, &[q], 0);
    }
    state
}

fn variance(observable: &Observable, state: &[Complex64]) -> f64 {
    let observed = amplitudes::observe(observable, state);
    let norm = amplitudes::inner(state, state).re; // 1 up to rounding, which single precision feels
    let mean = amplitudes::inner(state, &observed).re / norm;
    let rest = observed.iter().zip(state).map(|(o, z)| (o - mean * z).norm_sqr());
    rest.sum::<f64>() / norm
}

/// The probabilities of basis states, added up.
pub(crate) struct Distribution(Vec<f64>);

impl Distribution {
    pub fn new(probabilities: impl Iterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let add = |p: f64| {
            sum += p;
            sum
        };
        Self(probabilities.map(add).collect())
    }

    fn of_state(state: &[Complex64]) -> Self {
        Self::new(state.iter().map(Complex64::norm_sqr))
    }

    /// The index for a uniform number in `[0, 1)`, by inversion: the first whose sum exceeds it, so
    /// none of probability 0.
    pub fn at(&self, uniform: f64) -> usize {
        let total = self.0[self.0.len() - 1];
        self.0.partition_point(|&sum| sum <= total * uniform)
    }

    pub fn draw(&self, shots: usize, stream: &mut Stream) -> Vec<usize> {
        (0..shots).map(|_| self.at(stream.uniform())).collect()
    }
}
