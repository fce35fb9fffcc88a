//! The features of a token: QHON's quantum part, and the network that stands in its place.

use burn::module::Module;
use burn::nn::{Gelu, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burn_quantum::nn::{
    AnnealingLayer, AnnealingLayerConfig, QuantumEncoding, QuantumEncodingConfig,
};

/// From the angles of a token to its features.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum TokenFeatures {
    /// By circuits and annealing.
    Quantum(QuantumFeatures),
    /// By a small perceptron.
    Classical(ClassicalFeatures),
}

impl TokenFeatures {
    /// Angles `[n_tokens, n_qubits]` to features `[n_tokens, n_features]`.
    pub fn forward(&self, angles: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Quantum(features) => features.forward(angles),
            Self::Classical(features) => features.forward(angles),
        }
    }
}

/// QHON's quantum part: the encoding circuit and the annealing sampler, side by side on the same
/// angles; the features are the expectation values of both.
#[derive(Module, Debug)]
pub struct QuantumFeatures {
    /// The encoding circuit.
    pub encoding: QuantumEncoding,
    /// The annealing sampler.
    pub annealing: AnnealingLayer,
}

impl QuantumFeatures {
    /// Initialises both layers.
    ///
    /// # Panics
    ///
    /// Panics if the layers differ in their number of qubits, and where they panic themselves.
    pub fn init(
        encoding: &QuantumEncodingConfig,
        annealing: &AnnealingLayerConfig,
        device: &Device,
    ) -> Self {
        let (a, b) = (encoding.n_qubits, annealing.n_qubits);
        assert_eq!(a, b, "the encoding has {a} qubits, the sampler {b}");
        Self { encoding: encoding.init(device), annealing: annealing.init(device) }
    }

    /// Angles `[n_tokens, n_qubits]` to features `[n_tokens, n_features]`.
    pub fn forward(&self, angles: Tensor<2>) -> Tensor<2> {
        let encoded = self.encoding.forward(angles.clone());
        Tensor::cat(vec![encoded, self.annealing.forward(angles)], 1)
    }

    /// The number of features.
    pub fn n_features(&self) -> usize {
        self.encoding.circuit.n_outputs() + self.annealing.n_outputs()
    }
}

/// The classical twin of [`QuantumFeatures`]: `tanh(W2 gelu(W1 x))`.
#[derive(Module, Debug)]
pub struct ClassicalFeatures {
    /// From angles to the hidden layer.
    pub linear_inner: Linear,
    /// Between the two linear layers.
    pub activation: Gelu,
    /// From the hidden layer to the features.
    pub linear_outer: Linear,
}

impl ClassicalFeatures {
    /// A network from `n_angles` to `n_features` whose hidden layer has the width that brings its
    /// number of parameters closest to `n_params`, but no less than `n_angles`: a narrower one would
    /// be a bottleneck that the quantum part does not have.
    pub fn init(n_angles: usize, n_features: usize, n_params: usize, device: &Device) -> Self {
        let per_unit = n_angles + 1 + n_features;
        let for_units = n_params.saturating_sub(n_features) as f64;
        let n_hidden = ((for_units / per_unit as f64).round() as usize).max(n_angles);
        Self {
            linear_inner: LinearConfig::new(n_angles, n_hidden).init(device),
            activation: Gelu::new(),
            linear_outer: LinearConfig::new(n_hidden, n_features).init(device),
        }
    }

    /// Angles `[n_tokens, n_angles]` to features `[n_tokens, n_features]`.
    pub fn forward(&self, angles: Tensor<2>) -> Tensor<2> {
        let hidden = self.activation.forward(self.linear_inner.forward(angles));
        self.linear_outer.forward(hidden).tanh()
    }
}
