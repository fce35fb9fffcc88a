//! A layer of a transformer whose attention is a parameter.

use crate::attention::{AttentionKind, AttentionOutput, TokenAttention, TokenMasks};
use burn::config::Config;
use burn::module::Module;
use burn::nn::transformer::{PositionWiseFeedForward, PositionWiseFeedForwardConfig};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor};
use burn_quantum::Error;

/// Configuration to create an [`EncoderLayer`] using the [init function](EncoderLayerConfig::init).
#[derive(Config, Debug)]
pub struct EncoderLayerConfig {
    /// The number of features of a token.
    pub d_model: usize,
    /// The number of attention heads. It must divide `d_model`.
    pub n_heads: usize,
    /// The width of the feed-forward network's inner layer.
    pub d_hidden: usize,
    /// The attention. Default: QAMA by its mean field
    #[config(default = "AttentionKind::Qama")]
    pub attention: AttentionKind,
    /// The dropout rate, of attention weights, the inner layer and what is added to the tokens.
    /// Default: 0.1
    #[config(default = 0.1)]
    pub dropout: f64,
    /// Seeds the samples of the attention, if it draws any. Default: 0
    #[config(default = 0)]
    pub seed: u64,
}

/// A pre-norm layer of a transformer: `y = x + attention(norm(x))`, then `y + feed_forward(norm(y))`.
///
/// With a mask of what a token may see it is a layer of a decoder-only language model. The norms come
/// first as in [Xiong et al. 2020](https://arxiv.org/abs/2002.04745).
///
/// Should be created with [`EncoderLayerConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum_models::{EncoderLayerConfig, TokenMasks};
///
/// let device = Device::flex();
/// let layer = EncoderLayerConfig::new(8, 2, 16).init(&device);
/// let tokens = layer.forward(Tensor::zeros([3, 5, 8], &device), &TokenMasks::default());
/// assert_eq!(tokens.dims(), [3, 5, 8]);
/// ```
#[derive(Module, Debug)]
pub struct EncoderLayer {
    /// Normalises what the attention sees.
    pub norm_attention: LayerNorm,
    /// The attention, where there is one.
    pub attention: Option<TokenAttention>,
    /// Normalises what the feed-forward network sees.
    pub norm_feed_forward: LayerNorm,
    /// `d_model` to `d_hidden` and back.
    pub feed_forward: PositionWiseFeedForward,
    /// Dropout on what is added to the tokens.
    pub dropout: Dropout,
    #[module(skip)]
    shape: AttentionShape,
}

/// Heads add their number to the seed of their layer.
pub(crate) fn layer_seed(k: usize) -> u64 {
    (k as u64) << 32
}

/// What it takes to build another attention of the same size.
#[derive(Debug, Clone, Copy)]
struct AttentionShape {
    d_model: usize,
    n_heads: usize,
    dropout: f64,
    seed: u64,
}

impl EncoderLayerConfig {
    /// The config of layer `k` of a stack, whose samples are independent of the others'.
    pub(crate) fn of_layer(&self, k: usize) -> Self {
        self.clone().with_seed(layer_seed(k))
    }

    /// Initialises a new layer.
    ///
    /// # Panics
    ///
    /// Panics if the heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> EncoderLayer {
        let (d_model, n_heads, dropout) = (self.d_model, self.n_heads, self.dropout);
        let attention = self.attention.init(d_model, n_heads, dropout, self.seed, device);
        self.init_with(attention, device)
    }

    /// Initialises a new layer around an attention of one's own; that of the config counts for nothing.
    pub fn init_with(&self, attention: Option<TokenAttention>, device: &Device) -> EncoderLayer {
        let (d_model, n_heads, dropout) = (self.d_model, self.n_heads, self.dropout);
        let feed_forward = PositionWiseFeedForwardConfig::new(d_model, self.d_hidden);
        EncoderLayer {
            norm_attention: LayerNormConfig::new(d_model).init(device),
            attention,
            norm_feed_forward: LayerNormConfig::new(d_model).init(device),
            feed_forward: feed_forward.with_dropout(dropout).init(device),
            dropout: DropoutConfig::new(dropout).init(),
            shape: AttentionShape { d_model, n_heads, dropout, seed: self.seed },
        }
    }
}

impl EncoderLayer {
    /// Tokens `[batch_size, n_tokens, d_model]` to tokens.
    ///
    /// # Panics
    ///
    /// Panics on another number of features, and on masks of other shapes.
    pub fn forward(&self, x: Tensor<3>, masks: &TokenMasks) -> Tensor<3> {
        let (x, _) = self.try_forward(x, masks).unwrap_or_else(|e| panic!("EncoderLayer: {e}"));
        x
    }

    /// As [`forward`](Self::forward), with what the attention gave; what a sampler or a device reports is
    /// returned.
    ///
    /// # Errors
    ///
    /// As [`TokenAttention::try_forward`].
    ///
    /// # Panics
    ///
    /// On other shapes.
    pub fn try_forward(
        &self,
        x: Tensor<3>,
        masks: &TokenMasks,
    ) -> Result<(Tensor<3>, Option<AttentionOutput>), Error> {
        let attend =
            |a: &TokenAttention| a.try_forward(self.norm_attention.forward(x.clone()), masks);
        let output = self.attention.as_ref().map(attend).transpose()?;
        let x = match &output {
            Some(output) => self.dropout.forward(output.context.clone()) + x,
            None => x,
        };
        let inner = self.feed_forward.forward(self.norm_feed_forward.forward(x.clone()));
        Ok((x + self.dropout.forward(inner), output))
    }

    /// This layer with an attention of another kind, which takes over the parameters that the two have
    /// in common; see [`TokenAttention::transfer_to`].
    pub fn with_attention(mut self, kind: AttentionKind, device: &Device) -> Self {
        let AttentionShape { d_model, n_heads, dropout, seed } = self.shape;
        let new = kind.init(d_model, n_heads, dropout, seed, device);
        self.attention = match (self.attention, new) {
            (Some(old), Some(new)) => Some(old.transfer_to(new)),
            (_, new) => new,
        };
        self
    }
}

/// Applies `layers` one after the other, and keeps what each attention gave.
pub(crate) fn try_forward_all(
    layers: &[EncoderLayer],
    mut x: Tensor<3>,
    masks: &TokenMasks,
) -> Result<(Tensor<3>, Vec<AttentionOutput>), Error> {
    let mut outputs = Vec::new();
    for layer in layers {
        let (next, output) = layer.try_forward(x, masks)?;
        x = next;
        outputs.extend(output);
    }
    Ok((x, outputs))
}

/// As [`try_forward_all`] where samplers are simulators, which fail on bad input only.
pub(crate) fn forward_all(
    layers: &[EncoderLayer],
    x: Tensor<3>,
    masks: &TokenMasks,
) -> (Tensor<3>, Vec<AttentionOutput>) {
    try_forward_all(layers, x, masks).unwrap_or_else(|error| panic!("EncoderLayer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::transformer::{TransformerEncoderConfig, TransformerEncoderInput};
    use burn::store::ModuleRecord;
    use burn::tensor::{Distribution, Tolerance};

    fn tokens(device: &Device) -> Tensor<3> {
        Tensor::random([2, 5, 8], Distribution::Normal(0.0, 1.0), device)
    }

    fn mask(device: &Device) -> TokenMasks {
        let pad = [[false, false, false, true, true], [false; 5]];
        TokenMasks { pad: Some(Tensor::from_data(pad, device)), attn: None }
    }

    /// With Burn's attention, and with QAMA that selects one key, this is burn-nn's own layer.
    #[test]
    fn it_agrees_with_the_transformer_of_burn() {
        let device = Device::flex();
        let config = EncoderLayerConfig::new(8, 2, 16).with_dropout(0.0);
        let layer = config.with_attention(AttentionKind::Mha).init(&device);
        let burn = TransformerEncoderConfig::new(8, 16, 2, 1).with_norm_first(true);
        let mut burn = burn.with_dropout(0.0).init(&device);
        let theirs = &mut burn.layers[0];
        let Some(TokenAttention::Mha(mha)) = &layer.attention else { panic!("no MHA") };
        theirs.mha = mha.clone();
        theirs.pwff = layer.feed_forward.clone();
        // burn-nn's norm_2 comes before the attention.
        (theirs.norm_2, theirs.norm_1) =
            (layer.norm_attention.clone(), layer.norm_feed_forward.clone());

        let (x, masks) = (tokens(&device), mask(&device));
        let input = TransformerEncoderInput::new(x.clone()).mask_pad(masks.pad.clone().unwrap());
        let expected = burn.forward(input).into_data();
        let one_key = layer.clone().with_attention(AttentionKind::QamaOneKey, &device);
        for layer in [layer, one_key] {
            let given = layer.forward(x.clone(), &masks).into_data();
            given.assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
        }
    }

    /// Two layers of the same weights, which see the same tokens.
    #[test]
    fn layers_of_a_stack_draw_samples_of_their_own() {
        let (device, config) = (Device::flex(), EncoderLayerConfig::new(8, 2, 16));
        let (config, x) = (config.with_dropout(0.0), tokens(&device));
        use AttentionKind::*;
        for kind in [QamaGibbs, QamaRandom, QamaSelection, QamaBipartite] {
            let config = config.clone().with_attention(kind);
            let layers = [0, 0, 1].map(|k| config.of_layer(k).init(&device));
            let bytes = layers[0].clone().into_record().into_bytes().unwrap();
            let [first, again, other] = layers.map(|layer| {
                let layer = layer.load_record(ModuleRecord::from_bytes(bytes.clone()).unwrap());
                layer.forward(x.clone(), &TokenMasks::default()).into_data()
            });
            assert_eq!(first, again, "{kind:?}");
            assert_ne!(first, other, "{kind:?}");
        }
    }

    #[test]
    fn another_attention_keeps_the_linear_layers_and_there_may_be_none() {
        let device = Device::flex();
        let config = EncoderLayerConfig::new(8, 2, 16).with_attention(AttentionKind::Mha);
        let layer = config.init(&device);
        let qama = layer.clone().with_attention(AttentionKind::Qama, &device);
        let (Some(TokenAttention::Mha(mha)), Some(TokenAttention::Qama(qama))) =
            (&layer.attention, &qama.attention)
        else {
            panic!("other attentions")
        };
        for (a, b) in [(&mha.query, &qama.query), (&mha.output, &qama.output)] {
            a.weight.val().into_data().assert_eq(&b.weight.val().into_data(), true);
        }
        let none = layer.with_attention(AttentionKind::None, &device);
        assert!(none.attention.is_none());
        assert!(none.with_attention(AttentionKind::Mha, &device).attention.is_some());
    }

    #[test]
    fn padding_changes_nothing_for_the_other_tokens() {
        let device = Device::flex();
        use AttentionKind::{Mha, Qama, QamaGibbs, QamaOneKey};
        for kind in [Qama, QamaGibbs, QamaOneKey, Mha] {
            let config = EncoderLayerConfig::new(8, 2, 16).with_attention(kind);
            let layer = config.init(&device);
            let (x, masks) = (tokens(&device), mask(&device));
            let padded = layer.forward(x.clone(), &masks).slice([0..1, 0..3]);
            let alone = layer.forward(x.slice([0..1, 0..3]), &TokenMasks::default());
            if kind == QamaGibbs {
                // Other keys, other samples: the masks only have to leave numbers.
                let sum = (padded - alone).abs().sum().into_scalar::<f32>();
                assert!(sum.is_finite(), "{sum}");
                continue;
            }
            padded
                .into_data()
                .assert_approx_eq::<f32>(&alone.into_data(), Tolerance::absolute(1e-5));
        }
    }
}
