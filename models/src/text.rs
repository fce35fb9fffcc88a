//! A small text classifier whose attention is a parameter.

use crate::attention::{AttentionKind, AttentionOutput, TokenMasks};
use crate::embedding::TokenEmbedding;
use crate::encoder::{EncoderLayer, EncoderLayerConfig, forward_all};
use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Bool, Device, Int, Tensor, assert_shape};

/// Configuration to create a [`TextClassifier`] using the [init function](TextClassifierConfig::init).
#[derive(Config, Debug)]
pub struct TextClassifierConfig {
    /// The number of tokens, padding and unknown words included.
    pub vocabulary_size: usize,
    /// The number of classes.
    pub n_classes: usize,
    /// The attention. Default: QAMA by its mean field
    #[config(default = "AttentionKind::Qama")]
    pub attention: AttentionKind,
    /// The largest number of tokens of a text. Default: 64
    #[config(default = 64)]
    pub max_tokens: usize,
    /// The number of features of a token. Default: 64
    #[config(default = 64)]
    pub d_model: usize,
    /// The number of attention heads. It must divide `d_model`. Default: 8
    #[config(default = 8)]
    pub n_heads: usize,
    /// The number of layers. Default: 1
    #[config(default = 1)]
    pub depth: usize,
    /// The width of each layer's inner layer. Default: 128
    #[config(default = 128)]
    pub d_hidden: usize,
    /// The dropout rate, of the embedding and in each layer. Default: 0.1
    #[config(default = 0.1)]
    pub dropout: f64,
}

/// A text classifier: embeddings of words and places, encoder layers, the mean of the tokens that are
/// not padding, a head.
///
/// The logits do not depend on how far a text is padded; where attention is sampled, their samples do.
///
/// Should be created with [`TextClassifierConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum_models::TextClassifierConfig;
///
/// let device = Device::flex();
/// let model = TextClassifierConfig::new(100, 2).init(&device);
/// let tokens = Tensor::from_data([[5, 7, 3], [9, 0, 0]], &device);
/// let logits = model.forward(tokens.clone(), tokens.equal_scalar(0));
/// assert_eq!(logits.dims(), [2, 2]);
/// ```
#[derive(Module, Debug)]
pub struct TextClassifier {
    /// From tokens to vectors.
    pub embedding: TokenEmbedding,
    /// Dropout on the embedding.
    pub dropout: Dropout,
    /// The layers, first to last.
    pub layers: Vec<EncoderLayer>,
    /// Normalises the mean of the tokens.
    pub norm: LayerNorm,
    /// From `d_model` to the logits.
    pub head: Linear,
}

impl TextClassifierConfig {
    /// Initialises a new network.
    ///
    /// # Panics
    ///
    /// Panics if the heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> TextClassifier {
        let layer = EncoderLayerConfig::new(self.d_model, self.n_heads, self.d_hidden);
        let layer = layer.with_attention(self.attention).with_dropout(self.dropout);
        let (n_words, d_model) = (self.vocabulary_size, self.d_model);
        TextClassifier {
            embedding: TokenEmbedding::new(n_words, self.max_tokens, d_model, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            layers: (0..self.depth).map(|k| layer.of_layer(k).init(device)).collect(),
            norm: LayerNormConfig::new(d_model).init(device),
            head: LinearConfig::new(d_model, self.n_classes).init(device),
        }
    }
}

impl TextClassifier {
    /// Applies the forward pass on a batch of texts.
    ///
    /// # Shapes
    ///
    /// - tokens, mask_pad (true = padding): `[batch_size, n_tokens]`
    /// - output: logits `[batch_size, n_classes]`
    ///
    /// # Panics
    ///
    /// Panics on a mask of another shape, and on more tokens than the config says.
    pub fn forward(&self, tokens: Tensor<2, Int>, mask_pad: Tensor<2, Bool>) -> Tensor<2> {
        self.forward_with_attention(tokens, mask_pad).0
    }

    /// As [`forward`](Self::forward), with what the attention of each layer gave; nothing where there
    /// is none.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_with_attention(
        &self,
        tokens: Tensor<2, Int>,
        mask_pad: Tensor<2, Bool>,
    ) -> (Tensor<2>, Vec<AttentionOutput>) {
        let [batch_size, n_tokens] = tokens.dims();
        assert_shape!(mask_pad, [batch_size, n_tokens]);
        let x = self.dropout.forward(self.embedding.forward(tokens));
        let masks = TokenMasks { pad: Some(mask_pad.clone()), attn: None };
        let (x, attention) = forward_all(&self.layers, x, &masks);
        let mean = masked_mean(x, mask_pad);
        (self.head.forward(self.norm.forward(mean)), attention)
    }

    /// This network with an attention of another kind in each layer, which takes over the parameters
    /// that the two have in common; see
    /// [`TokenAttention::transfer_to`](crate::TokenAttention::transfer_to).
    pub fn with_attention(mut self, kind: AttentionKind, device: &Device) -> Self {
        let layers = self.layers.into_iter();
        self.layers = layers.map(|layer| layer.with_attention(kind, device)).collect();
        self
    }
}

/// The mean over the tokens that are not padding, `[batch_size, d_model]`; zero where all are.
fn masked_mean(x: Tensor<3>, mask_pad: Tensor<2, Bool>) -> Tensor<2> {
    let kept = mask_pad.bool_not().float().cast(x.dtype());
    let count = kept.clone().sum_dim(1).clamp_min(1.0);
    let sum = (x * kept.unsqueeze_dim(2)).sum_dim(1).squeeze_dim(1);
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;

    fn model(kind: AttentionKind, device: &Device) -> TextClassifier {
        let config = TextClassifierConfig::new(20, 3).with_attention(kind).with_max_tokens(6);
        config.with_d_model(16).with_n_heads(2).with_depth(2).init(device)
    }

    const KINDS: [AttentionKind; 4] =
        [AttentionKind::Qama, AttentionKind::QamaOneKey, AttentionKind::Mha, AttentionKind::None];

    #[test]
    fn logits_do_not_depend_on_the_padding() {
        let device = Device::flex();
        for kind in KINDS {
            let model = model(kind, &device);
            let logits = |tokens: Tensor<2, Int>| {
                let mask = tokens.clone().equal_scalar(0);
                model.forward(tokens, mask).narrow(0, 0, 1).into_data()
            };
            let alone = logits(Tensor::from_data([[3, 9, 4]], &device));
            let texts = [[3, 9, 4, 0, 0, 0], [1, 2, 3, 4, 5, 6]];
            let padded = logits(Tensor::from_data(texts, &device));
            padded.assert_approx_eq::<f32>(&alone, Tolerance::absolute(1e-5));
        }
    }

    /// The mean of 1 and 3, of all three, and of nothing.
    #[test]
    fn the_mean_is_that_of_the_tokens_that_are_not_padding() {
        let device = Device::flex();
        let x = Tensor::<1>::from_data([1.0, 3.0, 8.0], &device).reshape([1, 3, 1]);
        let masks = [[false, false, true], [false; 3], [true; 3]];
        let mean = masked_mean(x.repeat_dim(0, 3), Tensor::from_data(masks, &device));
        mean.into_data().assert_eq(&[[2.0f32], [4.0], [0.0]].into(), true);
    }

    #[test]
    fn gradients_reach_the_words_that_are_there_and_no_others() {
        let device = Device::flex().autodiff();
        for kind in KINDS {
            let model = model(kind, &device);
            let tokens = Tensor::from_data([[3, 9, 4]], &device);
            let mask = tokens.clone().equal_scalar(0);
            let grads = model.forward(tokens, mask).powi_scalar(2).sum().backward();
            let gradient = model.embedding.token.weight.val().grad(&grads).unwrap();
            let rows: Vec<f32> = gradient.abs().sum_dim(1).into_data().iter::<f32>().collect();
            for (word, &row) in rows.iter().enumerate() {
                assert_eq!(row > 0.0, [3, 9, 4].contains(&word), "{kind:?}: {word} {row}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "texts of 7 tokens, but places for 6")]
    fn too_many_tokens() {
        let device = Device::flex();
        let tokens = Tensor::<2, Int>::ones([1, 7], &device);
        model(AttentionKind::Mha, &device).forward(tokens.clone(), tokens.equal_scalar(0));
    }
}
