//! Circuits on a sampler, as a tensor function.

use crate::circuit::{CircuitSampler, CircuitShots, MeasuredCircuit};
use crate::error::Error;
use crate::gradient::{Derivatives, SampledJacobian};
use burn::tensor::{Tensor, TensorData, assert_shape};

/// Expectation values of a circuit for a batch as a sampler measures them, differentiable by inputs
/// and weights through the parameter-shift rules.
///
/// Shapes as in [`circuit_expectation`](super::circuit_expectation). Whatever the backward pass can
/// need is measured here, because it could not report that a device failed: one call of
/// [`CircuitSampler::run`] in all, with [`SampledJacobian::n_circuits`] circuits. Derivatives by a
/// tensor that is not tracked are not measured, so inference takes `batch * n_measurement_bases`
/// circuits.
///
/// # Errors
///
/// As [`MeasuredCircuit::estimate`].
///
/// # Panics
///
/// Panics on other shapes.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::circuit::{Angle, Circuit, CircuitShots, MeasuredCircuit, Observable};
/// use burn_quantum::{ops::sampled_expectation, statevector::ShotSimulator};
///
/// let mut circuit = Circuit::new(1);
/// circuit.ry(Angle::Input(0), 0).ry(Angle::Weight(0), 0);
/// let circuit = MeasuredCircuit::new(&circuit, &Observable::each_z(1))?;
///
/// let device = Device::flex().autodiff();
/// let x = Tensor::<2>::from_floats([[0.3], [0.4]], &device);
/// let w = Tensor::<1>::from_floats([0.1], &device).require_grad();
/// let (simulator, shots) = (ShotSimulator::new(2026), CircuitShots::new(10_000));
/// let z = sampled_expectation(x, w.clone(), &circuit, &simulator, &shots)?; // cos(x + w)
/// let by_w = w.grad(&z.sum().backward()).unwrap().into_scalar::<f32>();
/// assert!((by_w + 0.4f32.sin() + 0.5f32.sin()).abs() < 0.05);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn sampled_expectation(
    inputs: Tensor<2>,
    weights: Tensor<1>,
    circuit: &MeasuredCircuit,
    sampler: &dyn CircuitSampler,
    shots: &CircuitShots,
) -> Result<Tensor<2>, Error> {
    let (n_inputs, n_weights) = (circuit.circuit().n_inputs(), circuit.circuit().n_weights());
    assert_shape!(inputs, [_, n_inputs]);
    assert_shape!(weights, [n_weights]);
    let [batch, _] = inputs.dims();
    let by = Derivatives { inputs: inputs.is_tracked(), weights: weights.is_tracked() };
    // The same numbers as constants.
    let (x, w) = (inputs.clone().without_autodiff(), weights.clone().without_autodiff());
    let [x_values, w_values] = [x.to_data(), w.to_data()].map(floats);
    let jacobian =
        SampledJacobian::measure(circuit, sampler, batch, &x_values, &w_values, by, shots)?;
    let (to, width) = ((x.device(), x.dtype()), circuit.n_observables());
    // To first order, values + J (x - x0), whose second term is exactly 0 at x0.
    let values = TensorData::new(jacobian.values.values, [batch, width]);
    let mut out = Tensor::<2>::from_data(values, (&to.0, to.1));
    let constant = |values: Vec<f64>, shape: [usize; 3]| {
        Tensor::<3>::from_data(TensorData::new(values, shape), (&to.0, to.1))
    };
    let is_empty = batch * width == 0;
    if let Some(by_inputs) = jacobian.inputs.filter(|_| !is_empty && n_inputs > 0) {
        let by_inputs = constant(by_inputs.values, [batch, width, n_inputs]);
        let moved = (inputs - x).reshape([batch, n_inputs, 1]);
        out = out + by_inputs.matmul(moved).reshape([batch, width]);
    }
    if let Some(by_weights) = jacobian.weights.filter(|_| !is_empty && n_weights > 0) {
        let by_weights = constant(by_weights.values, [1, batch * width, n_weights]);
        let moved = (weights - w).reshape([1, n_weights, 1]);
        out = out + by_weights.matmul(moved).reshape([batch, width]);
    }
    Ok(out)
}

fn floats(data: TensorData) -> Vec<f64> {
    data.iter::<f64>().collect()
}
