//! Any circuit as a layer.

use crate::circuit::{Circuit, Observable};
use crate::ops::circuit_expectation;
use crate::statevector::Program;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, assert_shape};
use std::f64::consts::PI;
use std::sync::Arc;

/// Configuration to create a [`CircuitLayer`] using the [init function](CircuitLayerConfig::init).
#[derive(Config, Debug)]
pub struct CircuitLayerConfig {
    /// The circuit. Its inputs are the layer's features, its weights are trained.
    pub circuit: Circuit,
    /// The observables whose expectation values are the outputs.
    pub observables: Vec<Observable>,
    /// The initial weights, in radians. Default: uniform in `[-pi, pi]`.
    #[config(
        default = "Initializer::Uniform { min: -core::f64::consts::PI, max: core::f64::consts::PI }"
    )]
    pub initializer: Initializer,
}

/// A parametrised circuit, differentiated by the adjoint method.
///
/// `O[b, k] = <0| U(x_b, w)^dagger O_k U(x_b, w) |0>`, with `U` the circuit of the config. Qubits,
/// rotations and signs follow the [conventions of the crate](crate#conventions).
///
/// Should be created with [`CircuitLayerConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::circuit::{Angle, Circuit, Observable, ansatz};
/// use burn_quantum::nn::CircuitLayerConfig;
///
/// let mut circuit = Circuit::new(2);
/// circuit.ry(Angle::Input(0), 0).ry(Angle::Input(1), 1);
/// circuit.append(&ansatz::strongly_entangling(2, 1))?;
///
/// let device = Device::flex();
/// let layer = CircuitLayerConfig::new(circuit, Observable::each_z(2)).init(&device);
/// let out = layer.forward(Tensor::zeros([5, 2], &device));
/// assert_eq!(out.dims(), [5, 2]);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct CircuitLayer {
    /// The angles of the circuit's weights in radians, `[n_weights]`.
    pub weights: Param<Tensor<1>>,
    #[module(skip)]
    program: Arc<Program>,
}

impl CircuitLayerConfig {
    /// Initialises a new layer.
    ///
    /// # Panics
    ///
    /// Panics where [`Program::new`] fails: a circuit of too many qubits, or an observable on a
    /// qubit that it does not have.
    pub fn init(&self, device: &Device) -> CircuitLayer {
        let program = Program::new(&self.circuit, &self.observables);
        let program = program.unwrap_or_else(|error| panic!("CircuitLayerConfig: {error}"));
        CircuitLayer {
            weights: self.initializer.init([program.n_weights()], device),
            program: Arc::new(program),
        }
    }

    /// Initial angles within `+-scale` radians: close to the identity for most templates, so that
    /// gradients do not start on a plateau.
    ///
    /// # References
    ///
    /// - [Grant et al. (2019)](https://arxiv.org/abs/1903.05076), who initialise blocks to the
    ///   identity exactly.
    ///
    /// # Panics
    ///
    /// Panics unless `0 < scale <= pi`.
    pub fn with_small_angles(self, scale: f64) -> Self {
        assert!(scale > 0.0 && scale <= PI, "scale is {scale}: use a value in (0, pi]");
        self.with_initializer(Initializer::Uniform { min: -scale, max: scale })
    }
}

impl CircuitLayer {
    /// Applies the circuit to each row.
    ///
    /// # Shapes
    ///
    /// - input: `[batch_size, n_inputs]`, radians
    /// - output: `[batch_size, n_observables]`
    ///
    /// # Panics
    ///
    /// Panics if the last axis of `input` is not `n_inputs`, or if a value is not finite.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        assert_shape!(input, [_, self.program.n_inputs()]);
        circuit_expectation(input, self.weights.val(), &self.program)
    }

    /// The number of features that the circuit reads.
    pub fn n_inputs(&self) -> usize {
        self.program.n_inputs()
    }

    /// The number of expectation values.
    pub fn n_outputs(&self) -> usize {
        self.program.n_observables()
    }
}
