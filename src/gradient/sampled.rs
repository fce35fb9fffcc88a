//! The parameter-shift rules on a sampler of circuits.

use super::parameter_shift::{Shift, shifts};
use crate::circuit::{Angle, Circuit, CircuitSampler, CircuitShots, Estimate, MeasuredCircuit};
use crate::error::{Error, length};
use crate::statevector::Gradient;

/// By what to derive: derivatives that nobody asks for would still cost runs of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Derivatives {
    /// By the inputs of each sample.
    pub inputs: bool,
    /// By the weights.
    pub weights: bool,
}

/// Expectation values of a circuit and their derivatives, as a device measured them.
///
/// The derivatives are those of [`ParameterShift`](super::GradientMethod::ParameterShift): two terms
/// for each gate with a free angle, four for a controlled rotation, so all are unbiased. For each
/// sample of the batch and each basis in which observables are measured there is one circuit for the
/// value and one for each term; all go to the sampler in one call of
/// [`run`](CircuitSampler::run).
///
/// ```
/// use burn_quantum::circuit::{Angle, Circuit, CircuitShots, MeasuredCircuit, Observable};
/// use burn_quantum::gradient::{Derivatives, SampledJacobian};
/// use burn_quantum::statevector::ShotSimulator;
///
/// let mut circuit = Circuit::new(1);
/// circuit.rx(Angle::Input(0), 0).rx(Angle::Weight(0), 0);
/// let measured = MeasuredCircuit::new(&circuit, &Observable::each_z(1))?;
/// let (device, shots) = (ShotSimulator::new(2026), CircuitShots::new(10_000));
/// let by = Derivatives { inputs: true, weights: true };
/// let jacobian = SampledJacobian::measure(&measured, &device, 1, &[0.3], &[0.1], by, &shots)?;
/// let by_weight = jacobian.weights.unwrap();
/// let error = by_weight.values[0] + 0.4f64.sin();
/// assert!(error.abs() < 5.0 * by_weight.standard_errors[0]);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SampledJacobian {
    /// The values, `[batch, n_observables]`.
    pub values: Estimate<f64>,
    /// The derivative of each value by the inputs of its sample, `[batch, n_observables, n_inputs]`,
    /// if asked for.
    pub inputs: Option<Estimate<f64>>,
    /// The derivative of each value by the weights, `[batch, n_observables, n_weights]`, if asked
    /// for.
    pub weights: Option<Estimate<f64>>,
}

impl SampledJacobian {
    /// Measures values and derivatives of a batch, in one call of the sampler.
    ///
    /// # Errors
    ///
    /// As [`MeasuredCircuit::estimate`].
    pub fn measure(
        measured: &MeasuredCircuit,
        sampler: &dyn CircuitSampler,
        batch: usize,
        inputs: &[f64],
        weights: &[f64],
        by: Derivatives,
        shots: &CircuitShots,
    ) -> Result<Self, Error> {
        let (circuit, width) = (measured.circuit(), measured.n_observables());
        let shifts = wanted(circuit, by);
        let bound = measured.bind_batch(batch, inputs, weights)?;
        let with_shifts = |c: &Circuit| {
            let shifted = shifts.iter().map(|shift| shift.apply(c));
            std::iter::once(c.clone()).chain(shifted).collect::<Vec<_>>()
        };
        let circuits: Vec<Circuit> = bound.iter().flat_map(with_shifts).collect();
        let moments = measured.moments(sampler, &circuits, shots)?;
        // [batch, 1 + n_shifts, n_observables]
        let rows = || moments.chunks((1 + shifts.len()) * width.max(1));
        let derivatives = |n: usize, place: fn(Angle) -> Option<usize>| {
            let row = |row: &[(f64, f64)]| sums(&row[width..], &shifts, width, n, place);
            Estimate::of_moments(rows().flat_map(row))
        };
        let by_input = |by| if let Angle::Input(i) = by { Some(i) } else { None };
        let by_weight = |by| if let Angle::Weight(i) = by { Some(i) } else { None };
        Ok(Self {
            values: Estimate::of_moments(rows().flat_map(|row| row[..width].iter().copied())),
            inputs: by.inputs.then(|| derivatives(circuit.n_inputs(), by_input)),
            weights: by.weights.then(|| derivatives(circuit.n_weights(), by_weight)),
        })
    }

    /// The number of circuits that [`measure`](Self::measure) gives to the sampler.
    pub fn n_circuits(measured: &MeasuredCircuit, batch: usize, by: Derivatives) -> usize {
        batch * (1 + wanted(measured.circuit(), by).len()) * measured.n_measurement_bases()
    }

    /// The gradient of `sum(cotangent * values)`, as [`Program::gradient`] returns it; what was not
    /// measured is empty.
    ///
    /// [`Program::gradient`]: crate::statevector::Program::gradient
    ///
    /// # Errors
    ///
    /// When the cotangent does not have the length of the values.
    pub fn gradient(&self, batch: usize, cotangent: &[f64]) -> Result<Gradient<f64>, Error> {
        length("cotangent", self.values.values.len(), cotangent.len())?;
        let n_values = cotangent.len();
        let width = n_values / batch.max(1);
        let columns =
            |e: &Option<Estimate<f64>>| e.as_ref().map_or(0, |e| e.values.len()) / n_values.max(1);
        let (n_inputs, n_weights) = (columns(&self.inputs), columns(&self.weights));
        let (mut inputs, mut weights) = (vec![0.0; batch * n_inputs], vec![0.0; n_weights]);
        for (row, &c) in cotangent.iter().enumerate() {
            add(&mut inputs[row / width * n_inputs..][..n_inputs], &self.inputs, row, c);
            add(&mut weights, &self.weights, row, c);
        }
        Ok(Gradient { values: self.values.values.clone(), inputs, weights })
    }
}

/// Adds a row of a Jacobian, times a factor.
fn add(slots: &mut [f64], jacobian: &Option<Estimate<f64>>, row: usize, factor: f64) {
    let Some(jacobian) = jacobian else { return };
    let row = &jacobian.values[row * slots.len()..][..slots.len()];
    slots.iter_mut().zip(row).for_each(|(slot, d)| *slot += factor * d);
}

fn wanted(circuit: &Circuit, by: Derivatives) -> Vec<Shift> {
    let mut shifts = shifts(circuit);
    shifts.retain(|shift| match shift.by {
        Angle::Input(_) => by.inputs,
        Angle::Weight(_) => by.weights,
        Angle::Constant(_) => false,
    });
    shifts
}

/// `out[k, i]`: the terms of the derivative of observable `k` by parameter `i`, with the squares of
/// their standard errors, from the moments of one sample, `[n_shifts, n_observables]`.
fn sums(
    moments: &[(f64, f64)],
    shifts: &[Shift],
    width: usize,
    n_parameters: usize,
    place: fn(Angle) -> Option<usize>,
) -> Vec<(f64, f64)> {
    let mut sums = vec![(0.0, 0.0); width * n_parameters];
    for (s, shift) in shifts.iter().enumerate() {
        let Some(i) = place(shift.by) else { continue };
        for k in 0..width {
            let (mean, square) = moments[s * width + k];
            let sum = &mut sums[k * n_parameters + i];
            sum.0 += shift.factor * mean;
            sum.1 += shift.factor * shift.factor * square;
        }
    }
    sums
}
