//! A small vision transformer whose attention is a parameter.

use crate::qhon::patches;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::{Gelu, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use burn_quantum::annealing::{AllOn, Random};
use burn_quantum::nn::SampleTemperature;
use burn_quantum::nn::attention::{
    BipartiteAttention, Qama, QamaConfig, QamaInput, QamaSelection, SelectionAttention,
};
use std::sync::Arc;

/// The attention of a [`VisionTransformer`].
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum VitAttention {
    /// [`Qama`] by its mean field.
    Qama,
    /// [`Qama`] by 16 Gibbs samples.
    QamaGibbs,
    /// [`Qama`] whose spins ignore their model, a control that must lose.
    QamaRandom,
    /// [`Qama`] whose spins are all on: the mean of all tokens, another control.
    QamaAllOn,
    /// One selection for all queries, of masked values: [`SelectionAttention`] by 16 samples.
    QamaSelection,
    /// Bits of queries and keys: [`BipartiteAttention`] by 16 samples.
    QamaBipartite,
    /// The paper's operator:
    /// [`paper_v2`](burn_quantum::nn::attention::SelectionAttentionConfig::paper_v2).
    QamaPaper,
    /// The paper's operator whose spins are all on, its control.
    QamaPaperAllOn,
    /// Burn's multi-head attention.
    Mha,
    /// None: tokens meet only when they are averaged, the other control.
    None,
}

/// Configuration to create a [`VisionTransformer`] using the
/// [init function](VisionTransformerConfig::init).
#[derive(Config, Debug)]
pub struct VisionTransformerConfig {
    /// Channels, height and width of an image.
    pub image: [usize; 3],
    /// The number of classes.
    pub n_classes: usize,
    /// The attention. Default: QAMA by its mean field
    #[config(default = "VitAttention::Qama")]
    pub attention: VitAttention,
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
/// Each block is `x + attention(norm(x))`, then `x + linear(gelu(linear(norm(x))))`. It has no class
/// token and no dropout
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
    pub blocks: Vec<VitBlock>,
    /// Normalises the mean of the tokens.
    pub norm: LayerNorm,
    /// From `d_model` to the logits.
    pub head: Linear,
    patch_size: usize,
    image: [usize; 3],
}

/// One block of a [`VisionTransformer`].
#[derive(Module, Debug)]
pub struct VitBlock {
    /// Normalises what the attention sees.
    pub norm_attention: LayerNorm,
    /// The attention, where there is one.
    pub attention: Option<TokenAttention>,
    /// Normalises what the perceptron sees.
    pub norm_inner: LayerNorm,
    /// `d_model` to `d_hidden`.
    pub linear_inner: Linear,
    /// Between the two linear layers.
    pub activation: Gelu,
    /// `d_hidden` to `d_model`.
    pub linear_outer: Linear,
}

/// One of the attentions that [`VitAttention`] names.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one of each block, none of them copied
pub enum TokenAttention {
    /// By annealing.
    Qama(Qama),
    /// By annealing, one selection for all queries.
    Selection(SelectionAttention),
    /// By annealing of queries and keys.
    Bipartite(BipartiteAttention),
    /// Burn's.
    Mha(MultiHeadAttention),
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

    fn block(&self, device: &Device) -> VitBlock {
        VitBlock {
            norm_attention: LayerNormConfig::new(self.d_model).init(device),
            attention: self.attention(device),
            norm_inner: LayerNormConfig::new(self.d_model).init(device),
            linear_inner: LinearConfig::new(self.d_model, self.d_hidden).init(device),
            activation: Gelu::new(),
            linear_outer: LinearConfig::new(self.d_hidden, self.d_model).init(device),
        }
    }

    fn attention(&self, device: &Device) -> Option<TokenAttention> {
        let (d_model, n_heads) = (self.d_model, self.n_heads);
        let qama = QamaConfig::new(d_model, n_heads).with_dropout(0.0);
        let one = SampleTemperature::Known(1.0);
        Some(match self.attention {
            VitAttention::None => return None,
            VitAttention::Mha => {
                let config = MultiHeadAttentionConfig::new(d_model, n_heads).with_dropout(0.0);
                TokenAttention::Mha(config.init(device))
            }
            VitAttention::Qama => TokenAttention::Qama(qama.init(device)),
            VitAttention::QamaGibbs => {
                TokenAttention::Qama(qama.with_selection(QamaSelection::Gibbs).init(device))
            }
            VitAttention::QamaRandom => TokenAttention::Qama(qama.init_with_sampler(
                device,
                Arc::new(Random::default()),
                one,
            )),
            VitAttention::QamaAllOn => {
                TokenAttention::Qama(qama.init_with_sampler(device, Arc::new(AllOn), one))
            }
            VitAttention::QamaSelection => {
                let config = QamaConfig::selection(d_model, n_heads);
                TokenAttention::Selection(config.init(device))
            }
            VitAttention::QamaBipartite => {
                let config = QamaConfig::bipartite(d_model, n_heads).with_dropout(0.0);
                TokenAttention::Bipartite(config.init(device))
            }
            VitAttention::QamaPaper => {
                TokenAttention::Selection(QamaConfig::paper_v2(d_model, n_heads).init(device))
            }
            VitAttention::QamaPaperAllOn => {
                let config = QamaConfig::paper_v2(d_model, n_heads).with_n_reads(1);
                let layer = config.init_with_sampler(device, Arc::new(AllOn), one);
                TokenAttention::Selection(layer)
            }
        })
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
        let [channels, height, width] = self.image;
        assert_shape!(images, [_, channels, height, width]);
        let tokens = self.embedding.forward(patches(images, self.patch_size));
        let tokens = tokens + self.position.val().unsqueeze_dim(0);
        let tokens = self.blocks.iter().fold(tokens, |x, block| block.forward(x));
        self.head.forward(self.norm.forward(tokens.mean_dim(1).squeeze_dim(1)))
    }
}

impl VitBlock {
    /// Tokens `[batch_size, n_tokens, d_model]` to tokens.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = match &self.attention {
            Some(attention) => attention.forward(self.norm_attention.forward(x.clone())) + x,
            None => x,
        };
        let hidden = self.linear_inner.forward(self.norm_inner.forward(x.clone()));
        x + self.linear_outer.forward(self.activation.forward(hidden))
    }
}

impl TokenAttention {
    /// Tokens `[batch_size, n_tokens, d_model]` to tokens.
    ///
    /// # Panics
    ///
    /// Panics on another number of features.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Qama(qama) => qama.forward(QamaInput::self_attn(x)).context,
            Self::Selection(selection) => selection.forward(QamaInput::self_attn(x)).context,
            Self::Bipartite(bipartite) => bipartite.forward(QamaInput::self_attn(x)).context,
            Self::Mha(mha) => mha.forward(MhaInput::self_attn(x)).context,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_reach_the_first_layer_with_every_attention() {
        let device = Device::flex().autodiff();
        use VitAttention::*;
        for attention in [
            Qama,
            QamaGibbs,
            QamaRandom,
            QamaAllOn,
            QamaSelection,
            QamaBipartite,
            QamaPaper,
            QamaPaperAllOn,
            Mha,
            None,
        ] {
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
        use VitAttention::*;
        for attention in [Qama, QamaAllOn, QamaPaperAllOn, Mha, None] {
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
}
