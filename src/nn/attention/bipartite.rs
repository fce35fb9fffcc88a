//! Attention by annealing of two layers of bits: queries that look, and keys that are seen.

use super::QamaInput;
use super::heads::{merge_heads, split_heads};
use crate::annealing::{BipartiteModel, BlockGibbs, IsingSampler, sample_qubos};
use crate::error::{Error, ErrorKind};
use crate::nn::SampleTemperature;
use crate::nn::annealing::{Seeds, not_negative};
use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::tensor::activation::{sigmoid, softplus};
use burn::tensor::{Bool, DType, Device, Tensor, TensorData, assert_shape};
use std::sync::Arc;

/// Keeps the normalisation of a query that selects nothing finite.
const EPSILON: f64 = 1e-6;

/// Configuration to create a [`BipartiteAttention`] using the
/// [init function](BipartiteAttentionConfig::init).
#[derive(Config, Debug)]
pub struct BipartiteAttentionConfig {
    /// The number of features of a token.
    pub d_model: usize,
    /// The number of heads. It must divide `d_model`.
    pub n_heads: usize,
    /// The dropout rate. Default: 0.1
    #[config(default = 0.1)]
    pub dropout: f64,
    /// The inverse temperature. Default: 1.0
    #[config(default = 1.0)]
    pub beta: f64,
    /// The number of sweeps of each sample. Default: 8
    #[config(default = 8)]
    pub n_sweeps: usize,
    /// The number of samples, 2 or more. Default: 16
    #[config(default = 16)]
    pub n_reads: usize,
    /// Whether the weights of a query are divided by their sum. Default: true
    #[config(default = true)]
    pub normalise: bool,
    /// Where the fields of all queries and keys begin. Default: 0.0
    #[config(default = 0.0)]
    pub initial_bias: f64,
    /// The seed of samples. Each call that is differentiated draws others; inference repeats itself.
    /// Default: 0
    #[config(default = 0)]
    pub seed: u64,
    /// The initial weights of the linear layers. Default: that of burn-nn's attention
    #[config(
        default = "Initializer::KaimingUniform { gain: 1.0 / 3f64.sqrt(), fan_out_only: false }"
    )]
    pub initializer: Initializer,
}

/// Multi-head attention whose weights are the means `<s_i x_j>` of bits `s_i` of queries and `x_j` of
/// keys, the `Bipartite` layout that we add to QAMA ([arXiv:2504.11083](https://arxiv.org/abs/2504.11083)).
///
/// For each head, `E(s, x) = -sum_ij J_ij s_i x_j - g sum_i s_i - f sum_j x_j` with
/// `J_ij = q_i.k_j / sqrt(d_k n_keys)` and trained fields `g` and `f`, and `p ~ exp(-beta E)`: a restricted
/// Boltzmann machine of `n_queries + n_keys` bits, whose couplings are the scores of any attention. The
/// weights are `m_ij = <s_i x_j>`, or `m_ij / sum_j m_ij`; the output is `output(weights V)`.
///
/// Given the keys, queries are independent, so they are averaged exactly: the estimate of `m` is the
/// mean of `x_j sigmoid(beta (g + sum_j J_ij x_j))` over samples of `x` (Rao and Blackwell), and its
/// gradient, without bias, that of these terms and their covariance with the free energy of `x`.
///
/// It attends across sequences. Padded keys, and in
/// [self-attention](QamaInput::self_attn) padded queries, take no part. A mask of pairs, such as a
/// causal one, is refused: keys depend on all queries, later ones as well.
///
/// Should be created with [`BipartiteAttentionConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::attention::{BipartiteAttentionConfig, QamaInput};
///
/// let device = Device::flex();
/// let attention = BipartiteAttentionConfig::new(8, 2).init(&device);
/// let (x, y) = (Tensor::zeros([3, 4, 8], &device), Tensor::zeros([3, 10, 8], &device));
/// let out = attention.forward(QamaInput::new(x, y.clone(), y));
/// assert_eq!((out.context.dims(), out.weights.dims()), ([3, 4, 8], [3, 2, 4, 10]));
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct BipartiteAttention {
    /// Linear layer to transform the input features into the query space.
    pub query: Linear,
    /// Linear layer to transform the input features into the key space.
    pub key: Linear,
    /// Linear layer to transform the input features into the value space.
    pub value: Linear,
    /// Linear layer to transform the output features back to the original space.
    pub output: Linear,
    /// `g`, the field of every query, `[n_heads]`.
    pub query_bias: Param<Tensor<1>>,
    /// `f`, the field of every key, `[n_heads]`.
    pub key_bias: Param<Tensor<1>>,
    /// Dropout on the weights.
    pub dropout: Dropout,
    #[module(skip)]
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Settings {
    config: BipartiteAttentionConfig,
    sampler: Option<(Arc<dyn IsingSampler>, SampleTemperature)>,
    seeds: Seeds,
}

impl ModuleDisplay for BipartiteAttention {
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

/// Output of a [`BipartiteAttention`].
#[derive(Debug, Clone)]
pub struct BipartiteOutput {
    /// `[batch_size, seq_length_1, d_model]`
    pub context: Tensor<3>,
    /// The attention weights, `[batch_size, n_heads, seq_length_1, seq_length_2]`.
    pub weights: Tensor<4>,
    /// `<s_i x_j>`, of the same shape.
    pub selection: Tensor<4>,
}

impl BipartiteAttentionConfig {
    /// Initialises a new layer.
    ///
    /// # Panics
    ///
    /// Panics if the heads do not divide `d_model`, on a `beta` that is not positive, and with fewer
    /// than two reads.
    pub fn init(&self, device: &Device) -> BipartiteAttention {
        self.init_with(device, None)
    }

    /// Initialises a new layer whose bits are sampled by `sampler`, a simulator of this crate or a
    /// device; `temperature` is that of its samples.
    ///
    /// # Panics
    ///
    /// As [`init`](Self::init), and on `beta` and `n_sweeps`, which would be ignored.
    pub fn init_with_sampler(
        &self,
        device: &Device,
        sampler: Arc<dyn IsingSampler>,
        temperature: SampleTemperature,
    ) -> BipartiteAttention {
        let defaults = Self::new(self.d_model, self.n_heads);
        assert!(
            self.beta == defaults.beta && self.n_sweeps == defaults.n_sweeps,
            "a sampler is given, so `beta` and `n_sweeps` would be ignored: leave them out"
        );
        if let SampleTemperature::Known(beta) = temperature {
            assert!(beta > 0.0 && beta.is_finite(), "beta is {beta}: use a positive number");
        }
        self.init_with(device, Some((sampler, temperature)))
    }

    fn init_with(
        &self,
        device: &Device,
        sampler: Option<(Arc<dyn IsingSampler>, SampleTemperature)>,
    ) -> BipartiteAttention {
        let (d_model, n_heads, beta) = (self.d_model, self.n_heads, self.beta);
        assert!(
            n_heads > 0 && d_model.is_multiple_of(n_heads),
            "{n_heads} heads do not divide d_model {d_model}: use a divisor"
        );
        assert!(beta > 0.0 && beta.is_finite(), "beta is {beta}: use a positive number");
        assert!(self.n_sweeps > 0, "n_sweeps is 0: use 1 or more");
        assert!(self.n_reads > 1, "n_reads is {}: a covariance needs 2 or more", self.n_reads);
        let linear = || {
            let config = LinearConfig::new(d_model, d_model);
            config.with_initializer(self.initializer.clone()).init(device)
        };
        let bias = Initializer::Constant { value: self.initial_bias };
        let seeds = Seeds::new(self.seed);
        BipartiteAttention {
            query: linear(),
            key: linear(),
            value: linear(),
            output: linear(),
            query_bias: bias.init([n_heads], device),
            key_bias: bias.init([n_heads], device),
            dropout: DropoutConfig::new(self.dropout).init(),
            settings: Arc::new(Settings { config: self.clone(), sampler, seeds }),
        }
    }
}

impl BipartiteAttention {
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
    /// Panics on other shapes, on a mask of pairs, and with the sampler's own message if that fails:
    /// see [`try_forward`](Self::try_forward).
    pub fn forward(&self, input: QamaInput) -> BipartiteOutput {
        self.try_forward(input).unwrap_or_else(|error| panic!("BipartiteAttention: {error}"))
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
    pub fn try_forward(&self, input: QamaInput) -> Result<BipartiteOutput, Error> {
        let config = &self.settings.config;
        let sides = Sides::new(&input, config.d_model);
        let project = |linear: &Linear, x| split_heads(linear.forward(x), config.n_heads);
        let query = project(&self.query, input.query);
        let key = project(&self.key, input.key);
        let value = project(&self.value, input.value);
        let model = self.couplings(query, key, &sides);
        let selection = self.selection(&model, &sides)?;
        let weights = match config.normalise {
            true => selection.clone() / selection.clone().sum_dim(3).add_scalar(EPSILON),
            false => selection.clone(),
        };
        let context = self.dropout.forward(weights.clone()).matmul(value);
        let context = merge_heads(context);
        Ok(BipartiteOutput { context: self.output.forward(context), weights, selection })
    }

    fn couplings(&self, query: Tensor<4>, key: Tensor<4>, sides: &Sides) -> Machine {
        let [.., d_k] = query.dims();
        let scale = |n: usize| ((d_k * n.max(1)) as f64).powf(-0.5) as f32;
        let counts = (0..sides.batch).map(|b| scale(sides.n_kept_keys(b))).collect();
        let scale = sides.tensor(counts, [sides.batch, 1, 1, 1]);
        Machine {
            couplings: query.matmul(key.transpose()) * scale,
            query_fields: self.query_bias.val().reshape([1, -1, 1, 1]),
            key_fields: self.key_bias.val().reshape([1, -1, 1, 1]),
        }
    }

    /// `<s_i x_j>`, `[batch, n_heads, n_queries, n_keys]`, and its gradient.
    fn selection(&self, machine: &Machine, sides: &Sides) -> Result<Tensor<4>, Error> {
        let settings = &*self.settings;
        let tracked = machine.is_tracked();
        let models = machine.models(sides)?;
        let reads = settings.reads(&models, tracked)?;
        let (keys, beta) = sides.keys(&reads, &models, settings.config.n_reads)?;
        let n_reads = settings.config.n_reads as f64;

        // Fields of the queries of each sample, `[batch, n_heads, n_queries, n_reads]`.
        let columns = keys.clone().transpose();
        let fields = machine.couplings.clone().matmul(columns) + machine.query_fields.clone();
        let fields = fields * beta.clone();
        let on = sides.keep_queries(sigmoid(fields.clone()));
        let mean = on.clone().matmul(keys.clone()) / n_reads;
        if !tracked {
            return Ok(mean);
        }
        // Minus beta times the free energy of each sample, of which only the gradient counts.
        let free = sides.keep_queries(softplus(fields, 1.0)).sum_dim(2);
        let of_keys = keys.clone().sum_dim(3).transpose() * machine.key_fields.clone() * beta;
        let score = (free + of_keys) / (n_reads - 1.0);
        let zero = score.clone() - score.without_autodiff();
        let terms = (on.without_autodiff() * zero.clone()).matmul(keys);
        let centre = mean.clone().without_autodiff() * zero.sum_dim(3);
        Ok(mean + terms - centre)
    }
}

/// The coefficients of a batch.
struct Machine {
    /// `[batch, n_heads, n_queries, n_keys]`.
    couplings: Tensor<4>,
    /// `[1, n_heads, 1, 1]`, as the next.
    query_fields: Tensor<4>,
    key_fields: Tensor<4>,
}

impl Machine {
    fn is_tracked(&self) -> bool {
        self.couplings.is_tracked()
            || self.query_fields.is_tracked()
            || self.key_fields.is_tracked()
    }

    /// One for each element and head.
    fn models(&self, sides: &Sides) -> Result<Vec<BipartiteModel>, Error> {
        let [batch, n_heads, n_queries, n_keys] = self.couplings.dims();
        let [j, g, f] = [&self.couplings, &self.query_fields, &self.key_fields]
            .map(|t| t.clone().into_data().iter::<f32>().collect::<Vec<_>>());
        let size = n_queries * n_keys;
        let model = |k: usize| {
            let fields = [vec![g[k % n_heads]; n_queries], vec![f[k % n_heads]; n_keys]];
            let kept = sides.kept(k / n_heads);
            let j = &j[k * size..][..size];
            BipartiteModel::new([n_queries, n_keys], j, [&fields[0], &fields[1]], kept)
        };
        (0..batch * n_heads).map(model).collect()
    }
}

/// Samples of one model, `[n_reads, n_queries + n_keys]`, and their inverse temperature.
struct Reads {
    bits: Vec<u8>,
    beta: f64,
}

impl Settings {
    fn reads(&self, models: &[BipartiteModel], tracked: bool) -> Result<Vec<Reads>, Error> {
        let (config, seed) = (&self.config, self.seeds.next(tracked));
        let Some((sampler, temperature)) = &self.sampler else {
            let gibbs = BlockGibbs::new(config.beta)?.with_n_sweeps(config.n_sweeps);
            let reads = gibbs.with_seed(seed).sample_bipartite(models, config.n_reads);
            let of = |bits| Reads { bits, beta: config.beta };
            return Ok(reads.into_iter().map(of).collect());
        };
        let qubos = models.iter().map(BipartiteModel::to_qubo).collect::<Result<Vec<_>, _>>()?;
        // Conditional means of queries need the temperature even where nothing is differentiated.
        let estimate = *temperature == SampleTemperature::Estimated;
        let reads = sample_qubos(sampler, seed, &qubos, config.n_reads, estimate)?;
        let of = |read: crate::annealing::QuboReads| {
            let beta = match *temperature {
                SampleTemperature::Known(beta) => beta,
                SampleTemperature::Estimated => not_negative(read.beta.unwrap_or(1.0))?,
            };
            Ok(Reads { bits: read.bits, beta })
        };
        reads.into_iter().map(of).collect()
    }
}

/// Who takes part on either side.
struct Sides {
    batch: usize,
    n_queries: usize,
    n_keys: usize,
    /// `[batch, n_queries]`, where there is padding, and `[batch, n_keys]`.
    kept: [Option<Vec<bool>>; 2],
    device: Device,
    dtype: DType,
}

impl Sides {
    fn new(input: &QamaInput, d_model: usize) -> Self {
        let ([batch, n_queries, _], [_, n_keys, _]) = (input.query.dims(), input.key.dims());
        assert_shape!(input.query, [_, _, d_model]);
        assert_shape!(input.key, [batch, _, d_model]);
        assert_shape!(input.value, [batch, n_keys, d_model]);
        assert!(
            input.mask_attn.is_none(),
            "mask_attn: keys see all queries, so a mask of pairs (a causal one) cannot keep later \
             tokens out: use QamaConfig, whose queries select for themselves"
        );
        let kept = |mask: &Tensor<2, Bool>| {
            assert_shape!(mask, [batch, n_keys]);
            mask.to_data().iter::<bool>().map(|hidden| !hidden).collect::<Vec<_>>()
        };
        let keys = input.mask_pad.as_ref().map(kept);
        let queries = if input.is_self { keys.clone() } else { None };
        let device = input.query.device().without_autodiff();
        let dtype = input.query.dtype();
        Self { batch, n_queries, n_keys, kept: [queries, keys], device, dtype }
    }

    /// The queries and the keys of one element that take part.
    fn kept(&self, b: usize) -> [Option<&[bool]>; 2] {
        let [queries, keys] = &self.kept;
        [(queries, self.n_queries), (keys, self.n_keys)]
            .map(|(kept, n)| kept.as_ref().map(|kept| &kept[b * n..][..n]))
    }

    fn n_kept_keys(&self, b: usize) -> usize {
        let [_, keys] = self.kept(b);
        keys.map_or(self.n_keys, |kept| kept.iter().filter(|kept| **kept).count())
    }

    fn tensor<const R: usize>(&self, values: Vec<f32>, dims: [usize; R]) -> Tensor<R> {
        Tensor::from_data(TensorData::new(values, dims), (&self.device, self.dtype))
    }

    /// `[batch, n_heads, n_queries, n_reads]` without padded queries.
    fn keep_queries(&self, x: Tensor<4>) -> Tensor<4> {
        let [Some(kept), _] = &self.kept else { return x };
        let keep = kept.iter().map(|&kept| f32::from(u8::from(kept))).collect();
        x * self.tensor(keep, [self.batch, 1, self.n_queries, 1])
    }

    /// The bits of keys, `[batch, n_heads, n_reads, n_keys]`, and inverse temperatures,
    /// `[batch, n_heads, 1, 1]`.
    fn keys(
        &self,
        reads: &[Reads],
        models: &[BipartiteModel],
        n_reads: usize,
    ) -> Result<(Tensor<4>, Tensor<4>), Error> {
        let n_heads = models.len() / self.batch.max(1);
        let mut keys = vec![0.0; models.len() * n_reads * self.n_keys];
        for (k, (read, model)) in reads.iter().zip(models).enumerate() {
            let [n_queries, n_kept] = model.shape();
            let size = n_queries + n_kept;
            let found = read.bits.len().checked_div(size).unwrap_or(n_reads);
            if found != n_reads {
                let what = format!("the number of reads of problem {k}");
                let range = "a sampler that returns all reads that are asked for";
                return Err(ErrorKind::OutOfRange { what, value: found as f64, range }.into());
            }
            let [_, kept] = self.kept(k / n_heads);
            let places = (0..self.n_keys).filter(|&j| kept.is_none_or(|kept| kept[j]));
            for (bits, row) in read.bits.chunks_exact(size.max(1)).zip(k * n_reads..) {
                for (j, &bit) in places.clone().zip(&bits[n_queries..]) {
                    keys[row * self.n_keys + j] = bit.into();
                }
            }
        }
        let betas = reads.iter().map(|read| read.beta as f32).collect();
        let keys = self.tensor(keys, [self.batch, n_heads, n_reads, self.n_keys]);
        Ok((keys, self.tensor(betas, [self.batch, n_heads, 1, 1])))
    }
}
