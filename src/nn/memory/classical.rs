//! QHON's classical memory.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{
    Dropout, DropoutConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig,
};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, assert_shape};

/// Configuration to create a [`ClassicalMemory`] using the
/// [init function](ClassicalMemoryConfig::init).
#[derive(Config, Debug)]
pub struct ClassicalMemoryConfig {
    /// The number of features.
    pub d_model: usize,
    /// The number of slots.
    pub n_slots: usize,
    /// The number of heads. It must divide `d_model`. Default: 4
    #[config(default = 4)]
    pub n_heads: usize,
    /// The dropout rate, on the weights of the slots. Default: 0.1
    #[config(default = 0.1)]
    pub dropout: f64,
    /// The initial keys and values. Default: normal, standard deviation 0.5
    #[config(default = "Initializer::Normal { mean: 0.0, std: 0.5 }")]
    pub initializer: Initializer,
}

/// Trained slots of keys and values, read by attention.
///
/// `out = W_o concat_h(softmax(q_h K_h^T / sqrt(d_k)) V_h)`, with `q = W_q norm(x)` cut into heads of
/// `d_k = d_model / n_heads` features, and the trained keys and values `K`, `V` cut likewise.
///
/// Should be created with [`ClassicalMemoryConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::ClassicalMemoryConfig;
///
/// let device = Device::flex();
/// let memory = ClassicalMemoryConfig::new(8, 16).with_n_heads(2).init(&device);
/// let out = memory.forward(Tensor::<3>::zeros([2, 5, 8], &device));
/// assert_eq!(out.dims(), [2, 5, 8]);
/// ```
#[derive(Module, Debug)]
pub struct ClassicalMemory {
    /// Normalises the features.
    pub norm: LayerNorm,
    /// From features to queries.
    pub query: Linear,
    /// The keys, `[n_slots, d_model]`.
    pub keys: Param<Tensor<2>>,
    /// The values, `[n_slots, d_model]`.
    pub values: Param<Tensor<2>>,
    /// Dropout on the weights of the slots.
    pub dropout: Dropout,
    /// From what was read to the output.
    pub output: Linear,
    /// The number of heads.
    pub n_heads: usize,
}

impl ClassicalMemoryConfig {
    /// Initialises a new memory.
    ///
    /// # Panics
    ///
    /// Panics without slots or heads, or if the heads do not divide the features.
    pub fn init(&self, device: &Device) -> ClassicalMemory {
        let (d, heads) = (self.d_model, self.n_heads);
        assert!(self.n_slots > 0, "n_slots is 0: use at least 1");
        assert!(
            heads > 0 && d.is_multiple_of(heads),
            "n_heads is {heads}: use a divisor of d_model, {d}"
        );
        ClassicalMemory {
            norm: LayerNormConfig::new(d).init(device),
            query: LinearConfig::new(d, d).init(device),
            keys: self.initializer.init([self.n_slots, d], device),
            values: self.initializer.init([self.n_slots, d], device),
            dropout: DropoutConfig::new(self.dropout).init(),
            output: LinearConfig::new(d, d).init(device),
            n_heads: heads,
        }
    }
}

impl ClassicalMemory {
    /// Reads the memory for each token.
    ///
    /// # Shapes
    ///
    /// - input: `[.., d_model]`
    /// - output: `[.., d_model]`
    ///
    /// # Panics
    ///
    /// Panics if the last axis is not `d_model`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let shape = input.dims();
        let tokens = input.reshape([-1, shape[D - 1] as i32]);
        let read = self.weights(tokens).matmul(self.heads(self.values.val()));
        let [_, d_model] = self.values.dims();
        let read = read.swap_dims(0, 1).reshape([-1, d_model as i32]);
        self.output.forward(read).reshape(shape)
    }

    /// The weights of the slots, `[n_heads, n_tokens, n_slots]`, of tokens `[n_tokens, d_model]`;
    /// each row sums to one before dropout.
    ///
    /// # Panics
    ///
    /// Panics if the last axis is not `d_model`.
    pub fn weights(&self, tokens: Tensor<2>) -> Tensor<3> {
        let [_, d_model] = self.keys.dims();
        assert_shape!(tokens, [_, d_model]);
        let queries = self.heads(self.query.forward(self.norm.forward(tokens)));
        let scores = queries.matmul(self.heads(self.keys.val()).transpose());
        let d_k = (d_model / self.n_heads) as f64;
        self.dropout.forward(softmax(scores.mul_scalar(d_k.sqrt().recip()), 2))
    }

    /// `[n, d_model]` to `[n_heads, n, d_k]`.
    fn heads(&self, rows: Tensor<2>) -> Tensor<3> {
        let [n, d_model] = rows.dims();
        rows.reshape([n, self.n_heads, d_model / self.n_heads]).swap_dims(0, 1)
    }
}
