//! The bridge to Burn: the operations of this crate as differentiable tensor functions.
//!
//! The only module that names a backend, `Autodiff` or a tensor primitive. One extension trait,
//! one gradient for all backends, and one host implementation that reads Flex and NdArray tensors
//! in place. On a GPU device the same host kernels serve: one read-back and one upload a call. Only
//! [`mean_field`] stays there, by operations of Burn.

// Burn deprecates its ndarray backend; users have it.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

mod autodiff;
mod host;
mod jobs;
// The kernel is that of the CPU backends.
#[cfg_attr(not(any(feature = "flex", feature = "ndarray")), allow(dead_code))]
mod mean_field;
mod run;
mod sampled;
mod spins;

pub use mean_field::mean_field;
pub use run::CircuitRun;
pub use sampled::sampled_expectation;
pub(crate) use spins::draw_spins;
pub use spins::{SpinDraw, SpinSamples, anneal_shots, sample_ising, spin_statistics, spin_tensor};

use crate::annealing::IsingSampler;
use crate::error::Error;
use crate::statevector::{Evolution, Program};
use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::{Tensor, assert_shape};
use std::sync::Arc;

/// The backend operations of this crate, implemented for every backend that a feature of this
/// crate switches on, and for `Autodiff` of each.
///
/// Users call [`circuit_expectation`], [`anneal_expectation`], [`spin_statistics`] and
/// [`mean_field`]. The trait has no default bodies:
/// with one, a missing `Autodiff` implementation would compile and lose the gradient.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
)]
pub trait QuantumOps: Backend {
    /// See [`circuit_expectation`].
    fn circuit_expectation(
        inputs: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        run: CircuitRun,
    ) -> FloatTensor<Self>;

    /// The gradient of `sum(cotangent * circuit_expectation(..))` by `inputs` and `weights`.
    fn circuit_expectation_backward(
        inputs: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        cotangent: FloatTensor<Self>,
        run: CircuitRun,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// See [`anneal_expectation`].
    fn anneal_expectation(
        fields: FloatTensor<Self>,
        couplings: FloatTensor<Self>,
        start: FloatTensor<Self>,
        schedule: FloatTensor<Self>,
        evolution: Arc<Evolution>,
    ) -> FloatTensor<Self>;

    /// The gradient of `sum(cotangent * anneal_expectation(..))` by its four tensors.
    fn anneal_expectation_backward(
        fields: FloatTensor<Self>,
        couplings: FloatTensor<Self>,
        start: FloatTensor<Self>,
        schedule: FloatTensor<Self>,
        cotangent: FloatTensor<Self>,
        evolution: Arc<Evolution>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// See [`sample_ising`]; with the inverse temperature of the samples where `estimate` asks for it.
    fn draw_spins(
        fields: FloatTensor<Self>,
        couplings: FloatTensor<Self>,
        sampler: &dyn IsingSampler,
        n_reads: usize,
        estimate: bool,
    ) -> Result<SpinDraw, Error>;

    /// See [`spin_statistics`].
    fn spin_statistics(
        fields: FloatTensor<Self>,
        couplings: FloatTensor<Self>,
        samples: Arc<SpinSamples>,
    ) -> FloatTensor<Self>;

    /// The estimated gradient of `sum(cotangent * spin_statistics(..))` by `fields` and `couplings`.
    fn spin_statistics_backward(
        fields: FloatTensor<Self>,
        couplings: FloatTensor<Self>,
        cotangent: FloatTensor<Self>,
        samples: Arc<SpinSamples>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// See [`mean_field`].
    fn mean_field(
        theta: FloatTensor<Self>,
        couplings: FloatTensor<Self>,
        n_iterations: usize,
    ) -> FloatTensor<Self>;

    /// The gradient of `sum(cotangent * m)`, `m = mean_field(..)`, by `theta` and `couplings`.
    fn mean_field_backward(
        m: FloatTensor<Self>,
        couplings: FloatTensor<Self>,
        cotangent: FloatTensor<Self>,
        n_iterations: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// Expectation values of a circuit for a batch, `out[b, k] = <psi(x_b, w)| O_k |psi(x_b, w)>`,
/// differentiable by inputs and weights (one adjoint sweep, [`Program::gradient`]).
///
/// # Shapes
///
/// - inputs: `[batch, n_inputs]`, radians
/// - weights: `[n_weights]`, radians
/// - output: `[batch, n_observables]`
///
/// # Panics
///
/// On another shape, on NaN or infinity, when the tensors differ in dtype, and on a device whose
/// feature of this crate is off.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::circuit::{Angle, Circuit, Observable};
/// use burn_quantum::{ops::circuit_expectation, statevector::Program};
/// use std::sync::Arc;
///
/// let mut circuit = Circuit::new(1);
/// circuit.ry(Angle::Input(0), 0).ry(Angle::Weight(0), 0);
/// let program = Arc::new(Program::new(&circuit, &Observable::each_z(1))?);
///
/// let device = Device::flex().autodiff();
/// let x = Tensor::<2>::from_floats([[0.3], [0.4]], &device);
/// let w = Tensor::<1>::from_floats([0.1], &device).require_grad();
/// let z = circuit_expectation(x, w.clone(), &program); // cos(x + w)
/// let by_w = w.grad(&z.sum().backward()).unwrap().into_scalar::<f32>();
/// assert!((by_w + 0.4f32.sin() + 0.5f32.sin()).abs() < 1e-6);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn circuit_expectation(
    inputs: Tensor<2>,
    weights: Tensor<1>,
    program: &Arc<Program>,
) -> Tensor<2> {
    assert_shape!(inputs, [_, program.n_inputs()]);
    assert_shape!(weights, [program.n_weights()]);
    let (inputs, weights) = (inputs.into_dispatch(), weights.into_dispatch());
    Tensor::from_dispatch(Dispatch::circuit_expectation(
        inputs,
        weights,
        CircuitRun::new(program.clone()),
    ))
}

/// Read-outs after closed-system annealing, differentiable by all four tensors; formulas and units
/// in [`EvolutionInput`](crate::statevector::EvolutionInput).
///
/// # Shapes
///
/// - fields `h`: `[batch, n_qubits]`
/// - couplings `J`: `[1, n_qubits, n_qubits]` or `[batch, n_qubits, n_qubits]`; only entries above
///   the diagonal count, the others have gradient 0
/// - start: `[batch, n_qubits]`, radians
/// - schedule: `[n_steps, 2]`, pulse areas `(A dt, B dt)`
/// - output: `[batch, n_readouts]`
///
/// # Panics
///
/// As [`circuit_expectation`].
pub fn anneal_expectation(
    fields: Tensor<2>,
    couplings: Tensor<3>,
    start: Tensor<2>,
    schedule: Tensor<2>,
    evolution: &Arc<Evolution>,
) -> Tensor<2> {
    let n = evolution.n_qubits();
    let [batch, _] = fields.dims();
    assert_shape!(fields, [batch, n]);
    assert_shape!(start, [batch, n]);
    assert_shape!(schedule, [_, 2]);
    if couplings.dims()[0] == 1 {
        assert_shape!(couplings, [1, n, n]);
    } else {
        assert_shape!(couplings, [batch, n, n]);
    }
    Tensor::from_dispatch(Dispatch::anneal_expectation(
        fields.into_dispatch(),
        couplings.into_dispatch(),
        start.into_dispatch(),
        schedule.into_dispatch(),
        evolution.clone(),
    ))
}
