//! The operator of the first version of the paper.

use super::coefficients::{Coefficients, Tokens};
use super::gradient::models;
use super::search::{Draw, Finder};
use super::{SelectionOutput, SelectionSearch};
use crate::annealing::IsingSampler;
use crate::error::Error;
use crate::nn::SampleTemperature;
use crate::nn::annealing::Seeds;
use crate::nn::attention::QamaInput;
use crate::nn::attention::heads::{merge_heads, split_heads};
use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::sync::Arc;

/// The `epsilon` of the authors' code.
const EPSILON: f64 = 1e-6;

/// Configuration to create a [`QamaV1`] using the [init function](QamaV1Config::init). The defaults
/// are the authors'.
#[derive(Config, Debug)]
pub struct QamaV1Config {
    /// The number of features of a token.
    pub d_model: usize,
    /// The number of heads. It must divide `d_model`.
    pub n_heads: usize,
    /// `q`, the number of bits of a weight. Default: 4
    #[config(default = 4)]
    pub n_bits: usize,
    /// `c_4`, the weight of the couplings. Default: 1.0
    #[config(default = 1.0)]
    pub pair_weight: f64,
    /// `c_1`, the weight of the fields. Default: 1.0
    #[config(default = 1.0)]
    pub field_weight: f64,
    /// `lambda`, the mean penalty of a pair of heads. Default: 2.0
    #[config(default = 2.0)]
    pub head_penalty: f64,
    /// The number of sweeps of each run of the annealer. Default: 20
    #[config(default = 20)]
    pub n_sweeps: usize,
    /// The number of runs, of which the best counts. Default: 2
    #[config(default = 2)]
    pub n_reads: usize,
    /// The seed. Each call that is differentiated draws other random numbers; inference repeats
    /// itself. Default: 0
    #[config(default = 0)]
    pub seed: u64,
}

/// The attention of version 1 of the QAMA paper ([arXiv:2504.11083](https://arxiv.org/abs/2504.11083)),
/// as its authors coded it, for comparison: it is not a sound operator.
///
/// Query, key and value are split into heads as they are, without linear layers. With `epsilon = 1e-6`:
///
/// 1. `V' = clamp(V / (sum_d V + epsilon), epsilon, 1)`, `e = -V' log2 V'`, `h = BN(sum_d e)`;
/// 2. `J_ij` is the Jensen-Shannon divergence, in bits, of `softmax_d(q_i)` and `softmax_d(k_j)`, and
///    those with `i != j` go through a batch norm, `n_tokens^2 d_k` numbers for each head;
/// 3. weights `w_hi` of `n_bits` bits minimise `-c_4 sum_hij J_hij w_hi w_hj - c_1 sum_hi h_hi w_hi
///    + 2 lambda / (H (H - 1)) sum_{h<h'} sum_ir x_hir x_h'ir`;
/// 4. `H_i = -c_4 w_i sum_j J_ij w_j - c_1 h_i w_i`, and the output is `BN(-H_i e_i / h_i)`.
///
/// All batch norms are over heads, and learn; the weights are constants in the backward pass.
///
/// What it is known for: dissimilar queries and keys attract each other; `e` is no entropy, as values
/// are not probabilities, and half of them are clamped; `h` has mean zero, so dividing by it gives
/// numbers of any size; and its statistics mix the sequences of a batch.
///
/// Where the authors' code divides by zero: sums of values and fields `h` of less than 1e-9 and 1e-6
/// count as these, one head has no head penalty, one token has no couplings to normalise, and nothing
/// selected is the batch norm of zeros. Masks are refused, as the statistics know none.
///
/// Should be created with [`QamaV1Config`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::attention::{QamaInput, QamaV1Config};
///
/// let device = Device::flex();
/// let attention = QamaV1Config::new(8, 2).init(&device);
/// let out = attention.forward(QamaInput::self_attn(Tensor::ones([3, 5, 8], &device)));
/// assert_eq!(out.context.dims(), [3, 5, 8]);
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct QamaV1 {
    /// Of the couplings, over heads, as the others.
    pub norm_couplings: BatchNorm,
    /// Of the fields.
    pub norm_fields: BatchNorm,
    /// Of the output.
    pub norm_output: BatchNorm,
    #[module(skip)]
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Settings {
    config: QamaV1Config,
    finder: Finder,
    seeds: Seeds,
}

impl ModuleDisplay for QamaV1 {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new().with_new_line_after_attribute(false).optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let config = &self.settings.config;
        content.add("d_model", &config.d_model).add("n_heads", &config.n_heads).optional()
    }
}

impl QamaV1Config {
    /// Initialises a new layer.
    ///
    /// # Panics
    ///
    /// Panics if the heads do not divide `d_model`, and on numbers out of their range.
    pub fn init(&self, device: &Device) -> QamaV1 {
        let search = SelectionSearch::Anneal { n_sweeps: self.n_sweeps };
        self.init_with(device, Finder::new(search))
    }

    /// Initialises a new layer whose weights `sampler` finds, a simulator of this crate or a device.
    ///
    /// # Panics
    ///
    /// As [`init`](Self::init), and on `n_sweeps`, which would be ignored.
    pub fn init_with_sampler(&self, device: &Device, sampler: Arc<dyn IsingSampler>) -> QamaV1 {
        let defaults = Self::new(self.d_model, self.n_heads);
        assert!(
            self.n_sweeps == defaults.n_sweeps,
            "a sampler is given, so `n_sweeps` would be ignored: leave it out"
        );
        // Ground states have no temperature that would count.
        self.init_with(device, Finder::Sampler(sampler, SampleTemperature::Known(1.0)))
    }

    fn init_with(&self, device: &Device, finder: Finder) -> QamaV1 {
        let (d_model, n_heads) = (self.d_model, self.n_heads);
        assert!(
            n_heads > 0 && d_model.is_multiple_of(n_heads),
            "{n_heads} heads do not divide d_model {d_model}: use a divisor"
        );
        let weights = [self.pair_weight, self.field_weight, self.head_penalty];
        for (name, value) in ["pair_weight", "field_weight", "head_penalty"].iter().zip(weights) {
            assert!(value.is_finite(), "{name} is {value}: use a finite number");
        }
        assert!((1..=16).contains(&self.n_bits), "n_bits is {}: use 1 to 16", self.n_bits);
        assert!(self.n_reads > 0, "n_reads is 0: use 1 or more");
        let norm = || BatchNormConfig::new(n_heads).init(device);
        let settings = Settings { config: self.clone(), finder, seeds: Seeds::new(self.seed) };
        QamaV1 {
            norm_couplings: norm(),
            norm_fields: norm(),
            norm_output: norm(),
            settings: Arc::new(settings),
        }
    }
}

impl QamaV1 {
    /// Applies the attention.
    ///
    /// # Shapes
    ///
    /// - query, key, value, context: `[batch_size, seq_length, d_model]`
    /// - selection: `[batch_size, n_heads, seq_length]`
    ///
    /// # Panics
    ///
    /// Panics on other shapes, on masks, and with the sampler's own message if that fails: see
    /// [`try_forward`](Self::try_forward).
    pub fn forward(&self, input: QamaInput) -> SelectionOutput {
        self.try_forward(input).unwrap_or_else(|error| panic!("QamaV1: {error}"))
    }

    /// As [`forward`](Self::forward), but what a sampler or a device reports is returned.
    ///
    /// # Errors
    ///
    /// Where a coefficient is NaN or infinite, and where the sampler fails.
    ///
    /// # Panics
    ///
    /// On other shapes, and on masks.
    pub fn try_forward(&self, input: QamaInput) -> Result<SelectionOutput, Error> {
        let settings = &*self.settings;
        let config = &settings.config;
        assert!(
            input.mask_pad.is_none(),
            "mask_pad: the batch statistics of version 1 know no padding: use \
             SelectionAttentionConfig"
        );
        let tokens = Tokens::new(&input, config.d_model);
        let split = |x| split_heads(x, config.n_heads);
        let [query, key, value] = [input.query, input.key, input.value].map(split);
        let information = information(value);
        let pairs = self.couplings(divergences(query, key));
        let [batch, n_heads, n, _] = information.dims();
        let sums = information.clone().sum_dim(3).reshape([batch, n_heads, n]);
        let fields = self.norm_fields.forward(sums).unsqueeze_dim::<4>(2);
        let coefficients = config.coefficients(pairs, fields);
        let seed = settings.seeds.next(coefficients.is_tracked());
        let models = models(&coefficients, &tokens)?;
        let reads = settings.finder.lowest(&models, config.n_reads, seed)?;
        let draw = Draw::new(&reads, 1, &models, &tokens, &coefficients);

        let w = draw.weights;
        let (pairs, fields) = (coefficients.pairs, coefficients.values);
        let pull = w.clone().matmul(pairs.transpose()) * config.pair_weight;
        let site = w.clone() * (pull + fields.clone() * config.field_weight);
        let ratio = (site / away_from_zero(fields, EPSILON)).transpose();
        let context = self.norm_output.forward(ratio * information);
        Ok(SelectionOutput {
            context: merge_heads(context),
            selection: w.squeeze_dim(2),
            energy: draw.energy,
            n_tokens: batch * n,
        })
    }

    /// Normalised where they couple two tokens.
    fn couplings(&self, pairs: Tensor<4>) -> Tensor<4> {
        let [batch, n_heads, n, _] = pairs.dims();
        if n == 1 {
            return pairs;
        }
        let (diagonal, others): (Vec<_>, Vec<_>) =
            (0..n * n).partition(|place| place / n == place % n);
        // Where each entry of the matrix is among the others, then those of the diagonal.
        let mut places = vec![0; n * n];
        let order = others.iter().chain(&diagonal).enumerate();
        order.for_each(|(at, &place)| places[place] = at as i64);
        let device = pairs.device().without_autodiff();
        let select = |x: Tensor<3>, places: Vec<i64>| {
            let data = TensorData::new(places.clone(), [places.len()]);
            x.select(2, Tensor::<1, Int>::from_data(data, &device))
        };
        let wide = |places: &[usize]| places.iter().map(|&place| place as i64).collect();
        let flat = pairs.reshape([batch, n_heads, n * n]);
        let others = self.norm_couplings.forward(select(flat.clone(), wide(&others)));
        let all = Tensor::cat(vec![others, select(flat, wide(&diagonal))], 2);
        select(all, places).reshape([batch, n_heads, n, n])
    }
}

impl QamaV1Config {
    fn coefficients(&self, pairs: Tensor<4>, fields: Tensor<4>) -> Coefficients {
        let h = self.n_heads as f64;
        let penalty = if h > 1.0 { 2.0 * self.head_penalty / (h * (h - 1.0)) } else { 0.0 };
        Coefficients {
            couplings: (pairs.clone() + pairs.clone().transpose()) * self.pair_weight,
            fields: fields.clone() * self.field_weight,
            head_penalties: vec![penalty as f32; pairs.dims()[0]],
            pairs,
            values: fields,
            cardinality: None,
            n_bits: self.n_bits,
        }
    }
}

/// `e = -V' log2 V'`.
fn information(value: Tensor<4>) -> Tensor<4> {
    let sum = away_from_zero(value.clone().sum_dim(3).add_scalar(EPSILON), 1e-9);
    let share = (value / sum).clamp(EPSILON, 1.0);
    share.clone() * log2(share).neg()
}

/// Jensen-Shannon divergences of the softmax of each query and each key.
fn divergences(query: Tensor<4>, key: Tensor<4>) -> Tensor<4> {
    let p = softmax(query, 3).unsqueeze_dim::<5>(3);
    let q = softmax(key, 3).unsqueeze_dim::<5>(2);
    let mean = (p.clone() + q.clone()).mul_scalar(0.5).add_scalar(EPSILON);
    let from_mean =
        |x: Tensor<5>| (x.clone() * log2((x / mean.clone()).add_scalar(EPSILON))).sum_dim(4);
    (from_mean(p) + from_mean(q)).mul_scalar(0.5).squeeze_dim(4)
}

fn log2<const R: usize>(x: Tensor<R>) -> Tensor<R> {
    x.log().mul_scalar(std::f64::consts::LOG2_E)
}

/// Numbers nearer to zero than `least` become it.
fn away_from_zero(x: Tensor<4>, least: f64) -> Tensor<4> {
    let near = x.clone().without_autodiff().abs().lower_elem(least);
    x.mask_fill(near, least)
}
