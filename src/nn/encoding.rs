//! QHON's quantum encoding layer.

use super::{CircuitLayer, CircuitLayerConfig};
use crate::circuit::{Observable, ansatz};
use burn::config::Config;
use burn::module::Module;
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

/// Configuration to create a [`QuantumEncoding`] using the
/// [init function](QuantumEncodingConfig::init).
#[derive(Config, Debug)]
pub struct QuantumEncodingConfig {
    /// The number of qubits, which is also the number of input and output features.
    pub n_qubits: usize,
    /// The number of trainable layers. Default: 1
    #[config(default = 1)]
    pub n_layers: usize,
    /// Whether the features enter again before each layer but the first. Default: false
    #[config(default = false)]
    pub reupload: bool,
    /// The initial angles, in radians. Default: uniform in `[-pi, pi]`.
    #[config(
        default = "Initializer::Uniform { min: -core::f64::consts::PI, max: core::f64::consts::PI }"
    )]
    pub initializer: Initializer,
}

/// Encodes features as a product state and mixes them by QHON's circuit.
///
/// `|psi_x> = prod_i RY(x_i)|0>`, then per layer `H` and `RY(w)` on every qubit and a chain of
/// CNOTs ([`ansatz::qhon_encoding`]). The output is `<Z_i>` of every qubit.
///
/// Should be created with [`QuantumEncodingConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::QuantumEncodingConfig;
///
/// let device = Device::flex();
/// let encoding = QuantumEncodingConfig::new(4).with_n_layers(2).init(&device);
/// assert_eq!(encoding.forward(Tensor::zeros([3, 4], &device)).dims(), [3, 4]);
/// ```
#[derive(Module, Debug)]
pub struct QuantumEncoding {
    /// The circuit; its weights have shape `[n_layers * n_qubits]`.
    pub circuit: CircuitLayer,
}

impl QuantumEncodingConfig {
    /// Initialises a new layer.
    ///
    /// # Panics
    ///
    /// Panics on more qubits than the simulator takes.
    pub fn init(&self, device: &Device) -> QuantumEncoding {
        let circuit = ansatz::qhon_encoding(self.n_qubits, self.n_layers, self.reupload);
        let config = CircuitLayerConfig::new(circuit, Observable::each_z(self.n_qubits));
        let circuit = config.with_initializer(self.initializer.clone()).init(device);
        QuantumEncoding { circuit }
    }
}

impl QuantumEncoding {
    /// Applies the forward pass on the input tensor.
    ///
    /// # Shapes
    ///
    /// - input: `[batch_size, n_qubits]`, angles in radians
    /// - output: `[batch_size, n_qubits]`, expectations in `[-1, 1]`
    ///
    /// # Panics
    ///
    /// Panics if the last axis of `input` is not `n_qubits`, or if a value is not finite.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.circuit.forward(input)
    }
}
