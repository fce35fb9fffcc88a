//! Attention by annealing as in the paper: each head selects tokens, once for all queries.

mod coefficients;
mod gradient;
mod readout;
mod search;
mod version1;

pub use coefficients::{SelectionCardinality, SelectionScaling};
pub use gradient::SelectionGradient;
pub use readout::SelectionReadout;
pub use search::SelectionSearch;
pub use version1::{QamaV1, QamaV1Config};

use super::QamaInput;
use super::heads::split_heads;
use crate::annealing::IsingSampler;
use crate::error::Error;
use crate::nn::SampleTemperature;
use crate::nn::annealing::Seeds;
use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::{Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use coefficients::{Coefficients, Tokens};
use gradient::Estimate;
use readout::Readout;
use search::Finder;
use std::sync::Arc;

/// Configuration to create a [`SelectionAttention`] using the
/// [init function](SelectionAttentionConfig::init).
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::attention::{QamaInput, SelectionAttentionConfig};
///
/// let device = Device::flex();
/// let paper = SelectionAttentionConfig::paper_v2(8, 2).init(&device);
/// let out = paper.forward(QamaInput::self_attn(Tensor::ones([3, 10, 8], &device)));
/// assert_eq!((out.context.dims(), out.selection.dims()), ([3, 10, 8], [3, 2, 10]));
/// ```
#[derive(Config, Debug)]
pub struct SelectionAttentionConfig {
    /// The number of features of a token.
    pub d_model: usize,
    /// The number of heads. It must divide `d_model`.
    pub n_heads: usize,
    /// What is made of the selection. Default: the values of selected tokens
    #[config(default = "SelectionReadout::MaskedValues")]
    pub readout: SelectionReadout,
    /// How selections are found. Default: 8 sweeps of block Gibbs sampling at `beta = 1`
    #[config(default = "SelectionSearch::Gibbs { beta: 1.0, n_sweeps: 8 }")]
    pub search: SelectionSearch,
    /// The number of samples, or of runs of which the best counts. Default: 16
    #[config(default = 16)]
    pub n_reads: usize,
    /// How the selection is differentiated. Default: the unbiased covariance
    #[config(default = "SelectionGradient::Covariance")]
    pub gradient: SelectionGradient,
    /// The number of bits of a weight, `0, 1 / (2^n_bits - 1), ..., 1`. Default: 1
    #[config(default = 1)]
    pub n_bits: usize,
    /// `alpha`, the weight of the couplings. Default: 1.0
    #[config(default = 1.0)]
    pub pair_weight: f64,
    /// `a`, the weight of the fields. Default: 1.0
    #[config(default = 1.0)]
    pub field_weight: f64,
    /// `gamma`, what it costs if two heads select the same token. Default: 1.0
    #[config(default = 1.0)]
    pub head_penalty: f64,
    /// How the three weights grow with the number of tokens. Default: per token
    #[config(default = "SelectionScaling::PerToken")]
    pub scaling: SelectionScaling,
    /// How many tokens each head is to select. Default: any number
    #[config(default = "None")]
    pub cardinality: Option<SelectionCardinality>,
    /// Whether couplings and fields of an instance are divided by their root mean square, so that
    /// the three weights mean the same throughout training. Default: true
    #[config(default = true)]
    pub normalise: bool,
    /// Whether query, key and value have a layer norm each. Default: false
    #[config(default = false)]
    pub layer_norm: bool,
    /// Whether the linear layers of query, key and value have a bias. Default: true
    #[config(default = true)]
    pub bias: bool,
    /// Whether a linear layer follows. Default: true
    #[config(default = true)]
    pub output: bool,
    /// The seed of samples and noise. Each call that is differentiated draws others; inference
    /// repeats itself. Default: 0
    #[config(default = 0)]
    pub seed: u64,
    /// The initial weights of the linear layers. Default: that of burn-nn's attention
    #[config(
        default = "Initializer::KaimingUniform { gain: 1.0 / 3f64.sqrt(), fan_out_only: false }"
    )]
    pub initializer: Initializer,
}

/// Multi-head attention in which each head selects tokens by one Ising model for all queries: the
/// `Selection` layout of QAMA ([arXiv:2504.11083](https://arxiv.org/abs/2504.11083)).
///
/// `J_hij = (q_i.k_j + q_j.k_i) / (2 sqrt(d_k))` couples the tokens of a head, without diagonal, and
/// `h_hi = v_i.E / d_k` is the field of a token, with a trained probe `E` for all heads. Bits `x_hi`
/// are searched with the energy
///
/// `E(x) = -alpha sum_h sum_{i!=j} J_hij x_hi x_hj - a_n sum_hi h_hi x_hi
/// + gamma_n sum_i sum_{h<h'} x_hi x_h'i + kappa/2 sum_h (sum_i x_hi - k)^2`,
///
/// whose weights depend on the number of tokens as [`SelectionScaling`] says, and read out as
/// [`SelectionReadout`] says. With `n_bits > 1` the selection has that many levels (version 1 of the
/// paper).
///
/// There are `n_heads * n_tokens` bits, but `n_tokens^2` couplings for each head, as in any
/// attention. [`paper_v2`](SelectionAttentionConfig::paper_v2) is the operator of the paper, whose
/// output is a number for each head and token times `E`; the defaults are ours, mix values, and have
/// the gradient of what they compute.
///
/// Padding takes no part: a padded token is never selected, `n` counts the others, and what is
/// selected does not depend on it. A mask of pairs, such as a causal one, is refused: the one
/// selection depends on all tokens, later ones as well. For these, and for queries of another
/// length, see [`Qama`](super::Qama).
///
/// Should be created with [`SelectionAttentionConfig`].
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct SelectionAttention {
    /// Before the linear layers of query, key and value, where there are any.
    pub norms: Option<[LayerNorm; 3]>,
    /// Linear layer to transform the input features into the query space.
    pub query: Linear,
    /// Linear layer to transform the input features into the key space.
    pub key: Linear,
    /// Linear layer to transform the input features into the value space.
    pub value: Linear,
    /// `E`, `[d_model / n_heads]`.
    pub probe: Param<Tensor<1>>,
    /// Linear layer to transform the output features back to the original space, where there is one.
    pub output: Option<Linear>,
    #[module(skip)]
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Settings {
    config: SelectionAttentionConfig,
    finder: Finder,
    seeds: Seeds,
}

impl ModuleDisplay for SelectionAttention {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new().with_new_line_after_attribute(false).optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let config = &self.settings.config;
        content.add("d_model", &config.d_model).add("n_heads", &config.n_heads).optional()
    }
}

/// Output of a [`SelectionAttention`].
#[derive(Debug, Clone)]
pub struct SelectionOutput {
    /// `[batch_size, seq_length, d_model]`
    pub context: Tensor<3>,
    /// The mean weight of each token in the selection of each head,
    /// `[batch_size, n_heads, seq_length]`. No gradient flows.
    pub selection: Tensor<3>,
    /// The mean energy that was searched, `[batch_size]`. No gradient flows.
    pub energy: Tensor<1>,
    /// The number of tokens that are not padding, over the batch.
    n_tokens: usize,
}

impl SelectionOutput {
    /// The mean selection of the tokens that are not padding, for each head, `[n_heads]`.
    pub fn selected_fraction(&self) -> Tensor<1> {
        let sum: Tensor<1> = self.selection.clone().sum_dim(0).sum_dim(2).flatten(0, 2);
        sum / self.n_tokens.max(1) as f64
    }
}

impl SelectionAttentionConfig {
    /// The operator of version 2 of the paper, as its authors coded it: layer norms, no biases, no
    /// output layer, `alpha = 1`, `a = 0.16`, `gamma = 0.8`, the read-out
    /// [`Energy`](SelectionReadout::Energy), and the gradient at a
    /// [frozen](SelectionGradient::Frozen) selection. It anneals by 20 sweeps, twice, instead of their
    /// solvers.
    pub fn paper_v2(d_model: usize, n_heads: usize) -> Self {
        Self::new(d_model, n_heads)
            .with_readout(SelectionReadout::Energy)
            .with_search(SelectionSearch::Anneal { n_sweeps: 20 })
            .with_n_reads(2)
            .with_gradient(SelectionGradient::Frozen)
            .with_field_weight(0.16)
            .with_head_penalty(0.8)
            .with_scaling(SelectionScaling::Extensive)
            .with_normalise(false)
            .with_layer_norm(true)
            .with_bias(false)
            .with_output(false)
    }

    /// Initialises a new layer.
    ///
    /// # Panics
    ///
    /// Panics if the heads do not divide `d_model`, on numbers out of their range, and where gradient
    /// and search do not fit: see [`SelectionGradient`].
    pub fn init(&self, device: &Device) -> SelectionAttention {
        self.init_with(device, Finder::new(self.search))
    }

    /// Initialises a new layer whose selections `sampler` finds, a simulator of this crate or a
    /// device. It gets the Ising models of all bits; `temperature` is that of its samples.
    ///
    /// # Panics
    ///
    /// As [`init`](Self::init).
    pub fn init_with_sampler(
        &self,
        device: &Device,
        sampler: Arc<dyn IsingSampler>,
        temperature: SampleTemperature,
    ) -> SelectionAttention {
        let preset = [Self::new(1, 1), Self::paper_v2(1, 1)].map(|config| config.search);
        assert!(
            preset.contains(&self.search),
            "a sampler is given, so `search` would be ignored: leave it out"
        );
        self.init_with(device, Finder::Sampler(sampler, temperature))
    }

    fn init_with(&self, device: &Device, finder: Finder) -> SelectionAttention {
        let (d_model, n_heads) = (self.d_model, self.n_heads);
        assert!(
            n_heads > 0 && d_model.is_multiple_of(n_heads),
            "{n_heads} heads do not divide d_model {d_model}: use a divisor"
        );
        self.check(&finder);
        let linear = |bias| {
            let config = LinearConfig::new(d_model, d_model).with_bias(bias);
            config.with_initializer(self.initializer.clone()).init(device)
        };
        let norm = || LayerNormConfig::new(d_model).init(device);
        let normal = Initializer::Normal { mean: 0.0, std: 1.0 };
        SelectionAttention {
            norms: self.layer_norm.then(|| [norm(), norm(), norm()]),
            query: linear(self.bias),
            key: linear(self.bias),
            value: linear(self.bias),
            probe: normal.init([d_model / n_heads], device),
            output: self.output.then(|| linear(true)),
            settings: Arc::new(Settings {
                config: self.clone(),
                finder,
                seeds: Seeds::new(self.seed),
            }),
        }
    }

    fn check(&self, finder: &Finder) {
        let weights = [self.pair_weight, self.field_weight, self.head_penalty];
        for (name, value) in ["pair_weight", "field_weight", "head_penalty"].iter().zip(weights) {
            assert!(value.is_finite(), "{name} is {value}: use a finite number");
        }
        assert!((1..=16).contains(&self.n_bits), "n_bits is {}: use 1 to 16", self.n_bits);
        if let Some(cardinality) = self.cardinality {
            cardinality.check();
        }
        finder.check();
        self.gradient.check(finder, self.n_reads, self.n_bits);
    }
}

impl SelectionAttention {
    /// Applies the attention.
    ///
    /// # Shapes
    ///
    /// - query, key, value: `[batch_size, seq_length, d_model]`
    /// - context: `[batch_size, seq_length, d_model]`
    /// - selection: `[batch_size, n_heads, seq_length]`
    ///
    /// # Panics
    ///
    /// Panics on other shapes, on a mask of pairs, and with the sampler's own message if that fails:
    /// see [`try_forward`](Self::try_forward).
    pub fn forward(&self, input: QamaInput) -> SelectionOutput {
        self.try_forward(input).unwrap_or_else(|error| panic!("SelectionAttention: {error}"))
    }

    /// As [`forward`](Self::forward), but what a sampler or a device reports is returned.
    ///
    /// # Errors
    ///
    /// Where a coefficient is NaN or infinite, where the sampler fails, and when its samples are too
    /// cold to tell their temperature.
    ///
    /// # Panics
    ///
    /// On other shapes, and on a mask of pairs.
    pub fn try_forward(&self, input: QamaInput) -> Result<SelectionOutput, Error> {
        let settings = &*self.settings;
        let config = &settings.config;
        let tokens = Tokens::new(&input, config.d_model);
        let QamaInput { query, key, value, .. } = input;
        let [query, key, value] = self.projected([query, key, value]);
        let probe = self.probe.val();
        let coefficients = Coefficients::new(config, [&query, &key, &value], &probe, &tokens);
        let readout =
            Readout::new(config.readout, [query, key, value], probe, &coefficients, &tokens);
        let tracked = coefficients.is_tracked() || readout.is_tracked();
        let seed = settings.seeds.next(tracked);
        let estimate = Estimate { config, finder: &settings.finder, seed, tracked };
        let (out, draw) = estimate.of(&readout, &coefficients, &tokens)?;
        let context = readout.finish(out);
        let context = match &self.output {
            Some(output) => output.forward(context),
            None => context,
        };
        Ok(SelectionOutput {
            context,
            selection: draw.weights.mean_dim(2).squeeze_dim(2),
            energy: draw.energy,
            n_tokens: tokens.counts.iter().sum(),
        })
    }

    /// Query, key and value, `[batch, n_heads, length, d_k]`.
    fn projected(&self, mut inputs: [Tensor<3>; 3]) -> [Tensor<4>; 3] {
        if let Some([query, key, value]) = &self.norms {
            let [q, k, v] = inputs;
            inputs = [query.forward(q), key.forward(k), value.forward(v)];
        }
        let [q, k, v] = inputs;
        [(&self.query, q), (&self.key, k), (&self.value, v)]
            .map(|(linear, x)| split_heads(linear.forward(x), self.settings.config.n_heads))
    }
}

/// One selection for all queries: what that does not allow is refused.
fn check_input(input: &QamaInput, d_model: usize) -> [usize; 2] {
    let ([batch, n, _], [_, n_keys, _]) = (input.query.dims(), input.key.dims());
    assert!(
        n == n_keys,
        "{n} queries and {n_keys} keys: one selection needs as many of both; for others use \
         QamaConfig or BipartiteAttentionConfig"
    );
    assert_shape!(input.query, [_, _, d_model]);
    assert_shape!(input.key, [batch, n, d_model]);
    assert_shape!(input.value, [batch, n, d_model]);
    assert!(
        input.mask_attn.is_none(),
        "mask_attn: one selection serves all queries and depends on every token, so a mask of pairs \
         (a causal one) cannot keep later tokens out: use QamaConfig, whose queries select for \
         themselves"
    );
    [batch, n]
}
