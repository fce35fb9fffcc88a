//! QHON's quantum memory.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, assert_shape};

/// How alike two product states are.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum StateOverlap {
    /// The fidelity `|<psi_m|psi_x>|^2 = prod_i cos^2((x_i - m_i) / 2)` (the paper). Between random
    /// states it falls as `2^-n_qubits`, and so does its gradient.
    Fidelity,
    /// The mean fidelity of the single qubits, `sum_i cos^2((x_i - m_i) / 2) / n_qubits`, which
    /// keeps its size whatever the number of qubits.
    MeanFidelity,
}

/// Configuration to create a [`QuantumMemory`] using the [init function](QuantumMemoryConfig::init).
#[derive(Config, Debug)]
pub struct QuantumMemoryConfig {
    /// The number of qubits, which is also the number of input features and of fields.
    pub n_qubits: usize,
    /// The number of states in the memory.
    pub n_slots: usize,
    /// How alike two states are. Default: fidelity
    #[config(default = "StateOverlap::Fidelity")]
    pub overlap: StateOverlap,
    /// The inverse temperature of the softmax at the start; it is trained. Default: 8.0
    #[config(default = 8.0)]
    pub inverse_temperature: f64,
    /// The initial angles of the states, in radians. Default: uniform in `[-pi, pi]`.
    #[config(
        default = "Initializer::Uniform { min: -core::f64::consts::PI, max: core::f64::consts::PI }"
    )]
    pub initializer: Initializer,
    /// The initial bias fields. Default: normal, standard deviation 0.1
    #[config(default = "Initializer::Normal { mean: 0.0, std: 0.1 }")]
    pub bias_initializer: Initializer,
}

/// Recalls a bias field by the overlap of the encoded features with trained states.
///
/// `h(x) = sum_k softmax_k(beta F(x, m_k)) b_k`, where `F` is the overlap of `prod_i RY(x_i)|0>` with
/// the state `prod_i RY(m_ki)|0>`, in closed form ([`StateOverlap`]). The angles `m`, the fields `b`
/// and the inverse temperature `beta` are trained. A call costs `O(n_slots n_qubits)` a sample.
///
/// Its output is meant for [`AnnealingLayer::forward_with_fields`](crate::nn::AnnealingLayer::forward_with_fields).
///
/// Should be created with [`QuantumMemoryConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::{AnnealingLayerConfig, QuantumMemoryConfig};
///
/// let device = Device::flex();
/// let memory = QuantumMemoryConfig::new(4, 8).init(&device);
/// let anneal = AnnealingLayerConfig::new(4).init(&device);
///
/// let angles = Tensor::zeros([3, 4], &device);
/// let spins = anneal.forward_with_fields(angles.clone(), memory.forward(angles));
/// assert_eq!(spins.dims(), [3, 4]);
/// ```
#[derive(Module, Debug)]
pub struct QuantumMemory {
    /// The angles of the states in radians, `[n_slots, n_qubits]`.
    pub angles: Param<Tensor<2>>,
    /// The bias field of each state, `[n_slots, n_qubits]`.
    pub bias_fields: Param<Tensor<2>>,
    /// The logarithm of the inverse temperature, `[1]`.
    pub log_inverse_temperature: Param<Tensor<1>>,
    #[module(skip)]
    overlap: StateOverlap,
}

impl QuantumMemoryConfig {
    /// Initialises a new memory.
    ///
    /// # Panics
    ///
    /// Panics without slots, or on an inverse temperature that is not positive.
    pub fn init(&self, device: &Device) -> QuantumMemory {
        let beta = self.inverse_temperature;
        assert!(self.n_slots > 0, "n_slots is 0: use at least 1");
        assert!(
            beta > 0.0 && beta.is_finite(),
            "inverse_temperature is {beta}: use a positive number"
        );
        let shape = [self.n_slots, self.n_qubits];
        QuantumMemory {
            angles: self.initializer.init(shape, device),
            bias_fields: self.bias_initializer.init(shape, device),
            log_inverse_temperature: Initializer::Constant { value: beta.ln() }.init([1], device),
            overlap: self.overlap,
        }
    }
}

impl QuantumMemory {
    /// Recalls a bias field for each row.
    ///
    /// # Shapes
    ///
    /// - input: `[batch_size, n_qubits]`, angles in radians
    /// - output: `[batch_size, n_qubits]`
    ///
    /// # Panics
    ///
    /// Panics if the last axis of `input` is not `n_qubits`.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.weights(input).matmul(self.bias_fields.val())
    }

    /// How much of each bias field is recalled, `[batch_size, n_slots]`; rows sum to one. Shapes and
    /// panics as in [`forward`](Self::forward).
    pub fn weights(&self, input: Tensor<2>) -> Tensor<2> {
        let beta = self.log_inverse_temperature.val().exp().unsqueeze::<2>();
        softmax(self.overlaps(input) * beta, 1)
    }

    /// The overlap with each state, `[batch_size, n_slots]`, in `[0, 1]`. Shapes and panics as in
    /// [`forward`](Self::forward).
    pub fn overlaps(&self, input: Tensor<2>) -> Tensor<2> {
        let [_, n_qubits] = self.angles.dims();
        assert_shape!(input, [_, n_qubits]);
        let difference = input.unsqueeze_dim::<3>(1) - self.angles.val().unsqueeze_dim::<3>(0);
        let fidelities = (difference.cos() + 1.0) * 0.5;
        match self.overlap {
            StateOverlap::Fidelity => product(fidelities).squeeze_dim(2),
            StateOverlap::MeanFidelity => fidelities.mean_dim(2).squeeze_dim(2),
        }
    }
}

/// The product along the last axis, in pairs: unlike `exp(sum(log))` it and its gradient are finite
/// where factors vanish.
fn product(mut factors: Tensor<3>) -> Tensor<3> {
    loop {
        let n = factors.dims()[2];
        if n == 1 {
            return factors;
        }
        let half = n / 2;
        let pairs = factors.clone().narrow(2, 0, half) * factors.clone().narrow(2, half, half);
        factors = match n % 2 {
            0 => pairs,
            _ => Tensor::cat(vec![pairs, factors.narrow(2, n - 1, 1)], 2),
        };
    }
}
