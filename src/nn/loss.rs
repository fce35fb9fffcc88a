//! A loss of several scales.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, TensorData, assert_shape};

/// How the losses are weighted.
#[derive(Config, Debug, PartialEq)]
pub enum LossWeights {
    /// By learned uncertainties, see [`MultiScaleLoss`].
    Uncertainty,
    /// By these numbers, one for each loss.
    Fixed(Vec<f64>),
}

/// Configuration to create a [`MultiScaleLoss`] using the
/// [init function](MultiScaleLossConfig::init).
#[derive(Config, Debug)]
pub struct MultiScaleLossConfig {
    /// The number of losses.
    pub n_losses: usize,
    /// How they are weighted. Default: by learned uncertainties
    #[config(default = "LossWeights::Uncertainty")]
    pub weights: LossWeights,
}

/// The weighted sum of the losses of several scales.
///
/// `L = sum_i (exp(-s_i) L_i + s_i / 2)` with trained `s_i = log sigma_i^2`, or `L = sum_i w_i L_i` with
/// fixed weights. The term `s_i / 2` keeps the weights from falling to zero: at the minimum
/// `exp(-s_i) = 1 / (2 L_i)`, so that each scale counts by its relative improvement. Free weights
/// that sum to one would only pick the scale of the smallest loss.
///
/// The `s_i` start at 0. A loss that stays at zero has no minimum in `s_i`: its weight grows as long
/// as the training goes on.
///
/// Should be created with [`MultiScaleLossConfig`].
///
/// # References
///
/// - [Kendall, Gal and Cipolla (2018)](https://arxiv.org/abs/1705.07115), equation 10, where the
///   weight of a classification loss is `1 / sigma^2` as here.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::MultiScaleLossConfig;
///
/// let device = Device::flex();
/// let loss = MultiScaleLossConfig::new(2).init(&device);
/// let total = loss.forward(Tensor::from_floats([0.5, 2.0], &device));
/// assert_eq!(total.into_scalar::<f32>(), 2.5);
/// ```
#[derive(Module, Debug)]
pub struct MultiScaleLoss {
    /// `s_i`, `[n_losses]`, where the weights are learned.
    pub log_variances: Option<Param<Tensor<1>>>,
    /// The weights, where they are fixed.
    fixed: Vec<f64>,
}

impl MultiScaleLossConfig {
    /// Initialises a new loss.
    ///
    /// # Panics
    ///
    /// Panics without losses, or on fixed weights of another number, that are negative or not
    /// finite, or that are all zero.
    pub fn init(&self, device: &Device) -> MultiScaleLoss {
        let n = self.n_losses;
        assert!(n > 0, "n_losses is 0: use at least 1");
        match &self.weights {
            LossWeights::Uncertainty => {
                let start = Initializer::Zeros.init([n], device);
                MultiScaleLoss { log_variances: Some(start), fixed: Vec::new() }
            }
            LossWeights::Fixed(weights) => {
                let valid = weights.iter().all(|w| *w >= 0.0 && w.is_finite());
                assert!(
                    weights.len() == n && valid && weights.iter().any(|w| *w > 0.0),
                    "the weights are {weights:?}: use {n} numbers from 0 on, not all 0"
                );
                MultiScaleLoss { log_variances: None, fixed: weights.clone() }
            }
        }
    }
}

impl MultiScaleLoss {
    /// The weighted sum.
    ///
    /// # Shapes
    ///
    /// - losses: `[n_losses]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// Panics on another number of losses.
    pub fn forward(&self, losses: Tensor<1>) -> Tensor<1> {
        let weights = self.weights(&losses);
        let weighted = losses * weights;
        match &self.log_variances {
            Some(s) => (weighted + s.val() * 0.5).sum(),
            None => weighted.sum(),
        }
    }

    /// The weights, `[n_losses]`, on the device and in the precision of `like`, `[n_losses]`.
    ///
    /// # Panics
    ///
    /// Panics on another number of losses.
    pub fn weights(&self, like: &Tensor<1>) -> Tensor<1> {
        match &self.log_variances {
            Some(s) => {
                let [n_losses] = s.dims();
                assert_shape!(like, [n_losses]);
                s.val().neg().exp()
            }
            None => {
                assert_shape!(like, [self.fixed.len()]);
                let weights = TensorData::from(self.fixed.as_slice());
                Tensor::from_data(weights, (&like.device(), like.dtype()))
            }
        }
    }
}
