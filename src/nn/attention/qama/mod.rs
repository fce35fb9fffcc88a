//! Attention by annealing: each query selects keys by a small Ising model.

mod couplings;
mod fields;
mod ground_states;
mod input;
mod selection;

pub use couplings::QamaCoupling;
pub use fields::QamaField;
pub use ground_states::QamaGroundStates;
pub use input::{QamaInput, QamaOutput};
pub use selection::QamaSelection;

use super::heads::{merge_heads, split_heads};
use super::{BipartiteAttentionConfig, QamaV1Config, SelectionAttentionConfig};
use crate::annealing::IsingSampler;
use crate::error::Error;
use crate::gradient::{HybridGradient, HybridReport, HybridState};
use crate::nn::SampleTemperature;
use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use fields::relative;
use input::Masks;
use selection::Selector;
use std::sync::Arc;

/// Configuration to create a [`Qama`] using the [init function](QamaConfig::init).
#[derive(Config, Debug)]
pub struct QamaConfig {
    /// The size of each linear layer.
    pub d_model: usize,
    /// The number of heads. It must divide `d_model`.
    pub n_heads: usize,
    /// The dropout rate. Default: 0.1
    #[config(default = 0.1)]
    pub dropout: f64,
    /// How keys are selected. Default: mean field
    #[config(default = "QamaSelection::MeanField")]
    pub selection: QamaSelection,
    /// What the fields of keys are measured from. Default: the other keys of the query
    #[config(default = "QamaField::Relative")]
    pub field: QamaField,
    /// The couplings between keys. Default: those of similar keys
    #[config(default = "QamaCoupling::KeyKey")]
    pub coupling: QamaCoupling,
    /// The inverse temperature of the selection. Default: 1.0
    #[config(default = 1.0)]
    pub beta: f64,
    /// Iterations of the mean field, or sweeps of the sampler. Default: 4
    #[config(default = 4)]
    pub n_iterations: usize,
    /// Whether the weights of a query are divided by their sum. Default: true
    #[config(default = true)]
    pub normalise: bool,
    /// Where the bias of each head begins. Default: 1.5 of relative fields, with which a query selects
    /// `e^(1.5 beta)` keys at most in the mean; -2.0 of scores, so that it selects few of them
    pub initial_bias: Option<f64>,
    /// The number of samples, or of tries at a ground state; of samplers and annealers only, as is `seed`.
    /// Default: 16
    #[config(default = 16)]
    pub n_reads: usize,
    /// The estimator of the gradient, of samplers only. Default: the unbiased covariance
    #[config(default = "HybridGradient::default()")]
    pub gradient: HybridGradient,
    /// The seed of the samples. Default: 0
    #[config(default = 0)]
    pub seed: u64,
    /// The initial weights of the linear layers. Default: that of burn-nn's attention
    #[config(
        default = "Initializer::KaimingUniform { gain: 1.0 / 3f64.sqrt(), fan_out_only: false }"
    )]
    pub initializer: Initializer,
}

/// Multi-head attention whose weights are the means of binary selections.
///
/// For each head and query `i`, bits `z_j` say which keys are selected, with energy
/// `E_i(z) = -sum_j theta_ij z_j - sum_{j<j'} W_jj' z_j z_j'` and `p(z) ~ exp(-beta E(z))`. The fields
/// `theta` come from the scores `Q K^T / sqrt(d_k)` and a bias of each head: see [`QamaField`]. The
/// couplings `W` between keys are shared by all queries: see [`QamaCoupling`]. The weights are
/// `m = <z>`, or `m / sum_j m_ij`; the output is `output(weights V)`.
///
/// With [`QamaField::Score`] and without couplings this is sigmoid attention; with
/// [`QamaSelection::ExactlyOne`] it is softmax attention, so the parameters of burn-nn's
/// `MultiHeadAttention`, which have the same paths, load into it (`allow_partial` for the rest).
///
/// It is the `PerQuery` layout that we add to the idea of the paper
/// ([arXiv:2504.11083](https://arxiv.org/abs/2504.11083)), whose one selection for all queries can
/// neither mask causally nor attend across sequences. The paper's layout is
/// [`SelectionAttention`](super::SelectionAttention); [`QamaConfig`] makes both, and a third.
///
/// Masks are those of burn-nn: true = masked out. A masked key is never selected and takes no part
/// in the couplings; a query without any key has output `output(0)`.
///
/// Should be created with [`QamaConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::attention::{QamaConfig, QamaInput};
///
/// let device = Device::flex();
/// let attention = QamaConfig::new(8, 2).init(&device);
/// let out = attention.forward(QamaInput::self_attn(Tensor::zeros([3, 10, 8], &device)));
/// assert_eq!(out.context.dims(), [3, 10, 8]);
/// assert_eq!(out.weights.dims(), [3, 2, 10, 10]);
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct Qama {
    /// Linear layer to transform the input features into the query space.
    pub query: Linear,
    /// Linear layer to transform the input features into the key space.
    pub key: Linear,
    /// Linear layer to transform the input features into the value space.
    pub value: Linear,
    /// Linear layer to transform the output features back to the original space.
    pub output: Linear,
    /// Part of the field of every key, `[n_heads]`; softmax does not depend on it.
    pub bias: Option<Param<Tensor<1>>>,
    /// Couplings before they are bounded, where there are any; shapes in [`QamaCoupling`].
    pub coupling: Option<Param<Tensor<3>>>,
    /// Dropout on the weights.
    pub dropout: Dropout,
    #[module(skip)]
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Settings {
    config: QamaConfig,
    selector: Selector,
}

impl ModuleDisplay for Qama {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new().with_new_line_after_attribute(false).optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let config = &self.settings.config;
        content
            .add("d_model", &config.d_model)
            .add("n_heads", &config.n_heads)
            .add("dropout", &self.dropout.prob)
            .optional()
    }
}

/// The other layouts of the operator, which are layers of their own: they take a [`QamaInput`] as well.
impl QamaConfig {
    /// One selection of tokens for each head instead of one for each query.
    pub fn selection(d_model: usize, n_heads: usize) -> SelectionAttentionConfig {
        SelectionAttentionConfig::new(d_model, n_heads)
    }

    /// Bits of queries and keys, coupled by their scores.
    pub fn bipartite(d_model: usize, n_heads: usize) -> BipartiteAttentionConfig {
        BipartiteAttentionConfig::new(d_model, n_heads)
    }

    /// The operator of version 1 of the paper.
    pub fn paper_v1(d_model: usize, n_heads: usize) -> QamaV1Config {
        QamaV1Config::new(d_model, n_heads)
    }

    /// The operator of version 2 of the paper, [as its authors coded
    /// it](SelectionAttentionConfig::paper_v2).
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use burn_quantum::nn::attention::{QamaConfig, QamaInput};
    ///
    /// let device = Device::flex();
    /// let x = Tensor::ones([3, 10, 8], &device);
    /// let paper = QamaConfig::paper_v2(8, 2).init(&device);
    /// assert_eq!(paper.forward(QamaInput::self_attn(x)).context.dims(), [3, 10, 8]);
    /// ```
    pub fn paper_v2(d_model: usize, n_heads: usize) -> SelectionAttentionConfig {
        SelectionAttentionConfig::paper_v2(d_model, n_heads)
    }
}

impl QamaConfig {
    /// Initialises a new layer.
    ///
    /// # Panics
    ///
    /// Panics if the heads do not divide `d_model`, on a `beta` that is not positive, on an
    /// `initial_bias` that is not finite, on couplings with
    /// [`ExactlyOne`](QamaSelection::ExactlyOne), and on settings that the selection would ignore.
    pub fn init(&self, device: &Device) -> Qama {
        self.init_with(device, Selector::new(self))
    }

    /// Initialises a new layer whose selections are sampled by `sampler`, a simulator of this crate
    /// or a device; `temperature` is that of its samples. `beta` of the config scales [relative
    /// fields](QamaField::Relative) and bounds the couplings.
    ///
    /// Its samples must have a temperature, on which the gradient depends. Ground states have none: see
    /// [`init_with_annealer`](Self::init_with_annealer).
    ///
    /// # Panics
    ///
    /// As [`init`](Self::init).
    pub fn init_with_sampler(
        &self,
        device: &Device,
        sampler: Arc<dyn IsingSampler>,
        temperature: SampleTemperature,
    ) -> Qama {
        self.refuse_selection();
        self.init_with(device, Selector::sampled(self, &sampler, temperature))
    }

    /// Initialises a new layer whose selections are ground states, which `annealer` looks for: a
    /// simulator of this crate, or hardware whose samples have no temperature. The lowest of `n_reads`
    /// counts as the ground state.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use burn_quantum::annealing::SimulatedAnnealing;
    /// use burn_quantum::nn::attention::{QamaConfig, QamaGroundStates, QamaInput};
    /// use std::sync::Arc;
    ///
    /// let device = Device::flex().autodiff();
    /// let annealer = Arc::new(SimulatedAnnealing::default().with_n_sweeps(50));
    /// let perturbed = QamaGroundStates::Perturbed { epsilon: 0.5, n_samples: 8 };
    /// let config = QamaConfig::new(8, 2).with_n_reads(2);
    /// let attention = config.init_with_annealer(&device, annealer, perturbed);
    /// let out = attention.forward(QamaInput::self_attn(Tensor::ones([3, 5, 8], &device)));
    /// let gradients = out.context.sum().backward();
    /// assert!(attention.query.weight.val().grad(&gradients).is_some());
    /// ```
    ///
    /// # Panics
    ///
    /// As [`init`](Self::init), on an `epsilon` that is not positive, an odd `n_samples`, and a
    /// `gradient`, which would be ignored.
    pub fn init_with_annealer(
        &self,
        device: &Device,
        annealer: Arc<dyn IsingSampler>,
        ground_states: QamaGroundStates,
    ) -> Qama {
        self.refuse_selection();
        self.init_with(device, Selector::annealed(self, annealer, ground_states))
    }

    fn refuse_selection(&self) {
        let defaults = Self::new(self.d_model, self.n_heads);
        assert!(
            self.selection == defaults.selection && self.n_iterations == defaults.n_iterations,
            "a sampler is given, so `selection` and `n_iterations` would be ignored: leave them out"
        );
    }

    fn init_with(&self, device: &Device, selector: Selector) -> Qama {
        let (d_model, n_heads, beta) = (self.d_model, self.n_heads, self.beta);
        assert!(beta > 0.0 && beta.is_finite(), "beta is {beta}: use a positive number");
        assert!(
            n_heads > 0 && d_model.is_multiple_of(n_heads),
            "{n_heads} heads do not divide d_model {d_model}: use a divisor"
        );
        let linear = || {
            let config = LinearConfig::new(d_model, d_model);
            config.with_initializer(self.initializer.clone()).init(device)
        };
        let value = self.initial_bias.unwrap_or(match self.field {
            QamaField::Score => -2.0,
            QamaField::Relative => 1.5,
        });
        assert!(value.is_finite(), "initial_bias is {value}: use a finite number");
        let bias = Initializer::Constant { value };
        let has_bias = !matches!(selector, Selector::ExactlyOne);
        Qama {
            query: linear(),
            key: linear(),
            value: linear(),
            output: linear(),
            bias: has_bias.then(|| bias.init([n_heads], device)),
            coupling: self.coupling.init(n_heads, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            settings: Arc::new(Settings { config: self.clone(), selector }),
        }
    }
}

impl Qama {
    /// Applies the attention.
    ///
    /// # Shapes
    ///
    /// - query: `[batch_size, seq_length_1, d_model]`
    /// - key, value: `[batch_size, seq_length_2, d_model]`
    /// - context: `[batch_size, seq_length_1, d_model]`
    /// - weights, selection: `[batch_size, n_heads, seq_length_1, seq_length_2]`
    ///
    /// # Panics
    ///
    /// Panics on other shapes, and with the sampler's own message if that fails: see
    /// [`try_forward`](Self::try_forward).
    pub fn forward(&self, input: QamaInput) -> QamaOutput {
        self.try_forward(input).unwrap_or_else(|error| panic!("Qama: {error}"))
    }

    /// As [`forward`](Self::forward), but what a sampler or a device reports is returned.
    ///
    /// # Errors
    ///
    /// Where the sampler fails; and where the temperature of its samples is to be estimated, but they are
    /// too cold to tell it, or no key of the batch may be selected.
    ///
    /// # Panics
    ///
    /// On other shapes, and when the mean field meets NaN or infinity on a CPU backend.
    pub fn try_forward(&self, input: QamaInput) -> Result<QamaOutput, Error> {
        let config = &self.settings.config;
        let [batch, n_queries, _] = input.query.dims();
        let [_, n_keys, _] = input.key.dims();
        assert_shape!(input.query, [_, _, config.d_model]);
        assert_shape!(input.key, [batch, _, config.d_model]);
        assert_shape!(input.value, [batch, n_keys, config.d_model]);
        let masks = Masks::new(&input, batch, n_queries, n_keys);

        let heads = |linear: &Linear, x| split_heads(linear.forward(x), config.n_heads);
        let query = heads(&self.query, input.query);
        let key = heads(&self.key, input.key);
        let value = heads(&self.value, input.value);
        let scale = self.settings.selector.scale(config.beta);
        let theta = self.theta(query, &key, scale, &masks);
        // One key has nothing to be coupled with.
        let couplings = self.coupling.as_ref().filter(|_| n_keys > 1);
        let couplings = couplings
            .map(|raw| config.coupling.matrix(raw.val(), &key, &masks, config.beta / scale));
        let selection = self.settings.selector.select(config, theta, couplings, &masks)?;

        let context = self.dropout.forward(selection.clone()).matmul(value);
        // Divided after the product, which is smaller: `weights` are for the caller only.
        let (weights, context) = if config.normalise {
            let sum = self.settings.selector.nonzero(selection.clone().sum_dim(3));
            (selection.clone() / sum.clone(), context / sum)
        } else {
            (selection.clone(), context)
        };
        let visible = masks.n_visible([batch, config.n_heads, n_queries, n_keys]);
        Ok(QamaOutput {
            context: self.output.forward(merge_heads(context)),
            weights,
            selection,
            visible,
        })
    }

    /// `scale theta`, `[batch, n_heads, n_queries, n_keys]`.
    fn theta(&self, query: Tensor<4>, key: &Tensor<4>, scale: f64, masks: &Masks) -> Tensor<4> {
        let [.., d_k] = query.dims();
        let QamaConfig { field, beta, .. } = self.settings.config;
        let scores = |scale: f64| {
            let query = query.mul_scalar(scale * (d_k as f64).powf(-0.5));
            query.matmul(key.clone().transpose())
        };
        // Softmax knows neither a bias nor what fields are measured from.
        let Some(bias) = &self.bias else { return scores(scale) };
        let bias = bias.val().mul_scalar(scale).reshape([1, -1, 1, 1]);
        match field {
            QamaField::Score => scores(scale) + bias,
            QamaField::Relative if scale == beta => relative(scores(beta), masks) + bias,
            QamaField::Relative => relative(scores(beta), masks) * (scale / beta) + bias,
        }
    }

    /// What the last backward pass of each head's estimator mixed, for metrics; empty where there is
    /// no sampler.
    pub fn gradient_reports(&self) -> Vec<Option<HybridReport>> {
        self.settings.selector.reports()
    }

    /// What [`gradient_reports`](Self::gradient_reports) reads, shared by all copies of the layer.
    pub fn gradient_states(&self) -> Vec<Arc<HybridState>> {
        self.settings.selector.states()
    }
}
