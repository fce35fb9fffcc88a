//! QHON's classical refinement network.

use super::{ClassicalMemory, ClassicalMemoryConfig};
use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Gelu, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// Configuration to create a [`ClassicalRefinement`] using the
/// [init function](ClassicalRefinementConfig::init).
#[derive(Config, Debug)]
pub struct ClassicalRefinementConfig {
    /// The number of features.
    pub d_model: usize,
    /// The width of the hidden layer of a block.
    pub d_hidden: usize,
    /// The number of residual blocks. Default: 2
    #[config(default = 2)]
    pub n_blocks: usize,
    /// The dropout rate. Default: 0.1
    #[config(default = 0.1)]
    pub dropout: f64,
    /// The number of slots of the memory; 0 for none. Default: 0
    #[config(default = 0)]
    pub n_slots: usize,
    /// The number of heads that read the memory. Default: 4
    #[config(default = 4)]
    pub n_heads: usize,
}

/// Residual blocks, `x + W2 dropout(gelu(W1 norm(x)))`, after `x + memory(x)` where there is a
/// [memory](ClassicalMemory).
///
/// Should be created with [`ClassicalRefinementConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::ClassicalRefinementConfig;
///
/// let device = Device::flex();
/// let refinement = ClassicalRefinementConfig::new(8, 16).init(&device);
/// let out = refinement.forward(Tensor::<3>::zeros([2, 5, 8], &device));
/// assert_eq!(out.dims(), [2, 5, 8]);
/// ```
#[derive(Module, Debug)]
pub struct ClassicalRefinement {
    /// Read before the blocks.
    pub memory: Option<ClassicalMemory>,
    /// The blocks, first to last.
    pub blocks: Vec<RefinementBlock>,
}

/// One residual block of a [`ClassicalRefinement`].
#[derive(Module, Debug)]
pub struct RefinementBlock {
    /// Normalises the features.
    pub norm: LayerNorm,
    /// `d_model` to `d_hidden`.
    pub linear_inner: Linear,
    /// Between the two linear layers.
    pub activation: Gelu,
    /// Between the two linear layers.
    pub dropout: Dropout,
    /// `d_hidden` to `d_model`.
    pub linear_outer: Linear,
}

impl ClassicalRefinementConfig {
    /// Initialises a new network.
    ///
    /// # Panics
    ///
    /// Panics where there is a memory whose heads do not divide the features.
    pub fn init(&self, device: &Device) -> ClassicalRefinement {
        let memory = ClassicalMemoryConfig::new(self.d_model, self.n_slots)
            .with_n_heads(self.n_heads)
            .with_dropout(self.dropout);
        let block = |_| RefinementBlock {
            norm: LayerNormConfig::new(self.d_model).init(device),
            linear_inner: LinearConfig::new(self.d_model, self.d_hidden).init(device),
            activation: Gelu::new(),
            dropout: DropoutConfig::new(self.dropout).init(),
            linear_outer: LinearConfig::new(self.d_hidden, self.d_model).init(device),
        };
        ClassicalRefinement {
            memory: (self.n_slots > 0).then(|| memory.init(device)),
            blocks: (0..self.n_blocks).map(block).collect(),
        }
    }
}

impl ClassicalRefinement {
    /// Reads the memory, if there is one, and applies the blocks.
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
        let input = match &self.memory {
            Some(memory) => input.clone() + memory.forward(input),
            None => input,
        };
        self.blocks.iter().fold(input, |x, block| block.forward(x))
    }
}

impl RefinementBlock {
    /// Applies the block; shapes as in [`ClassicalRefinement::forward`].
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let hidden = self.linear_inner.forward(self.norm.forward(input.clone()));
        let hidden = self.dropout.forward(self.activation.forward(hidden));
        input + self.linear_outer.forward(hidden)
    }
}
