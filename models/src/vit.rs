//! A small vision transformer whose attention is a parameter.

use crate::attention::{AttentionKind, AttentionOutput, TokenMasks};
use crate::encoder::{EncoderLayer, EncoderLayerConfig, forward_all};
use crate::qhon::patches;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, assert_shape};

/// Configuration to create a [`VisionTransformer`] using the
/// [init function](VisionTransformerConfig::init).
#[derive(Config, Debug)]
pub struct VisionTransformerConfig {
    /// Channels, height and width of an image.
    pub image: [usize; 3],
    /// The number of classes.
    pub n_classes: usize,
    /// The attention. Default: QAMA by its mean field
    #[config(default = "AttentionKind::Qama")]
    pub attention: AttentionKind,
    /// The side of the square patches. It must divide height and width. Default: 4
    #[config(default = 4)]
    pub patch_size: usize,
    /// The number of features of a token. Default: 64
    #[config(default = 64)]
    pub d_model: usize,
    /// The number of attention heads. Default: 8
    #[config(default = 8)]
    pub n_heads: usize,
    /// The number of blocks. Default: 1
    #[config(default = 1)]
    pub depth: usize,
    /// The width of the inner layer of each block. Default: 128
    #[config(default = 128)]
    pub d_hidden: usize,
}

/// An image classifier: patches, blocks of attention and perceptron, the mean of the tokens, a head.
///
/// Each block is an [`EncoderLayer`]. It has no class token and no dropout
/// ([Beyer, Zhai and Kolesnikov 2022](https://arxiv.org/abs/2205.01580)), but a trained position
/// embedding.
///
/// Should be created with [`VisionTransformerConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum_models::VisionTransformerConfig;
///
/// let device = Device::flex();
/// let model = VisionTransformerConfig::new([1, 8, 8], 10).init(&device);
/// let logits = model.forward(Tensor::zeros([3, 1, 8, 8], &device));
/// assert_eq!(logits.dims(), [3, 10]);
/// ```
#[derive(Module, Debug)]
pub struct VisionTransformer {
    /// From the pixels of a patch to a token.
    pub embedding: Linear,
    /// One vector per place in the image, `[n_tokens, d_model]`.
    pub position: Param<Tensor<2>>,
    /// The blocks, first to last.
    pub blocks: Vec<EncoderLayer>,
    /// Normalises the mean of the tokens.
    pub norm: LayerNorm,
    /// From `d_model` to the logits.
    pub head: Linear,
    patch_size: usize,
    image: [usize; 3],
}

impl VisionTransformerConfig {
    /// Initialises a new network.
    ///
    /// # Panics
    ///
    /// Panics if the patches do not tile the image, or the heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> VisionTransformer {
        let ([channels, height, width], p) = (self.image, self.patch_size);
        assert!(
            p > 0 && height.is_multiple_of(p) && width.is_multiple_of(p),
            "patches of side {p} do not tile an image of {height} x {width}: use a common divisor"
        );
        let n_tokens = (height / p) * (width / p);
        let position = Initializer::Normal { mean: 0.0, std: 0.1 };
        VisionTransformer {
            embedding: LinearConfig::new(channels * p * p, self.d_model).init(device),
            position: position.init([n_tokens, self.d_model], device),
            blocks: (0..self.depth).map(|_| self.block(device)).collect(),
            norm: LayerNormConfig::new(self.d_model).init(device),
            head: LinearConfig::new(self.d_model, self.n_classes).init(device),
            patch_size: p,
            image: self.image,
        }
    }

    fn block(&self, device: &Device) -> EncoderLayer {
        let layer = EncoderLayerConfig::new(self.d_model, self.n_heads, self.d_hidden);
        layer.with_attention(self.attention).with_dropout(0.0).init(device)
    }
}

impl VisionTransformer {
    /// Applies the forward pass on a batch of images.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, values of order one
    /// - output: logits `[batch_size, n_classes]`
    ///
    /// # Panics
    ///
    /// Panics if the images have another shape than the config says.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_with_attention(images).0
    }

    /// As [`forward`](Self::forward), with what the attention of each block gave; nothing where there
    /// is none. Tokens are the patches row by row.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_with_attention(&self, images: Tensor<4>) -> (Tensor<2>, Vec<AttentionOutput>) {
        let [channels, height, width] = self.image;
        assert_shape!(images, [_, channels, height, width]);
        let tokens = self.embedding.forward(patches(images, self.patch_size));
        let tokens = tokens + self.position.val().unsqueeze_dim(0);
        let (tokens, attention) = forward_all(&self.blocks, tokens, &TokenMasks::default());
        let logits = self.head.forward(self.norm.forward(tokens.mean_dim(1).squeeze_dim(1)));
        (logits, attention)
    }

    /// This network with an attention of another kind in each block, which takes over the parameters
    /// that the two have in common; see
    /// [`TokenAttention::transfer_to`](crate::TokenAttention::transfer_to).
    pub fn with_attention(mut self, kind: AttentionKind, device: &Device) -> Self {
        let blocks = self.blocks.into_iter();
        self.blocks = blocks.map(|block| block.with_attention(kind, device)).collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_reach_the_first_layer_with_every_attention() {
        let device = Device::flex().autodiff();
        use AttentionKind::*;
        for attention in [Qama, QamaGibbs, QamaRandom, QamaOneKey, Mha, None] {
            let config = VisionTransformerConfig::new([1, 8, 8], 3).with_attention(attention);
            let model = config.with_depth(2).init(&device);
            let image =
                Tensor::random([2, 1, 8, 8], burn::tensor::Distribution::Normal(0.0, 1.0), &device);
            let grads = model.forward(image).powi_scalar(2).sum().backward();
            let gradient = model.embedding.weight.val().grad(&grads).unwrap();
            let gradient = gradient.abs().sum().into_scalar::<f32>();
            assert!(gradient.is_finite() && gradient > 0.0, "{attention:?}: {gradient}");
        }
    }

    /// Only attention tells where tokens are relative to each other: without it, and without
    /// positions, their order does not matter, and the same holds for all of them.
    #[test]
    fn without_positions_the_order_of_patches_does_not_matter() {
        let device = Device::flex();
        use AttentionKind::*;
        for attention in [Qama, Mha, None] {
            let config = VisionTransformerConfig::new([1, 4, 8], 3).with_attention(attention);
            let mut model = config.init(&device);
            model.position = Param::from_tensor(Tensor::zeros([2, 64], &device));
            let halves = [1.0, -2.0].map(|v| Tensor::<4>::full([1, 1, 4, 4], v, &device));
            let [a, b] = [[0, 1], [1, 0]].map(|order| {
                model.forward(Tensor::cat(order.map(|i| halves[i].clone()).into(), 3))
            });
            let difference = (a - b).abs().max().into_scalar::<f32>();
            assert!(difference < 1e-5, "{attention:?}: {difference}");
        }
    }

    #[test]
    fn another_attention_of_the_same_function_gives_the_same_logits() {
        let device = Device::flex();
        let config = VisionTransformerConfig::new([1, 8, 8], 3).with_depth(2);
        let mha = config.with_attention(AttentionKind::Mha).init(&device);
        let normal = burn::tensor::Distribution::Normal(0.0, 1.0);
        let images = Tensor::random([4, 1, 8, 8], normal, &device);
        let swapped = |kind| mha.clone().with_attention(kind, &device).forward(images.clone());
        let expected = mha.forward(images.clone());
        let largest =
            |logits: Tensor<2>| (expected.clone() - logits).abs().max().into_scalar::<f32>();
        let (one_key, mean_field) =
            (largest(swapped(AttentionKind::QamaOneKey)), largest(swapped(AttentionKind::Qama)));
        assert!(one_key < 1e-5 && mean_field > 1e-4, "{one_key} {mean_field}");
    }
}
