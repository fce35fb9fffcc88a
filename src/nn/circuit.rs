//! Any circuit as a layer.

use crate::circuit::{Circuit, CircuitSampler, CircuitShots, MeasuredCircuit, Observable};
use crate::error::Error;
use crate::ops::{circuit_expectation, sampled_expectation};
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

/// A parametrised circuit: simulated and differentiated by the adjoint method, or run on a device and
/// differentiated by the parameter-shift rules.
///
/// `O[b, k] = <0| U(x_b, w)^dagger O_k U(x_b, w) |0>`, with `U` the circuit of the config. Qubits,
/// rotations and signs follow the [conventions of the crate](crate#conventions). Any
/// [`CircuitSampler`], so a device as well, takes the place of the exact simulator with
/// [`init_with_sampler`](CircuitLayerConfig::init_with_sampler); weights and records stay the same.
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
    runs: Runs,
}

/// What runs the circuit.
#[derive(Debug, Clone)]
enum Runs {
    Exactly(Arc<Program>),
    Sampled(Arc<Sampling>),
}

#[derive(Debug)]
struct Sampling {
    circuit: MeasuredCircuit,
    sampler: Arc<dyn CircuitSampler>,
    shots: CircuitShots,
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
        self.init_with(device, Runs::Exactly(Arc::new(program)))
    }

    /// Initialises a new layer whose expectation values come from `sampler`: a client of a device, or
    /// [`ShotSimulator`](crate::statevector::ShotSimulator).
    ///
    /// Each call of the layer is one call of [`CircuitSampler::run`]. Inference takes one circuit for
    /// each row and measurement basis. Where inputs or weights are tracked, the circuits that their
    /// derivatives need go along, two for each gate with such an angle and four for a controlled
    /// rotation, because a backward pass could not report that a device failed:
    /// [`SampledJacobian`](crate::gradient::SampledJacobian).
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use burn_quantum::circuit::{Angle, Circuit, CircuitShots, Observable, ReadoutErrors};
    /// use burn_quantum::{nn::CircuitLayerConfig, statevector::ShotSimulator};
    /// use std::sync::Arc;
    ///
    /// let mut circuit = Circuit::new(2);
    /// circuit.ry(Angle::Input(0), 0).cnot(0, 1).ry(Angle::Weight(0), 1);
    /// let errors = ReadoutErrors::new([[0.01, 0.03]; 2])?;
    /// let sampler = Arc::new(ShotSimulator::new(2026).with_readout_errors(errors));
    /// // As for a device, whose errors are not known.
    /// let errors = ReadoutErrors::calibrate(&*sampler, 2, 10_000)?;
    /// let shots = CircuitShots::new(1000).with_mitigation(errors);
    ///
    /// let device = Device::flex();
    /// let config = CircuitLayerConfig::new(circuit, Observable::each_z(2));
    /// let layer = config.init_with_sampler(&device, sampler, shots);
    /// let out = layer.try_forward(Tensor::zeros([5, 1], &device))?;
    /// assert_eq!(out.dims(), [5, 2]);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Panics where [`MeasuredCircuit::new`] and [`MeasuredCircuit::check`] fail: on an observable on
    /// a qubit that the circuit does not have, a circuit that the sampler does not take, fewer than
    /// 2 shots, and read-out errors that cannot be taken out.
    pub fn init_with_sampler(
        &self,
        device: &Device,
        sampler: Arc<dyn CircuitSampler>,
        shots: CircuitShots,
    ) -> CircuitLayer {
        let circuit = MeasuredCircuit::new(&self.circuit, &self.observables)
            .and_then(|circuit| circuit.check(&*sampler, &shots).map(|()| circuit))
            .unwrap_or_else(|error| panic!("CircuitLayerConfig: {error}"));
        self.init_with(device, Runs::Sampled(Arc::new(Sampling { circuit, sampler, shots })))
    }

    fn init_with(&self, device: &Device, runs: Runs) -> CircuitLayer {
        CircuitLayer { weights: self.initializer.init([self.circuit.n_weights()], device), runs }
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
    /// Panics if the last axis of `input` is not `n_inputs`, if a value is not finite, and with the
    /// sampler's own message if that fails: see [`try_forward`](Self::try_forward).
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.try_forward(input).unwrap_or_else(|error| panic!("CircuitLayer: {error}"))
    }

    /// As [`forward`](Self::forward), but what a sampler or a device reports is returned.
    ///
    /// The backward pass of what it returns cannot fail: all that it needs was measured.
    ///
    /// # Errors
    ///
    /// Where the sampler fails, and, of a layer with a sampler, when a value is not finite.
    ///
    /// # Panics
    ///
    /// On shapes, and without a sampler on numbers, as [`forward`](Self::forward).
    pub fn try_forward(&self, input: Tensor<2>) -> Result<Tensor<2>, Error> {
        assert_shape!(input, [_, self.n_inputs()]);
        let weights = self.weights.val();
        match &self.runs {
            Runs::Exactly(program) => Ok(circuit_expectation(input, weights, program)),
            Runs::Sampled(sampling) => {
                let Sampling { circuit, sampler, shots } = &**sampling;
                sampled_expectation(input, weights, circuit, &**sampler, shots)
            }
        }
    }

    /// The number of features that the circuit reads.
    pub fn n_inputs(&self) -> usize {
        match &self.runs {
            Runs::Exactly(program) => program.n_inputs(),
            Runs::Sampled(sampling) => sampling.circuit.circuit().n_inputs(),
        }
    }

    /// The number of expectation values.
    pub fn n_outputs(&self) -> usize {
        match &self.runs {
            Runs::Exactly(program) => program.n_observables(),
            Runs::Sampled(sampling) => sampling.circuit.n_observables(),
        }
    }
}
