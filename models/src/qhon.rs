//! The quantum-enhanced hierarchical optimisation network.

use crate::features::{ClassicalFeatures, QuantumFeaturesConfig, ReadoutNoise, TokenFeatures};
use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use burn_quantum::gradient::HybridGradient;
use burn_quantum::nn::attention::{
    HierarchicalAttention, HierarchicalAttentionConfig, HierarchicalInput,
};
use burn_quantum::nn::{
    AnnealingLayerConfig, AnnealingReadout, AnnealingSampler, AnnealingSchedule,
    ClassicalRefinement, ClassicalRefinementConfig, LossWeights, MultiScaleFusion,
    MultiScaleFusionConfig, MultiScaleLoss, MultiScaleLossConfig, QuantumEncodingConfig,
    QuantumMemoryConfig,
};
use std::f64::consts::PI;

/// What turns the angles of a token into features.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum QuantumPart {
    /// Circuits and annealing, trained with the rest.
    Trained,
    /// Circuits and annealing that keep their random start.
    Frozen,
    /// A perceptron of about as many parameters in their place.
    Classical,
}

/// Configuration to create a [`Qhon`] using the [init function](QhonConfig::init).
#[derive(Config, Debug)]
pub struct QhonConfig {
    /// Channels, height and width of an image.
    pub image: [usize; 3],
    /// The number of classes.
    pub n_classes: usize,
    /// The side of the square patches. It must divide height and width. Default: 4
    #[config(default = 4)]
    pub patch_size: usize,
    /// The number of qubits that encode a patch. Default: 6
    #[config(default = 6)]
    pub n_qubits: usize,
    /// What turns the angles of a patch into features. Default: trained
    #[config(default = "QuantumPart::Trained")]
    pub quantum_part: QuantumPart,
    /// The number of layers of the encoding circuit; features enter before each. Default: 2
    #[config(default = 2)]
    pub n_encoding_layers: usize,
    /// Whether there is an annealing sampler. Default: true
    #[config(default = true)]
    pub annealing: bool,
    /// What anneals. Default: the Schroedinger equation
    #[config(default = "AnnealingSampler::Schroedinger")]
    pub sampler: AnnealingSampler,
    /// The number of samples of each token, of stochastic samplers; as is `gradient`. Default: 16
    #[config(default = 16)]
    pub n_reads: usize,
    /// The estimator of the gradient through the samples. Default: the unbiased covariance
    #[config(default = "HybridGradient::default()")]
    pub gradient: HybridGradient,
    /// The number of steps of the annealing sampler, or of its sweeps. Default: 6
    #[config(default = 6)]
    pub n_annealing_steps: usize,
    /// The total time of the Schroedinger equation; trained with its schedule. Default: 2.0
    #[config(default = 2.0)]
    pub annealing_time: f64,
    /// The number of states in the quantum memory, which adds to the sampler's fields; 0 for none.
    /// Default: 8
    #[config(default = 8)]
    pub n_quantum_slots: usize,
    /// Depolarising noise on the read-out. Default: none
    #[config(default = "ReadoutNoise::new(0.0)")]
    pub quantum_noise: ReadoutNoise,
    /// The number of features of a token. Default: 64
    #[config(default = 64)]
    pub d_model: usize,
    /// The number of attention heads. Default: 4
    #[config(default = 4)]
    pub n_heads: usize,
    /// The number of blocks of each of the two refinement networks. Default: 2
    #[config(default = 2)]
    pub n_blocks: usize,
    /// The number of slots of the classical memory, in the first refinement network; 0 for none.
    /// Default: 16
    #[config(default = 16)]
    pub n_classical_slots: usize,
    /// The scales of the attention. Default: 1, 2, 4
    #[config(default = "vec![1, 2, 4]")]
    pub scales: Vec<usize>,
    /// How the losses of the network and of a head for each scale are weighted in training; none for
    /// no such heads. Default: by learned uncertainties
    #[config(default = "Some(LossWeights::Uncertainty)")]
    pub scale_loss: Option<LossWeights>,
    /// The dropout rate. Default: 0.1
    #[config(default = 0.1)]
    pub dropout: f64,
}

/// An image classifier: patches, quantum features, refinement, hierarchical attention, fusion.
///
/// 1. Each patch becomes `n_qubits` angles, `pi tanh(W p)`.
/// 2. The encoding circuit and the annealing sampler turn angles into expectation values
///    ([`QuantumFeatures`](crate::QuantumFeatures)): all that the rest of the network sees of the image.
/// 3. A linear map to `d_model` features, a position embedding and the classical refinement.
/// 4. Attention at several scales; each scale, and the tokens themselves, are summed up by weighted
///    sums over the tokens whose weights are learned for each feature and place.
/// 5. The fusion mixes the summaries; a second refinement and a linear head give the logits.
/// 6. In training, each scale has a head of its own, and a [`MultiScaleLoss`] weighs the losses.
///
/// Follows the QHON paper's sections 3 to 6, with the readings of its formulas that make them
/// consistent: every attention scale returns to the full length, and the schedule ends at `A = 0`.
///
/// Should be created with [`QhonConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum_models::QhonConfig;
///
/// let device = Device::flex();
/// let model = QhonConfig::new([1, 8, 8], 10).with_patch_size(2).with_n_qubits(4).init(&device);
/// let logits = model.forward(Tensor::zeros([3, 1, 8, 8], &device));
/// assert_eq!(logits.dims(), [3, 10]);
/// ```
#[derive(Module, Debug)]
pub struct Qhon {
    /// From the pixels of a patch to angles, before the `tanh`.
    pub to_angles: Linear,
    /// From angles to features.
    pub features: TokenFeatures,
    /// From features to `d_model`.
    pub lift: Linear,
    /// One vector per place in the image, `[n_tokens, d_model]`.
    pub position: Param<Tensor<2>>,
    /// The refinement network.
    pub refinement: ClassicalRefinement,
    /// How much each token counts for each feature of a summary, `[n_tokens, d_model]`.
    pub pooling: Param<Tensor<2>>,
    /// Normalises what the attention sees.
    pub norm_attention: LayerNorm,
    /// The attention.
    pub attention: HierarchicalAttention,
    /// Mixes the summaries of the scales.
    pub fusion: MultiScaleFusion,
    /// Refines the fused summary.
    pub refinement_head: ClassicalRefinement,
    /// Normalises what the head sees.
    pub norm_head: LayerNorm,
    /// From `d_model` to the logits.
    pub head: Linear,
    /// Heads of the scales and the weights of their losses, where there are any.
    pub scale_heads: Option<ScaleHeads>,
    patch_size: usize,
    image: [usize; 3],
}

/// A head for each scale, and the loss that weighs them.
#[derive(Module, Debug)]
pub struct ScaleHeads {
    /// Normalises what the heads see.
    pub norm: LayerNorm,
    /// From the summary of a scale to its logits, one for each scale.
    pub heads: Vec<Linear>,
    /// Weighs the loss of the network, then that of each scale.
    pub loss: MultiScaleLoss,
}

/// What a [`Qhon`] computes in training.
#[derive(Debug, Clone)]
pub struct QhonOutput {
    /// The logits of the network, `[batch_size, n_classes]`.
    pub logits: Tensor<2>,
    /// The logits of the head of each scale, `[batch_size, n_classes]` each; empty without heads.
    pub scales: Vec<Tensor<2>>,
}

impl QhonConfig {
    /// Initialises a new network.
    ///
    /// # Panics
    ///
    /// Panics if the patches do not tile the image, and where the layers panic.
    pub fn init(&self, device: &Device) -> Qhon {
        let [channels, height, width] = self.image;
        let p = self.patch_size;
        assert!(
            p > 0 && height.is_multiple_of(p) && width.is_multiple_of(p),
            "patches of side {p} do not tile an image of {height} x {width}: use a common divisor"
        );
        let n_tokens = (height / p) * (width / p);
        let (features, n_features) = self.features(device);
        let attention = HierarchicalAttentionConfig::new(self.d_model, self.n_heads)
            .with_scales(self.scales.clone())
            .with_dropout(self.dropout);
        let refinement = ClassicalRefinementConfig::new(self.d_model, 2 * self.d_model)
            .with_n_blocks(self.n_blocks)
            .with_dropout(self.dropout)
            .with_n_heads(self.n_heads);
        let lift = Initializer::KaimingNormal { gain: 1.0, fan_out_only: false };
        let position = Initializer::Normal { mean: 0.0, std: 0.1 };
        let pooling = Initializer::Normal { mean: 0.0, std: (n_tokens as f64).powf(-0.5) };
        Qhon {
            to_angles: LinearConfig::new(channels * p * p, self.n_qubits).init(device),
            features,
            lift: LinearConfig::new(n_features, self.d_model).with_initializer(lift).init(device),
            position: position.init([n_tokens, self.d_model], device),
            pooling: pooling.init([n_tokens, self.d_model], device),
            refinement: refinement.clone().with_n_slots(self.n_classical_slots).init(device),
            refinement_head: refinement.init(device),
            norm_attention: LayerNormConfig::new(self.d_model).init(device),
            attention: attention.init(device),
            fusion: MultiScaleFusionConfig::new(self.d_model, self.scales.len() + 1).init(device),
            norm_head: LayerNormConfig::new(self.d_model).init(device),
            head: LinearConfig::new(self.d_model, self.n_classes).init(device),
            scale_heads: self.scale_loss.as_ref().map(|weights| self.scale_heads(weights, device)),
            patch_size: p,
            image: self.image,
        }
    }

    fn scale_heads(&self, weights: &LossWeights, device: &Device) -> ScaleHeads {
        let head = |_| LinearConfig::new(self.d_model, self.n_classes).init(device);
        let loss = MultiScaleLossConfig::new(self.scales.len() + 1).with_weights(weights.clone());
        ScaleHeads {
            norm: LayerNormConfig::new(self.d_model).init(device),
            heads: self.scales.iter().map(head).collect(),
            loss: loss.init(device),
        }
    }

    /// The quantum part or its twin, and the number of features.
    fn features(&self, device: &Device) -> (TokenFeatures, usize) {
        let quantum = self.quantum_features().init(device);
        let n_features = quantum.n_features();
        let features = match self.quantum_part {
            QuantumPart::Trained => TokenFeatures::Quantum(quantum),
            QuantumPart::Frozen => TokenFeatures::Quantum(quantum.no_grad()),
            QuantumPart::Classical => {
                let n_params = quantum.num_params();
                let twin = ClassicalFeatures::init(self.n_qubits, n_features, n_params, device);
                TokenFeatures::Classical(twin)
            }
        };
        (features, n_features)
    }

    fn quantum_features(&self) -> QuantumFeaturesConfig {
        let n = self.n_qubits;
        let defaults = Self::new(self.image, self.n_classes);
        assert!(
            self.sampler == AnnealingSampler::Schroedinger
                || self.annealing_time == defaults.annealing_time,
            "annealing_time belongs to the Schroedinger equation: leave it out"
        );
        let encoding =
            QuantumEncodingConfig::new(n).with_n_layers(self.n_encoding_layers).with_reupload(true);
        let annealing = AnnealingLayerConfig::new(n)
            .with_sampler(self.sampler)
            .with_n_steps(self.n_annealing_steps)
            .with_n_reads(self.n_reads)
            .with_gradient(self.gradient)
            .with_readout(AnnealingReadout::SpinsAndPairs);
        let annealing = match self.sampler {
            AnnealingSampler::Schroedinger => {
                annealing.with_time(self.annealing_time).with_schedule(AnnealingSchedule::Learned)
            }
            _ => annealing,
        };
        let memory = QuantumMemoryConfig::new(n, self.n_quantum_slots);
        let remembers = self.annealing && self.n_quantum_slots > 0;
        QuantumFeaturesConfig::new(encoding)
            .with_annealing(self.annealing.then_some(annealing))
            .with_memory(remembers.then_some(memory))
            .with_noise(self.quantum_noise)
    }
}

impl Qhon {
    /// Applies the forward pass on a batch of images.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, values of order one
    /// - output: logits `[batch_size, n_classes]`
    ///
    /// # Panics
    ///
    /// Panics if the images have another shape than the config says, or hold NaN or infinity.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.logits(self.summaries(images))
    }

    /// As [`forward`](Self::forward), with the logits of each scale's own head.
    ///
    /// # Panics
    ///
    /// Panics where `forward` does.
    pub fn forward_scales(&self, images: Tensor<4>) -> QhonOutput {
        let summaries = self.summaries(images);
        let scales = match &self.scale_heads {
            Some(heads) => heads.forward(&summaries[1..]),
            None => Vec::new(),
        };
        QhonOutput { logits: self.logits(summaries), scales }
    }

    /// One summary of the tokens, then one of each scale, `[batch_size, 1, d_model]` each.
    fn summaries(&self, images: Tensor<4>) -> Vec<Tensor<3>> {
        let [channels, height, width] = self.image;
        assert_shape!(images, [_, channels, height, width]);
        let tokens = self.tokens(patches(images, self.patch_size));
        let tokens = self.refinement.forward(tokens);

        let normalised = self.norm_attention.forward(tokens.clone());
        let mut levels = vec![tokens];
        levels.extend(self.attention.forward_scales(HierarchicalInput::self_attn(normalised)));
        let pooling = self.pooling.val().unsqueeze_dim::<3>(0);
        levels.into_iter().map(|level| (level * pooling.clone()).sum_dim(1)).collect()
    }

    fn logits(&self, summaries: Vec<Tensor<3>>) -> Tensor<2> {
        let fused = self.fusion.forward(Tensor::cat(summaries, 1));
        let refined = self.refinement_head.forward(fused);
        self.head.forward(self.norm_head.forward(refined))
    }

    /// Patches `[batch_size, n_tokens, n_pixels]` to tokens `[batch_size, n_tokens, d_model]`.
    fn tokens(&self, patches: Tensor<3>) -> Tensor<3> {
        let [batch_size, n_tokens, n_pixels] = patches.dims();
        let patches = patches.reshape([batch_size * n_tokens, n_pixels]);
        let angles = self.to_angles.forward(patches).tanh().mul_scalar(PI);
        let lifted = self.lift.forward(self.features.forward(angles));
        let [n_tokens, d_model] = self.position.dims();
        lifted.reshape([batch_size, n_tokens, d_model]) + self.position.val().unsqueeze_dim(0)
    }
}

impl ScaleHeads {
    /// The logits of each scale, from its summary, `[batch_size, 1, d_model]`.
    fn forward(&self, summaries: &[Tensor<3>]) -> Vec<Tensor<2>> {
        let logits = |(head, summary): (&Linear, &Tensor<3>)| {
            head.forward(self.norm.forward(summary.clone())).squeeze_dim(1)
        };
        self.heads.iter().zip(summaries).map(logits).collect()
    }
}

/// `[B, C, H, W]` to `[B, (H/p) (W/p), C p p]`, row by row.
pub(crate) fn patches(images: Tensor<4>, p: usize) -> Tensor<3> {
    let [batch_size, channels, height, width] = images.dims();
    let (rows, columns) = (height / p, width / p);
    images
        .reshape([batch_size, channels, rows, p, columns, p])
        .permute([0, 2, 4, 1, 3, 5])
        .reshape([batch_size, rows * columns, channels * p * p])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Int;

    #[test]
    fn patches_are_squares_in_reading_order() {
        let device = Device::flex();
        let image = Tensor::<1, Int>::arange(0..16, &device).float().reshape([1, 1, 4, 4]);
        let values: Vec<f32> = patches(image, 2).into_data().iter::<f32>().collect();
        let expected = [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15];
        assert_eq!(values, expected.map(|v| v as f32));
    }

    #[test]
    fn gradients_reach_the_fields_through_any_sampler() {
        let device = Device::flex().autodiff();
        use AnnealingSampler::*;
        let beta = 1.0;
        for sampler in
            [Schroedinger, Gibbs { beta }, SimulatedAnnealing { beta }, PathIntegral { beta }]
        {
            let config = QhonConfig::new([1, 4, 4], 3).with_patch_size(2).with_n_qubits(3);
            let model = config.with_sampler(sampler).init(&device);
            let grads = model.forward(Tensor::ones([2, 1, 4, 4], &device)).sum().backward();
            let TokenFeatures::Quantum(quantum) = &model.features else { unreachable!() };
            let fields = quantum.annealing.as_ref().unwrap().fields.val();
            let gradient = fields.grad(&grads).unwrap().abs().sum().into_scalar::<f32>();
            assert!(gradient.is_finite() && gradient > 0.0, "{sampler:?}: {gradient}");
        }
    }

    #[test]
    fn the_classical_twin_has_the_same_number_of_parameters_within_five_percent() {
        let device = Device::flex();
        for (image, patch, n_qubits) in
            [([1, 8, 8], 2, 4), ([1, 28, 28], 7, 8), ([3, 32, 32], 4, 6)]
        {
            let config = QhonConfig::new(image, 10).with_patch_size(patch).with_n_qubits(n_qubits);
            let count = |part| config.clone().with_quantum_part(part).init(&device).num_params();
            let quantum = count(QuantumPart::Trained) as f64;
            let classical = count(QuantumPart::Classical) as f64;
            assert!((classical / quantum - 1.0).abs() < 0.05, "{quantum} {classical}");
            assert_eq!(count(QuantumPart::Frozen) as f64, quantum);
        }
    }

    /// The heads look at the summaries of the scales only, and leave the network's logits alone.
    #[test]
    fn each_scale_has_a_head_of_its_own() {
        let device = Device::flex().autodiff();
        let config = QhonConfig::new([1, 8, 8], 5).with_n_qubits(3).with_d_model(16);
        let images = || Tensor::ones([2, 1, 8, 8], &device) * 0.5;
        let model = config.clone().with_dropout(0.0).init(&device);
        let output = model.forward_scales(images());
        assert_eq!(output.logits.to_data(), model.forward(images()).to_data());
        assert_eq!(output.scales.len(), 3);
        for k in 0..3 {
            let logits = model.forward_scales(images()).scales.swap_remove(k);
            assert_eq!(logits.dims(), [2, 5]);
            let gradients = logits.powi_scalar(2).sum().backward();
            let heads = &model.scale_heads.as_ref().unwrap().heads;
            let reached: Vec<bool> =
                heads.iter().map(|head| head.weight.val().grad(&gradients).is_some()).collect();
            assert!(reached.iter().enumerate().all(|(head, &r)| r == (head == k)), "{reached:?}");
            assert!(model.head.weight.val().grad(&gradients).is_none());
        }
        let without = config.with_scale_loss(None).init(&device);
        assert!(
            without.scale_heads.is_none() && without.forward_scales(images()).scales.is_empty()
        );
    }

    #[test]
    #[should_panic(expected = "annealing_time belongs to the Schroedinger equation")]
    fn a_time_for_a_sampler_without_one() {
        let config = QhonConfig::new([1, 8, 8], 10).with_annealing_time(3.0);
        config.with_sampler(AnnealingSampler::Gibbs { beta: 1.0 }).init(&Device::flex());
    }

    #[test]
    #[should_panic(
        expected = "patches of side 3 do not tile an image of 8 x 8: use a common divisor"
    )]
    fn patches_that_do_not_tile() {
        QhonConfig::new([1, 8, 8], 10).with_patch_size(3).init(&Device::flex());
    }

    #[test]
    #[should_panic(expected = "axis 2 expected 8, got 7")]
    fn images_of_another_size() {
        let device = Device::flex();
        let model = QhonConfig::new([1, 8, 8], 10).init(&device);
        model.forward(Tensor::zeros([1, 1, 7, 8], &device));
    }
}
