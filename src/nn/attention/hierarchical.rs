//! QHON's hierarchical attention: one attention at several resolutions of the keys.

use super::heads::{merge_heads, split_heads};
use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Tensor, TensorData, assert_shape};

/// Configuration to create a [`HierarchicalAttention`] using the
/// [init function](HierarchicalAttentionConfig::init).
#[derive(Config, Debug)]
pub struct HierarchicalAttentionConfig {
    /// The size of each linear layer.
    pub d_model: usize,
    /// The number of heads. It must divide `d_model`.
    pub n_heads: usize,
    /// The numbers of neighbouring tokens that share a key. Default: 1, 2, 4, 8
    #[config(default = "vec![1, 2, 4, 8]")]
    pub scales: Vec<usize>,
    /// The dropout rate. Default: 0.1
    #[config(default = 0.1)]
    pub dropout: f64,
    /// The score of a masked key. Default: -1.0e4, as in burn-nn
    #[config(default = -1.0e4)]
    pub min_float: f64,
    /// The initial weights of the linear layers. Default: that of burn-nn's attention
    #[config(
        default = "Initializer::KaimingUniform { gain: 1.0 / 3f64.sqrt(), fan_out_only: false }"
    )]
    pub initializer: Initializer,
}

/// Multi-head attention whose keys are pooled at several scales.
///
/// `A = sum_s alpha_s A^(s) P_s`, `A^(s) = softmax(Q (P_s K)^T / sqrt(d_k))`, where `P_s` averages `s`
/// neighbouring tokens and `alpha = softmax(scale_logits)`. Every term is `[L_q, L_k]` and the rows
/// of `A` sum to one (before dropout). The output is `output(A V)`.
///
/// With the one scale 1 this is burn-nn's `MultiHeadAttention`, whose parameters have the same
/// paths: its record loads, `scale_logits` apart.
///
/// Masks are those of burn-nn: true = masked out. Padding leaves the averages; a pooled key is
/// masked for a query if any of its tokens is, so nothing masked leaks through a coarse scale.
/// Where a coarse scale has no key left for a query, its weight goes to the other scales; a query
/// without any key attends uniformly, as in burn-nn.
///
/// Should be created with [`HierarchicalAttentionConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::attention::{HierarchicalAttentionConfig, HierarchicalInput};
///
/// let device = Device::flex();
/// let attention = HierarchicalAttentionConfig::new(8, 2).init(&device);
/// let out = attention.forward(HierarchicalInput::self_attn(Tensor::zeros([3, 10, 8], &device)));
/// assert_eq!(out.context.dims(), [3, 10, 8]);
/// assert_eq!(out.weights.dims(), [3, 2, 10, 10]);
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct HierarchicalAttention {
    /// Linear layer to transform the input features into the query space.
    pub query: Linear,
    /// Linear layer to transform the input features into the key space.
    pub key: Linear,
    /// Linear layer to transform the input features into the value space.
    pub value: Linear,
    /// Linear layer to transform the output features back to the original space.
    pub output: Linear,
    /// Logits of the weights of the scales, `[n_scales]`.
    pub scale_logits: Param<Tensor<1>>,
    /// Dropout on the weights of each scale.
    pub dropout: Dropout,
    /// The size of each linear layer.
    pub d_model: usize,
    /// The number of heads.
    pub n_heads: usize,
    /// Size of the key and query vectors.
    pub d_k: usize,
    /// The score of a masked key.
    pub min_float: f64,
    /// The numbers of neighbouring tokens that share a key.
    pub scales: Vec<usize>,
}

impl ModuleDisplay for HierarchicalAttention {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new().with_new_line_after_attribute(false).optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        content
            .add("d_model", &self.d_model)
            .add("n_heads", &self.n_heads)
            .add("scales", &self.scales)
            .add("dropout", &self.dropout.prob)
            .optional()
    }
}

/// Input of a [`HierarchicalAttention`].
#[derive(Debug, Clone)]
pub struct HierarchicalInput {
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    mask_pad: Option<Tensor<2, Bool>>,
    mask_attn: Option<Tensor<3, Bool>>,
}

impl HierarchicalInput {
    /// Query `[batch_size, seq_length_1, d_model]`, key and value
    /// `[batch_size, seq_length_2, d_model]`.
    pub fn new(query: Tensor<3>, key: Tensor<3>, value: Tensor<3>) -> Self {
        Self { query, key, value, mask_pad: None, mask_attn: None }
    }

    /// Query, key and value the same tensor.
    pub fn self_attn(tensor: Tensor<3>) -> Self {
        Self::new(tensor.clone(), tensor.clone(), tensor)
    }

    /// Masks keys, `[batch_size, seq_length_2]`, true = masked out.
    pub fn mask_pad(mut self, mask: Tensor<2, Bool>) -> Self {
        self.mask_pad = Some(mask);
        self
    }

    /// Masks keys for a query, `[batch_size, seq_length_1, seq_length_2]`, true = masked out.
    pub fn mask_attn(mut self, mask: Tensor<3, Bool>) -> Self {
        self.mask_attn = Some(mask);
        self
    }
}

/// Output of a [`HierarchicalAttention`].
#[derive(Debug, Clone)]
pub struct HierarchicalOutput {
    /// The context, `[batch_size, seq_length_1, d_model]`.
    pub context: Tensor<3>,
    /// The weights `A`, `[batch_size, n_heads, seq_length_1, seq_length_2]`, after dropout.
    pub weights: Tensor<4>,
    /// The context that each scale would give alone, `[batch_size, seq_length_1, d_model]` each.
    pub scales: Vec<Tensor<3>>,
}

impl HierarchicalAttentionConfig {
    /// Initialises a new attention.
    ///
    /// # Panics
    ///
    /// Panics if `n_heads` does not divide `d_model`, or if `scales` is empty or holds 0.
    pub fn init(&self, device: &Device) -> HierarchicalAttention {
        let (d_model, n_heads) = (self.d_model, self.n_heads);
        assert!(
            n_heads > 0 && d_model.is_multiple_of(n_heads),
            "{n_heads} heads do not divide d_model = {d_model}"
        );
        assert!(
            !self.scales.is_empty() && !self.scales.contains(&0),
            "scales are {:?}: name at least one, each at least 1",
            self.scales
        );
        let linear = LinearConfig::new(d_model, d_model).with_initializer(self.initializer.clone());
        HierarchicalAttention {
            query: linear.init(device),
            key: linear.init(device),
            value: linear.init(device),
            output: linear.init(device),
            scale_logits: Initializer::Zeros.init([self.scales.len()], device),
            dropout: DropoutConfig::new(self.dropout).init(),
            d_model,
            n_heads,
            d_k: d_model / n_heads,
            min_float: self.min_float,
            scales: self.scales.clone(),
        }
    }
}

/// One scale: blocks of tokens, whose keys and values are means.
struct Scale {
    /// The weights over the blocks, `[B, H, L_q, n_blocks]`.
    weights: Tensor<4>,
    /// The values of the blocks, `[B, H, n_blocks, d_k]`.
    value: Tensor<4>,
    /// The averaging matrix, `[B or 1, n_blocks, L_k]`, where a block is not a token.
    pooling: Option<Tensor<3>>,
    /// Which queries have a key left, `[B, 1, L_q, 1]`, under an attention mask.
    available: Option<Tensor<4>>,
}

impl Scale {
    fn context(&self) -> Tensor<4> {
        self.weights.clone().matmul(self.value.clone())
    }

    /// The weights over the tokens, `[B, H, L_q, L_k]`.
    fn token_weights(&self) -> Tensor<4> {
        match &self.pooling {
            Some(pooling) => self.weights.clone().matmul(pooling.clone().unsqueeze_dim(1)),
            None => self.weights.clone(),
        }
    }
}

/// Keys and values `[B, L, d_model]`, and which of them are masked.
struct Keys {
    key: Tensor<3>,
    value: Tensor<3>,
    pad: Option<Tensor<2, Bool>>,
    attn: Option<Tensor<3, Bool>>,
}

impl HierarchicalAttention {
    /// Applies the forward pass on the input tensors.
    ///
    /// # Shapes
    ///
    /// As the methods of [`HierarchicalInput`] say; output as [`HierarchicalOutput`] says.
    ///
    /// # Panics
    ///
    /// Panics if the last axis of query, key or value is not `d_model`, or if batch sizes or
    /// lengths differ where they must agree.
    pub fn forward(&self, input: HierarchicalInput) -> HierarchicalOutput {
        let scales = self.attend_at_scales(input);
        let shares = self.shares(&scales);
        let contexts: Vec<Tensor<4>> = scales.iter().map(Scale::context).collect();

        let mix = |terms: Vec<Tensor<4>>| {
            let weighted = terms.into_iter().zip(&shares).map(|(term, share)| term * share.clone());
            weighted.reduce(|a, b| a + b).expect("at least one scale")
        };
        let weights = mix(scales.iter().map(Scale::token_weights).collect());
        let context = self.merge(mix(contexts.clone()));
        let scales = contexts.into_iter().map(|context| self.merge(context)).collect();
        HierarchicalOutput { context, weights, scales }
    }

    /// The context that each scale would give alone, `[batch_size, seq_length_1, d_model]` each: the
    /// `scales` of [`forward`](Self::forward), without the cost of their mixture.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_scales(&self, input: HierarchicalInput) -> Vec<Tensor<3>> {
        let scales = self.attend_at_scales(input);
        scales.iter().map(|scale| self.merge(scale.context())).collect()
    }

    /// The learned weights of the scales, `softmax(scale_logits)`, `[n_scales]`.
    pub fn scale_weights(&self) -> Tensor<1> {
        softmax(self.scale_logits.val(), 0)
    }

    fn attend_at_scales(&self, input: HierarchicalInput) -> Vec<Scale> {
        let [batch_size, seq_length_1, _] = input.query.dims();
        let [_, seq_length_2, _] = input.key.dims();
        assert_shape!(input.query, [_, _, self.d_model]);
        assert_shape!(input.key, [batch_size, _, self.d_model]);
        assert_shape!(input.value, [batch_size, seq_length_2, self.d_model]);
        if let Some(mask) = &input.mask_pad {
            assert_shape!(mask, [batch_size, seq_length_2]);
        }
        if let Some(mask) = &input.mask_attn {
            assert_shape!(mask, [batch_size, seq_length_1, seq_length_2]);
        }
        let query = self.heads(self.query.forward(input.query));
        let keys = Keys {
            key: self.key.forward(input.key),
            value: self.value.forward(input.value),
            pad: input.mask_pad,
            attn: input.mask_attn,
        };
        self.scales.iter().map(|&scale| self.scale(scale, &query, &keys)).collect()
    }

    fn heads(&self, x: Tensor<3>) -> Tensor<4> {
        split_heads(x, self.n_heads)
    }

    /// `[B, H, L, d_k]` to `[B, L, d_model]`, through the output layer.
    fn merge(&self, x: Tensor<4>) -> Tensor<3> {
        self.output.forward(merge_heads(x))
    }

    fn scale(&self, scale: usize, query: &Tensor<4>, keys: &Keys) -> Scale {
        let Keys { key, value, pad, attn } = keys;
        let (pad, attn) = (pad.as_ref(), attn.as_ref());
        if scale == 1 {
            let (key, value) = (key.clone(), value.clone());
            return self.attend(query, [key, value], None, pad.cloned(), attn.cloned());
        }
        let [batch_size, seq_length, _] = key.dims();
        let blocks = block_indicator(scale, seq_length, key);
        let (pooling, block_pad) = pooling(&blocks, pad, batch_size);
        let block_attn = attn.map(|attn| block_attention_mask(&blocks, attn, pad));
        // Means of keys and values, not of weights: there are fewer of them than pairs of tokens.
        let means = [key, value].map(|x| pooling.clone().matmul(x.clone()));
        self.attend(query, means, Some(pooling), block_pad, block_attn)
    }

    /// `Q K^T / sqrt(d_k)`.
    fn scores(&self, query: &Tensor<4>, key: Tensor<4>) -> Tensor<4> {
        query.clone().matmul(key.transpose()).div_scalar((self.d_k as f32).sqrt())
    }

    fn attend(
        &self,
        query: &Tensor<4>,
        [key, value]: [Tensor<3>; 2],
        pooling: Option<Tensor<3>>,
        pad: Option<Tensor<2, Bool>>,
        attn: Option<Tensor<3, Bool>>,
    ) -> Scale {
        let mut scores = self.scores(query, self.heads(key));
        let pad = pad.map(|mask| mask.unsqueeze_dims::<4>(&[1, 1]));
        let attn = attn.map(|mask| mask.unsqueeze_dim::<4>(1));
        for mask in pad.iter().chain(&attn) {
            scores = scores.mask_fill(mask.clone(), self.min_float);
        }
        // Padding leaves the same queries a key at every scale; only `attn` makes a difference.
        let available = attn.map(|attn| {
            let masked = match pad {
                Some(pad) => attn.clone().bool_or(pad.expand(attn.dims())),
                None => attn,
            };
            masked.bool_not().any_dim(3).float().cast(scores.dtype())
        });
        let weights = self.dropout.forward(softmax(scores, 3));
        Scale { weights, value: self.heads(value), pooling, available }
    }

    /// What each scale contributes: `[1, 1, 1, 1]`, or `[B, 1, L_q, 1]` under an attention mask.
    fn shares(&self, scales: &[Scale]) -> Vec<Tensor<4>> {
        let alpha = self.scale_weights();
        let alpha = (0..scales.len()).map(|k| alpha.clone().narrow(0, k, 1).unsqueeze::<4>());
        let available: Option<Vec<_>> = scales.iter().map(|s| s.available.clone()).collect();
        let Some(available) = available else {
            return alpha.collect();
        };
        let present: Vec<_> =
            alpha.clone().zip(available).map(|(alpha, available)| available * alpha).collect();
        let total = present.iter().cloned().reduce(|a, b| a + b).expect("at least one scale");
        let none = total.clone().equal_elem(0.0);
        let total = total.mask_fill(none.clone(), 1.0);
        let share = |(present, alpha): (Tensor<4>, Tensor<4>)| {
            let alpha = alpha.expand(present.dims());
            (present / total.clone()).mask_where(none.clone(), alpha)
        };
        present.into_iter().zip(alpha).map(share).collect()
    }
}

/// Which block of `scale` neighbours each token belongs to, as 0 and 1, `[1, n_blocks, L]`. The
/// last block may be shorter.
fn block_indicator(scale: usize, seq_length: usize, like: &Tensor<3>) -> Tensor<3> {
    let n_blocks = seq_length.div_ceil(scale);
    let mut values = vec![0f32; n_blocks * seq_length];
    for token in 0..seq_length {
        values[token / scale * seq_length + token] = 1.0;
    }
    let data = TensorData::new(values, [1, n_blocks, seq_length]);
    Tensor::from_data(data, (&like.device().inner(), like.dtype()))
}

/// The averaging matrix `P`, `[B or 1, n_blocks, L]`, and which blocks are padding altogether. Such
/// a block averages its padding, so that the rows of `P` sum to one whatever the mask.
fn pooling(
    blocks: &Tensor<3>,
    pad: Option<&Tensor<2, Bool>>,
    batch_size: usize,
) -> (Tensor<3>, Option<Tensor<2, Bool>>) {
    let mean = |members: Tensor<3>| members.clone() / members.sum_dim(2);
    let Some(pad) = pad else {
        return (mean(blocks.clone()), None);
    };
    let [_, n_blocks, seq_length] = blocks.dims();
    let kept = pad.clone().bool_not().float().cast(blocks.dtype()).unsqueeze_dim::<3>(1);
    let all = blocks.clone().expand([batch_size, n_blocks, seq_length]);
    let members = all.clone() * kept;
    let empty = members.clone().sum_dim(2).equal_elem(0.0);
    let members = members.mask_where(empty.clone().expand(all.dims()), all);
    (mean(members), Some(empty.squeeze_dim(2)))
}

/// A block is masked for a query if one of its tokens is, padding apart: `[B, L_q, n_blocks]`.
fn block_attention_mask(
    blocks: &Tensor<3>,
    attn: &Tensor<3, Bool>,
    pad: Option<&Tensor<2, Bool>>,
) -> Tensor<3, Bool> {
    let masked = match pad {
        Some(pad) => {
            let kept = pad.clone().bool_not().unsqueeze_dim::<3>(1).expand(attn.dims());
            attn.clone().bool_and(kept)
        }
        None => attn.clone(),
    };
    let counts = masked.float().cast(blocks.dtype()).matmul(blocks.clone().transpose());
    counts.greater_elem(0.0)
}
