//! QHON's multi-scale fusion.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, assert_shape};

/// Configuration to create a [`MultiScaleFusion`] using the
/// [init function](MultiScaleFusionConfig::init).
#[derive(Config, Debug)]
pub struct MultiScaleFusionConfig {
    /// The number of features.
    pub d_model: usize,
    /// The number of scales.
    pub n_scales: usize,
}

/// Mixes one summary per scale by a learned gate.
///
/// `out = sum_s g_s x_s`, `g = softmax(W concat(x) + b)`: a convex combination that depends on the
/// summaries themselves.
///
/// Should be created with [`MultiScaleFusionConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::MultiScaleFusionConfig;
///
/// let device = Device::flex();
/// let fusion = MultiScaleFusionConfig::new(8, 3).init(&device);
/// assert_eq!(fusion.forward(Tensor::zeros([2, 3, 8], &device)).dims(), [2, 8]);
/// ```
#[derive(Module, Debug)]
pub struct MultiScaleFusion {
    /// From all summaries to the logits of the gate.
    pub gate: Linear,
    d_model: usize,
    n_scales: usize,
}

impl MultiScaleFusionConfig {
    /// Initialises a new fusion.
    ///
    /// # Panics
    ///
    /// Panics without scales.
    pub fn init(&self, device: &Device) -> MultiScaleFusion {
        assert!(self.n_scales > 0, "n_scales is 0: use at least 1");
        MultiScaleFusion {
            gate: LinearConfig::new(self.d_model * self.n_scales, self.n_scales).init(device),
            d_model: self.d_model,
            n_scales: self.n_scales,
        }
    }
}

impl MultiScaleFusion {
    /// Mixes the summaries.
    ///
    /// # Shapes
    ///
    /// - summaries: `[batch_size, n_scales, d_model]`
    /// - output: `[batch_size, d_model]`
    ///
    /// # Panics
    ///
    /// Panics on another number of scales or features.
    pub fn forward(&self, summaries: Tensor<3>) -> Tensor<2> {
        let [batch, _, _] = summaries.dims();
        assert_shape!(summaries, [_, self.n_scales, self.d_model]);
        let all = summaries.clone().reshape([batch, self.n_scales * self.d_model]);
        let gate: Tensor<3> = softmax(self.gate.forward(all), 1).unsqueeze_dim(1);
        gate.matmul(summaries).squeeze_dim(1)
    }
}
