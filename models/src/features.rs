//! The features of a token: QHON's quantum part, and the network that stands in its place.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Gelu, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burn_quantum::nn::{
    AnnealingLayer, AnnealingLayerConfig, QuantumEncoding, QuantumEncodingConfig, QuantumMemory,
    QuantumMemoryConfig,
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

/// Depolarising noise on every qubit before it is read out.
///
/// `rho -> (1 - p) rho + p I / 2` on each qubit multiplies `<Z_i>` by `1 - p` and `<Z_i Z_j>` by
/// `(1 - p)^2`, exactly: no noise is drawn. As with dropout, a training is a pass on an autodiff
/// device.
#[derive(Config, Debug, Copy, PartialEq)]
pub struct ReadoutNoise {
    /// The strength `p`, in `[0, 1]`.
    pub strength: f64,
    /// Whether there is noise in evaluation too. Default: false
    #[config(default = false)]
    pub in_evaluation: bool,
}

impl ReadoutNoise {
    /// Multiplies the first `n_single` features by `1 - p`, the rest by `(1 - p)^2`.
    fn apply(&self, features: Tensor<2>, n_single: usize) -> Tensor<2> {
        let device = features.device();
        if self.strength == 0.0 || !(self.in_evaluation || device.is_autodiff()) {
            return features;
        }
        let [_, n_features] = features.dims();
        let keep = 1.0 - self.strength;
        let factor = |k: usize| if k < n_single { keep } else { keep * keep };
        let factors: Vec<f64> = (0..n_features).map(factor).collect();
        let factors = TensorData::new(factors, [1, n_features]);
        let factors = Tensor::<2>::from_data(factors, (&device, features.dtype()));
        features * factors
    }
}

/// Configuration to create [`QuantumFeatures`] using the
/// [init function](QuantumFeaturesConfig::init).
#[derive(Config, Debug)]
pub struct QuantumFeaturesConfig {
    /// The encoding circuit.
    pub encoding: QuantumEncodingConfig,
    /// The annealing sampler, if there is one.
    pub annealing: Option<AnnealingLayerConfig>,
    /// The memory that adds to the sampler's fields, if there is one.
    pub memory: Option<QuantumMemoryConfig>,
    /// The noise on what is read out. Default: none
    #[config(default = "ReadoutNoise::new(0.0)")]
    pub noise: ReadoutNoise,
}

/// QHON's quantum part: the encoding circuit and the annealing sampler, side by side on the same
/// angles; the features are the expectation values of both. A quantum memory adds fields to the
/// sampler's.
#[derive(Module, Debug)]
pub struct QuantumFeatures {
    /// The encoding circuit.
    pub encoding: QuantumEncoding,
    /// The annealing sampler.
    pub annealing: Option<AnnealingLayer>,
    /// The memory that adds to the sampler's fields.
    pub memory: Option<QuantumMemory>,
    #[module(skip)]
    noise: ReadoutNoise,
}

impl QuantumFeaturesConfig {
    /// Initialises all layers.
    ///
    /// # Panics
    ///
    /// Panics if the layers differ in their number of qubits, on a memory without a sampler, on
    /// noise outside `[0, 1]`, and where the layers panic.
    pub fn init(&self, device: &Device) -> QuantumFeatures {
        let n = self.encoding.n_qubits;
        let others = [
            ("sampler", self.annealing.as_ref().map(|a| a.n_qubits)),
            ("memory", self.memory.as_ref().map(|m| m.n_qubits)),
        ];
        for (name, other) in others {
            let other = other.unwrap_or(n);
            assert_eq!(n, other, "the encoding has {n} qubits, the {name} {other}");
        }
        assert!(
            self.memory.is_none() || self.annealing.is_some(),
            "a memory needs a sampler to add its fields to"
        );
        let p = self.noise.strength;
        assert!((0.0..=1.0).contains(&p), "the noise is {p}: use a number in [0, 1]");
        QuantumFeatures {
            encoding: self.encoding.init(device),
            annealing: self.annealing.as_ref().map(|config| config.init(device)),
            memory: self.memory.as_ref().map(|config| config.init(device)),
            noise: self.noise,
        }
    }
}

impl QuantumFeatures {
    /// Angles `[n_tokens, n_qubits]` to features `[n_tokens, n_features]`.
    pub fn forward(&self, angles: Tensor<2>) -> Tensor<2> {
        let [_, n_qubits] = angles.dims();
        let encoded = self.encoding.forward(angles.clone());
        let Some(annealing) = &self.annealing else {
            return self.noise.apply(encoded, n_qubits);
        };
        let sampled = match &self.memory {
            Some(memory) => annealing.forward_with_fields(angles.clone(), memory.forward(angles)),
            None => annealing.forward(angles),
        };
        self.noise.apply(Tensor::cat(vec![encoded, sampled], 1), 2 * n_qubits)
    }

    /// The number of features.
    pub fn n_features(&self) -> usize {
        let sampled = self.annealing.as_ref().map_or(0, AnnealingLayer::n_outputs);
        self.encoding.circuit.n_outputs() + sampled
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

#[cfg(test)]
mod tests {
    use super::*;

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    fn config() -> QuantumFeaturesConfig {
        use burn_quantum::nn::AnnealingReadout::SpinsAndPairs;
        let annealing = AnnealingLayerConfig::new(3).with_n_steps(4).with_readout(SpinsAndPairs);
        QuantumFeaturesConfig::new(QuantumEncodingConfig::new(3))
            .with_annealing(Some(annealing))
            .with_memory(Some(QuantumMemoryConfig::new(3, 2)))
    }

    /// Means shrink by `1 - p`, correlations by its square, in training only unless asked for.
    #[test]
    fn noise_depolarises_the_read_out() {
        let device = Device::flex();
        let quiet = config().init(&device);
        let with = |noise| QuantumFeatures { noise, ..quiet.clone() };
        let noise = ReadoutNoise::new(0.25);
        let angles = Tensor::<2>::from_floats([[0.3, -1.0, 2.0]], &device);
        let clean = values(quiet.forward(angles.clone()));
        assert_eq!(values(with(noise).forward(angles.clone())), clean);

        let asked_for = values(with(noise.with_in_evaluation(true)).forward(angles.clone()));
        let factors = [0.75; 6].into_iter().chain([0.5625; 3]);
        let expected: Vec<f32> = clean.iter().zip(factors).map(|(c, f)| c * f).collect();
        assert_eq!(asked_for, expected);

        let training = with(noise).train().forward(angles.autodiff());
        // The forward pass of a training takes other kernels: equal to rounding.
        let same = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
        assert!(values(training).iter().zip(&expected).all(same), "{expected:?}");
    }

    #[test]
    fn the_memory_moves_what_is_sampled_and_nothing_else() {
        let device = Device::flex();
        let mut features = config().init(&device);
        let angles = Tensor::<2>::from_floats([[0.3, -1.0, 2.0]], &device);
        let with = values(features.forward(angles.clone()));
        features.memory = None;
        let without = values(features.forward(angles));
        assert_eq!(with[..3], without[..3]);
        assert!(with[3..].iter().zip(&without[3..]).all(|(a, b)| a != b));
    }

    #[test]
    #[should_panic(expected = "a memory needs a sampler to add its fields to")]
    fn a_memory_alone() {
        config().with_annealing(None).init(&Device::flex());
    }

    #[test]
    #[should_panic(expected = "the encoding has 3 qubits, the memory 4")]
    fn a_memory_of_other_states() {
        config().with_memory(Some(QuantumMemoryConfig::new(4, 2))).init(&Device::flex());
    }

    #[test]
    #[should_panic(expected = "the noise is 1.5: use a number in [0, 1]")]
    fn too_much_noise() {
        config().with_noise(ReadoutNoise::new(1.5)).init(&Device::flex());
    }
}
