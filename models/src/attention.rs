//! The attentions that the networks can be built with.

use burn::config::Config;
use burn::module::Module;
use burn::nn::Linear;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::tensor::{Bool, Device, Tensor};
use burn_quantum::Error;
use burn_quantum::annealing::{AllOn, IsingSampler, Random};
use burn_quantum::gradient::HybridState;
use burn_quantum::nn::SampleTemperature;
use burn_quantum::nn::attention::{
    BipartiteAttention, Qama, QamaConfig, QamaCoupling, QamaField, QamaInput, QamaSelection,
    SelectionAttention,
};
use std::sync::Arc;

/// The attention of a network.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum AttentionKind {
    /// [`Qama`] by its mean field.
    Qama,
    /// [`Qama`] whose fields are [scores alone](QamaField::Score), a control.
    QamaScore,
    /// [`Qama`] without couplings, a control.
    QamaUncoupled,
    /// [`Qama`] by 16 Gibbs samples.
    QamaGibbs,
    /// [`Qama`] whose spins ignore their model, a control that must lose.
    QamaRandom,
    /// [`Qama`] that selects exactly one key, which is softmax attention.
    QamaOneKey,
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
    /// None: tokens meet only when they are averaged, the last control.
    None,
}

/// One of the attentions that [`AttentionKind`] names.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one of each layer, none of them copied
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
    /// The weights of the values, `[batch_size, n_heads, n_tokens, n_tokens]`; where one selection serves
    /// all queries, that selection for each of them.
    pub weights: Tensor<4>,
    /// The probability that a query selects a key, of the same shape. Softmax attention selects one
    /// key, so that these are its weights.
    pub selection: Tensor<4>,
}

impl AttentionKind {
    /// Initialises a new layer, or nothing of [`None`](Self::None).
    ///
    /// The operators of [`SelectionAttention`] have no dropout. Samples follow from `seed`, to which
    /// heads may add their number: samples of layers are independent if their seeds are further apart.
    ///
    /// # Panics
    ///
    /// Panics if the heads do not divide `d_model`.
    pub fn init(
        self,
        d_model: usize,
        n_heads: usize,
        dropout: f64,
        seed: u64,
        device: &Device,
    ) -> Option<TokenAttention> {
        let qama = QamaConfig::new(d_model, n_heads).with_dropout(dropout);
        let sampled = |qama: QamaConfig, sampler: Arc<dyn IsingSampler>| {
            let (beta, qama) = (SampleTemperature::Known(1.0), qama.with_seed(seed));
            TokenAttention::Qama(qama.init_with_sampler(device, sampler, beta))
        };
        Some(match self {
            Self::None => return None,
            Self::Mha => TokenAttention::Mha(mha(d_model, n_heads, dropout, device)),
            Self::Qama => TokenAttention::Qama(qama.init(device)),
            Self::QamaScore => TokenAttention::Qama(qama.with_field(QamaField::Score).init(device)),
            Self::QamaUncoupled => {
                TokenAttention::Qama(qama.with_coupling(QamaCoupling::None).init(device))
            }
            Self::QamaGibbs => {
                let gibbs = qama.with_selection(QamaSelection::Gibbs).with_seed(seed);
                TokenAttention::Qama(gibbs.init(device))
            }
            Self::QamaRandom => sampled(qama, Arc::new(Random::default())),
            // All reads are the same, and the gradient wants two.
            Self::QamaAllOn => sampled(qama.with_n_reads(2), Arc::new(AllOn)),
            Self::QamaOneKey => {
                let one = qama.with_selection(QamaSelection::ExactlyOne);
                TokenAttention::Qama(one.with_coupling(QamaCoupling::None).init(device))
            }
            Self::QamaSelection => {
                let config = QamaConfig::selection(d_model, n_heads).with_seed(seed);
                TokenAttention::Selection(config.init(device))
            }
            Self::QamaBipartite => {
                let config = QamaConfig::bipartite(d_model, n_heads).with_dropout(dropout);
                TokenAttention::Bipartite(config.with_seed(seed).init(device))
            }
            Self::QamaPaper => {
                let config = QamaConfig::paper_v2(d_model, n_heads).with_seed(seed);
                TokenAttention::Selection(config.init(device))
            }
            Self::QamaPaperAllOn => {
                let config = QamaConfig::paper_v2(d_model, n_heads).with_n_reads(1);
                let beta = SampleTemperature::Known(1.0);
                let layer = config.init_with_sampler(device, Arc::new(AllOn), beta);
                TokenAttention::Selection(layer)
            }
        })
    }
}

fn mha(d_model: usize, n_heads: usize, dropout: f64, device: &Device) -> MultiHeadAttention {
    assert!(
        n_heads > 0 && d_model.is_multiple_of(n_heads),
        "{n_heads} heads do not divide d_model {d_model}: use a divisor"
    );
    MultiHeadAttentionConfig::new(d_model, n_heads).with_dropout(dropout).init(device)
}

impl TokenAttention {
    /// What the hybrid gradients of its samplers mix, for metrics; empty where there are none.
    pub fn gradient_states(&self) -> Vec<Arc<HybridState>> {
        match self {
            Self::Qama(qama) => qama.gradient_states(),
            Self::Selection(_) | Self::Bipartite(_) | Self::Mha(_) => Vec::new(),
        }
    }

    /// Tokens `[batch_size, n_tokens, d_model]` attend to each other.
    ///
    /// # Panics
    ///
    /// Panics on another number of features, on masks of other shapes, on a mask of queries and keys
    /// where one selection serves all queries, and with the sampler's own message if that fails: see
    /// [`try_forward`](Self::try_forward).
    pub fn forward(&self, x: Tensor<3>, masks: &TokenMasks) -> AttentionOutput {
        self.try_forward(x, masks).unwrap_or_else(|error| panic!("TokenAttention: {error}"))
    }

    /// As [`forward`](Self::forward), but what a sampler or a device reports is returned.
    ///
    /// # Errors
    ///
    /// Where the sampler fails, and when its samples are too cold to tell their temperature.
    ///
    /// # Panics
    ///
    /// On other shapes.
    pub fn try_forward(&self, x: Tensor<3>, masks: &TokenMasks) -> Result<AttentionOutput, Error> {
        Ok(match self {
            Self::Qama(qama) => {
                let output = qama.try_forward(masks.input(x))?;
                let (context, weights) = (output.context, output.weights);
                AttentionOutput { context, weights, selection: output.selection }
            }
            Self::Bipartite(bipartite) => {
                let output = bipartite.try_forward(masks.input(x))?;
                let (context, weights) = (output.context, output.weights);
                AttentionOutput { context, weights, selection: output.selection }
            }
            Self::Selection(one) => {
                let output = one.try_forward(masks.input(x))?;
                let [batch, n_heads, n] = output.selection.dims();
                let selection = output.selection.unsqueeze_dim::<4>(2);
                let weights = selection.expand([batch, n_heads, n, n]);
                let context = output.context;
                AttentionOutput { context, selection: weights.clone(), weights }
            }
            Self::Mha(mha) => {
                let output = mha.forward(masks.mha_input(x));
                let (context, weights) = (output.context, output.weights);
                AttentionOutput { context, selection: weights.clone(), weights }
            }
        })
    }

    /// The attention `other` with the linear layers of this one, for queries, keys, values and outputs. What
    /// else `other` trains, its biases and couplings, belongs to its kind and stays as it is.
    ///
    /// # Panics
    ///
    /// Panics if the two differ in the size of the linear layers.
    pub fn transfer_to(mut self, mut other: Self) -> Self {
        for (new, old) in other.linear_layers().into_iter().zip(self.linear_layers()) {
            if let (Some(new), Some(old)) = (new, old) {
                // The paper's have no bias.
                let record = old.clone().into_record().allow_partial(true).allow_unused(true);
                *new = new.clone().load_record(record);
            }
        }
        other
    }

    fn linear_layers(&mut self) -> [Option<&mut Linear>; 4] {
        match self {
            Self::Qama(a) => [&mut a.query, &mut a.key, &mut a.value, &mut a.output].map(Some),
            Self::Selection(a) => {
                [Some(&mut a.query), Some(&mut a.key), Some(&mut a.value), a.output.as_mut()]
            }
            Self::Bipartite(a) => [&mut a.query, &mut a.key, &mut a.value, &mut a.output].map(Some),
            Self::Mha(a) => [&mut a.query, &mut a.key, &mut a.value, &mut a.output].map(Some),
        }
    }
}

impl TokenMasks {
    fn input(&self, x: Tensor<3>) -> QamaInput {
        let mut input = QamaInput::self_attn(x);
        if let Some(pad) = &self.pad {
            input = input.mask_pad(pad.clone());
        }
        if let Some(attn) = &self.attn {
            input = input.mask_attn(attn.clone());
        }
        input
    }

    fn mha_input(&self, x: Tensor<3>) -> MhaInput {
        let mut input = MhaInput::self_attn(x);
        if let Some(pad) = &self.pad {
            input = input.mask_pad(pad.clone());
        }
        if let Some(attn) = &self.attn {
            input = input.mask_attn(attn.clone());
        }
        input
    }
}
