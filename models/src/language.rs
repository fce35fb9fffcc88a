//! A small language model whose attention is a parameter.

use crate::attention::{AttentionKind, TokenMasks};
use crate::embedding::TokenEmbedding;
use crate::encoder::{EncoderLayer, EncoderLayerConfig, forward_all};
use burn::config::Config;
use burn::module::Module;
use burn::nn::attention::generate_autoregressive_mask;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Dropout, DropoutConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData, assert_shape, s};

/// Configuration to create a [`LanguageModel`] using the [init function](LanguageModelConfig::init).
#[derive(Config, Debug)]
pub struct LanguageModelConfig {
    /// The number of tokens.
    pub vocabulary_size: usize,
    /// The largest number of tokens that it sees.
    pub max_tokens: usize,
    /// The attention. Default: QAMA by its mean field
    #[config(default = "AttentionKind::Qama")]
    pub attention: AttentionKind,
    /// The number of features of a token. Default: 64
    #[config(default = 64)]
    pub d_model: usize,
    /// The number of attention heads. It must divide `d_model`. Default: 8
    #[config(default = 8)]
    pub n_heads: usize,
    /// The number of layers. Default: 2
    #[config(default = 2)]
    pub depth: usize,
    /// The width of each layer's inner layer. Default: 128
    #[config(default = 128)]
    pub d_hidden: usize,
    /// The dropout rate, of the embedding and in each layer. Default: 0.1
    #[config(default = 0.1)]
    pub dropout: f64,
}

/// A causal language model: embeddings of words and places, layers in which a token sees itself and
/// those before it, a head for the next token.
///
/// What it says of a token does not depend on later ones. The strength of [`Qama`]'s couplings depends
/// on the number of keys, though, so texts are padded to `max_tokens` inside, where no token sees the
/// padding: what it says of a token does not depend on the length of the text either.
///
/// Should be created with [`LanguageModelConfig`].
///
/// [`Qama`]: burn_quantum::nn::attention::Qama
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum_models::LanguageModelConfig;
///
/// let device = Device::flex();
/// let model = LanguageModelConfig::new(100, 12).init(&device);
/// let tokens = Tensor::from_data([[5, 7, 3], [9, 2, 1]], &device);
/// assert_eq!(model.forward(tokens).dims(), [2, 3, 100]);
/// ```
#[derive(Module, Debug)]
pub struct LanguageModel {
    /// From tokens to vectors.
    pub embedding: TokenEmbedding,
    /// Dropout on the embedding.
    pub dropout: Dropout,
    /// The layers, first to last.
    pub layers: Vec<EncoderLayer>,
    /// Normalises what the head sees.
    pub norm: LayerNorm,
    /// From `d_model` to the logits.
    pub head: Linear,
}

impl LanguageModelConfig {
    /// Initialises a new network.
    ///
    /// # Panics
    ///
    /// Panics if the heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> LanguageModel {
        let layer = EncoderLayerConfig::new(self.d_model, self.n_heads, self.d_hidden);
        let layer = layer.with_attention(self.attention).with_dropout(self.dropout);
        let (n_words, d_model) = (self.vocabulary_size, self.d_model);
        LanguageModel {
            embedding: TokenEmbedding::new(n_words, self.max_tokens, d_model, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            layers: (0..self.depth).map(|k| layer.of_layer(k).init(device)).collect(),
            norm: LayerNormConfig::new(d_model).init(device),
            head: LinearConfig::new(d_model, n_words).init(device),
        }
    }
}

impl LanguageModel {
    /// What comes after each token.
    ///
    /// # Shapes
    ///
    /// - tokens: `[batch_size, n_tokens]`
    /// - output: logits of the next token, `[batch_size, n_tokens, vocabulary_size]`
    ///
    /// # Panics
    ///
    /// Panics on more tokens than the config says.
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let ([batch_size, n_tokens], max_tokens) = (tokens.dims(), self.embedding.max_tokens());
        let device = tokens.device();
        let mut padded = tokens;
        if n_tokens < max_tokens {
            let shape = [batch_size, max_tokens - n_tokens];
            let padding = Tensor::zeros(shape, (&device, padded.dtype()));
            padded = Tensor::cat(vec![padded, padding], 1);
        }
        let x = self.dropout.forward(self.embedding.forward(padded));
        let causal = generate_autoregressive_mask(batch_size, max_tokens, &device);
        let masks = TokenMasks { pad: None, attn: Some(causal) };
        let (x, _) = forward_all(&self.layers, x, &masks);
        self.head.forward(self.norm.forward(x.slice(s![.., 0..n_tokens])))
    }

    /// The mean cross-entropy of each token given those before it, in nats, `[1]`; the first is given,
    /// and what `mask_pad` marks (true = padding, which comes last) does not count.
    ///
    /// # Shapes
    ///
    /// - tokens, mask_pad: `[batch_size, n_tokens]`
    ///
    /// # Panics
    ///
    /// Panics on fewer than two tokens or more than the config says, and on a mask of another shape.
    pub fn loss(&self, tokens: Tensor<2, Int>, mask_pad: Option<Tensor<2, Bool>>) -> Tensor<1> {
        let [batch_size, n_tokens] = tokens.dims();
        assert!(n_tokens > 1, "texts of {n_tokens} tokens have no next one: use at least 2");
        let logits = self.forward(tokens.clone().slice(s![.., 0..n_tokens - 1]));
        let vocabulary_size = logits.dims()[2];
        let n = batch_size * (n_tokens - 1);
        let logits = logits.reshape([n, vocabulary_size]);
        let targets = tokens.slice(s![.., 1..]).reshape([n]);
        let Some(mask) = mask_pad else {
            let loss = CrossEntropyLossConfig::new().init(&logits.device());
            return loss.forward(logits, targets);
        };
        assert_shape!(mask, [batch_size, n_tokens]);
        // burn-nn leaves out targets by their number, which words may have, too.
        let mask = mask.slice(s![.., 1..]).reshape([n]);
        let kept = mask.bool_not().float().cast(logits.dtype());
        let losses = log_softmax(logits, 1).gather(1, targets.unsqueeze_dim(1)).neg();
        (losses.squeeze_dim(1) * kept.clone()).sum() / kept.sum().clamp_min(1.0)
    }

    /// Goes on with `n` tokens after `prompt`, each the most likely one after the last `max_tokens`.
    ///
    /// # Panics
    ///
    /// Panics on an empty prompt.
    pub fn generate(&self, prompt: &[u32], n: usize, device: &Device) -> Vec<u32> {
        assert!(!prompt.is_empty(), "the prompt is empty: give at least one token");
        let mut tokens: Vec<i32> = prompt.iter().map(|&token| token as i32).collect();
        for _ in 0..n {
            let seen = &tokens[tokens.len().saturating_sub(self.embedding.max_tokens())..];
            let data = TensorData::new(seen.to_vec(), [1, seen.len()]);
            let logits = self.forward(Tensor::from_data(data, device));
            let last = logits.slice(s![.., seen.len() - 1..]);
            tokens.push(last.argmax(2).into_scalar::<i32>());
        }
        tokens[prompt.len()..].iter().map(|&token| token as u32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::optim::{AdamConfig, GradientsParams};
    use burn::tensor::Tolerance;

    const KINDS: [AttentionKind; 3] =
        [AttentionKind::Qama, AttentionKind::QamaOneKey, AttentionKind::Mha];

    fn config(kind: AttentionKind) -> LanguageModelConfig {
        let config = LanguageModelConfig::new(6, 8).with_attention(kind).with_d_model(16);
        config.with_n_heads(2).with_d_hidden(32).with_dropout(0.0)
    }

    fn logits(model: &LanguageModel, tokens: &[i32], device: &Device) -> Vec<Vec<f32>> {
        let data = TensorData::new(tokens.to_vec(), [1, tokens.len()]);
        let logits = model.forward(Tensor::from_data(data, device)).into_data();
        let values: Vec<f32> = logits.iter::<f32>().collect();
        values.chunks(6).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn logits_do_not_move_when_later_tokens_change() {
        let device = Device::flex();
        for kind in KINDS {
            let model = config(kind).init(&device);
            let before = logits(&model, &[1, 2, 3, 4, 5, 0, 1, 2], &device);
            for changed in 0..8 {
                let mut tokens = [1, 2, 3, 4, 5, 0, 1, 2];
                tokens[changed] = 3 - tokens[changed].min(2);
                let after = logits(&model, &tokens, &device);
                assert_eq!(before[..changed], after[..changed], "{kind:?}");
                assert!(before[changed..].iter().zip(&after[changed..]).all(|(a, b)| a != b));
                let cut = logits(&model, &tokens[..=changed], &device);
                for (a, b) in cut.iter().flatten().zip(after.iter().flatten()) {
                    assert!((a - b).abs() < 1e-5, "{kind:?}: {a} {b}");
                }
            }
        }
    }

    /// After 2 comes 4 or 1, so one token is not enough: attention has to look back.
    #[test]
    fn it_learns_a_periodic_sequence_that_one_token_does_not_tell() {
        let device = Device::flex().autodiff();
        let period = [1, 2, 4, 3, 2, 1, 5];
        let texts: Vec<i32> =
            (0..7).flat_map(|start| (0..9).map(move |i| period[(start + i) % 7])).collect();
        let tokens =
            || Tensor::<2, Int>::from_data(TensorData::new(texts.clone(), [7, 9]), &device);
        for kind in KINDS {
            device.seed(3);
            let mut model = config(kind).init(&device);
            let mut optimizer = AdamConfig::new().init();
            for _ in 0..120 {
                let loss = model.loss(tokens(), None);
                let grads = GradientsParams::from_grads(loss.backward(), &model);
                model = optimizer.step(1e-2, model, grads);
            }
            // Only the first place leaves a choice: after 1 come 2 and 5, after 2 come 4 and 1.
            let loss = model.loss(tokens(), None).into_scalar::<f32>();
            let floor = 4.0 / 7.0 * 2f32.ln() / 8.0;
            assert!(loss < floor + 0.1, "{kind:?}: {loss}, at best {floor}");
            let plain = Device::flex();
            let model = burn::module::Module::valid(&model);
            assert_eq!(model.generate(&[1, 2, 4], 9, &plain), [3, 2, 1, 5, 1, 2, 4, 3, 2]);
        }
    }

    /// The loss is the mean over all tokens of all texts, padding left out.
    #[test]
    fn padding_does_not_count() {
        let device = Device::flex();
        let model = config(AttentionKind::Qama).init(&device);
        let loss = |tokens: Tensor<2, Int>, mask| model.loss(tokens, mask).into_data();
        let one = loss(Tensor::from_data([[1, 2, 3, 4]], &device), None);
        let mask = [[false; 6], [true; 6]];
        let mask = Tensor::<2, Bool>::from_data(mask, &device);
        let mask = mask.slice_assign([0..1, 4..6], Tensor::from_data([[true, true]], &device));
        let texts = [[1, 2, 3, 4, 0, 0], [5, 0, 0, 0, 0, 0]];
        let both = loss(Tensor::from_data(texts, &device), Some(mask));
        both.assert_approx_eq::<f32>(&one, Tolerance::absolute(1e-5));
        // A word that is called 0 counts where it is no padding.
        let zeros = Tensor::from_data([[1, 0, 0]], &device);
        let none = Tensor::<2, Bool>::from_data([[false; 3]], &device);
        let masked = loss(zeros.clone(), Some(none));
        masked.assert_approx_eq::<f32>(&loss(zeros, None), Tolerance::absolute(1e-6));
    }
}
