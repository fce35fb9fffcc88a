//! The attentions that the networks can be built with.

use burn::config::Config;
use burn::module::Module;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::tensor::{Bool, Device, Tensor};
use burn_quantum::annealing::Random;
use burn_quantum::nn::SampleTemperature;
use burn_quantum::nn::attention::{Qama, QamaConfig, QamaCoupling, QamaInput, QamaSelection};
use std::sync::Arc;

/// The attention of a network.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum AttentionKind {
    /// [`Qama`] by its mean field.
    Qama,
    /// [`Qama`] by 16 Gibbs samples.
    QamaGibbs,
    /// [`Qama`] whose spins ignore their model, a control that must lose.
    QamaRandom,
    /// [`Qama`] that selects exactly one key, which is softmax attention.
    QamaOneKey,
    /// Burn's multi-head attention.
    Mha,
    /// None: tokens meet only when they are averaged, the other control.
    None,
}

/// One of the attentions that [`AttentionKind`] names.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one of each layer, none of them copied
pub enum TokenAttention {
    /// By annealing.
    Qama(Qama),
    /// Burn's.
    Mha(MultiHeadAttention),
}

/// Which tokens a token does not see; true = masked out.
#[derive(Debug, Clone, Default)]
pub struct TokenMasks {
    /// Padding, `[batch_size, n_tokens]`.
    pub pad: Option<Tensor<2, Bool>>,
    /// For each token, `[batch_size, n_tokens, n_tokens]`; the last axis is what is not seen.
    pub attn: Option<Tensor<3, Bool>>,
}

/// What an attention gives.
#[derive(Debug, Clone)]
pub struct AttentionOutput {
    /// `[batch_size, n_tokens, d_model]`
    pub context: Tensor<3>,
    /// The weights of the values, `[batch_size, n_heads, n_tokens, n_tokens]`.
    pub weights: Tensor<4>,
    /// The probability that a query selects a key, of the same shape. Softmax attention selects one
    /// key, so that these are its weights.
    pub selection: Tensor<4>,
}

impl AttentionKind {
    /// Initialises a new layer, or nothing of [`None`](Self::None).
    ///
    /// # Panics
    ///
    /// Panics if the heads do not divide `d_model`.
    pub fn init(
        self,
        d_model: usize,
        n_heads: usize,
        dropout: f64,
        device: &Device,
    ) -> Option<TokenAttention> {
        let qama = QamaConfig::new(d_model, n_heads).with_dropout(dropout);
        Some(match self {
            Self::None => return None,
            Self::Mha => {
                assert!(
                    n_heads > 0 && d_model.is_multiple_of(n_heads),
                    "{n_heads} heads do not divide d_model {d_model}: use a divisor"
                );
                let config = MultiHeadAttentionConfig::new(d_model, n_heads).with_dropout(dropout);
                TokenAttention::Mha(config.init(device))
            }
            Self::Qama => TokenAttention::Qama(qama.init(device)),
            Self::QamaGibbs => {
                TokenAttention::Qama(qama.with_selection(QamaSelection::Gibbs).init(device))
            }
            Self::QamaRandom => {
                let (sampler, beta) = (Arc::new(Random::default()), SampleTemperature::Known(1.0));
                TokenAttention::Qama(qama.init_with_sampler(device, sampler, beta))
            }
            Self::QamaOneKey => {
                let one = qama.with_selection(QamaSelection::ExactlyOne);
                TokenAttention::Qama(one.with_coupling(QamaCoupling::None).init(device))
            }
        })
    }
}

impl TokenAttention {
    /// Tokens `[batch_size, n_tokens, d_model]` attend to each other.
    ///
    /// # Panics
    ///
    /// Panics on another number of features, and on masks of other shapes.
    pub fn forward(&self, x: Tensor<3>, masks: &TokenMasks) -> AttentionOutput {
        match self {
            Self::Qama(qama) => {
                let mut input = QamaInput::self_attn(x);
                if let Some(pad) = &masks.pad {
                    input = input.mask_pad(pad.clone());
                }
                if let Some(attn) = &masks.attn {
                    input = input.mask_attn(attn.clone());
                }
                let output = qama.forward(input);
                let (context, weights) = (output.context, output.weights);
                AttentionOutput { context, weights, selection: output.selection }
            }
            Self::Mha(mha) => {
                let mut input = MhaInput::self_attn(x);
                if let Some(pad) = &masks.pad {
                    input = input.mask_pad(pad.clone());
                }
                if let Some(attn) = &masks.attn {
                    input = input.mask_attn(attn.clone());
                }
                let output = mha.forward(input);
                let (context, weights) = (output.context, output.weights);
                AttentionOutput { context, selection: weights.clone(), weights }
            }
        }
    }

    /// The attention `other` with the parameters of this one: those of the same path, the four linear
    /// layers, are taken over, others of `other` stay as they are.
    ///
    /// # Panics
    ///
    /// Panics if the two differ in the size of the linear layers.
    pub fn transfer_to(self, other: Self) -> Self {
        let record = match self {
            Self::Qama(qama) => qama.into_record(),
            Self::Mha(mha) => mha.into_record(),
        };
        let record = record.allow_partial(true).allow_unused(true);
        match other {
            Self::Qama(qama) => Self::Qama(qama.load_record(record)),
            Self::Mha(mha) => Self::Mha(mha.load_record(record)),
        }
    }
}
