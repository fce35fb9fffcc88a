//! What goes into the attention and what comes out.

use burn::tensor::{Bool, Tensor, assert_shape};

/// As in burn-nn: its exponential is 0 in any precision, and half precision can hold it.
const LOWEST: f64 = -1e4;

/// Input of a [`Qama`](super::Qama), and of the other layouts.
#[derive(Debug, Clone)]
pub struct QamaInput {
    pub(in super::super) query: Tensor<3>,
    pub(in super::super) key: Tensor<3>,
    pub(in super::super) value: Tensor<3>,
    pub(in super::super) mask_pad: Option<Tensor<2, Bool>>,
    pub(in super::super) mask_attn: Option<Tensor<3, Bool>>,
    /// Whether queries are keys, so that padding is padding of both.
    pub(in super::super) is_self: bool,
}

impl QamaInput {
    /// Query `[batch_size, seq_length_1, d_model]`, key and value
    /// `[batch_size, seq_length_2, d_model]`.
    pub fn new(query: Tensor<3>, key: Tensor<3>, value: Tensor<3>) -> Self {
        Self { query, key, value, mask_pad: None, mask_attn: None, is_self: false }
    }

    /// Query, key and value the same tensor.
    pub fn self_attn(tensor: Tensor<3>) -> Self {
        Self { is_self: true, ..Self::new(tensor.clone(), tensor.clone(), tensor) }
    }

    /// Keys to leave out, `[batch_size, seq_length_2]`, true = masked out.
    pub fn mask_pad(mut self, mask_pad: Tensor<2, Bool>) -> Self {
        self.mask_pad = Some(mask_pad);
        self
    }

    /// Keys to leave out for each query, `[batch_size, seq_length_1, seq_length_2]`, true = masked
    /// out.
    pub fn mask_attn(mut self, mask_attn: Tensor<3, Bool>) -> Self {
        self.mask_attn = Some(mask_attn);
        self
    }
}

/// Output of a [`Qama`](super::Qama).
#[derive(Debug, Clone)]
pub struct QamaOutput {
    /// `[batch_size, seq_length_1, d_model]`
    pub context: Tensor<3>,
    /// The attention weights, `[batch_size, n_heads, seq_length_1, seq_length_2]`.
    pub weights: Tensor<4>,
    /// The probability that a query selects a key, of the same shape.
    pub selection: Tensor<4>,
    /// The number of pairs of a query and a key that it may select, over the batch, of one head.
    pub(super) visible: Tensor<1>,
}

impl QamaOutput {
    /// The mean selection of the keys that may be selected, for each head, `[n_heads]`.
    pub fn selected_fraction(&self) -> Tensor<1> {
        let sum: Tensor<1> = self.selection.clone().sum_dim(0).sum_dim(2).sum_dim(3).flatten(0, 3);
        sum / self.visible.clone().clamp_min(1.0)
    }
}

/// Which keys may be selected, 1 or 0.
pub(super) struct Masks {
    /// By padding, `[batch, n_keys]`.
    pub keys: Option<Tensor<2>>,
    /// By both masks, `[batch, 1, n_queries or 1, n_keys]`.
    pub pairs: Option<Tensor<4>>,
    like: Tensor<3>,
}

impl Masks {
    pub fn new(input: &QamaInput, batch: usize, n_queries: usize, n_keys: usize) -> Self {
        let dtype = input.query.dtype();
        let kept = |keep: Tensor<4, Bool>| keep.bool_not().float().cast(dtype);
        let mut pairs = None;
        if let Some(mask) = &input.mask_pad {
            assert_shape!(mask, [batch, n_keys]);
            pairs = Some(kept(mask.clone().reshape([batch, 1, 1, n_keys])));
        }
        let keys = pairs.clone().map(|keys| keys.reshape([batch, n_keys]));
        if let Some(mask) = &input.mask_attn {
            assert_shape!(mask, [batch, n_queries, n_keys]);
            let kept = kept(mask.clone().reshape([batch, 1, n_queries, n_keys]));
            pairs = Some(match pairs {
                Some(keys) => keys * kept,
                None => kept,
            });
        }
        Self { keys, pairs, like: input.query.clone().without_autodiff() }
    }

    /// Scores, but where a key is masked out [`LOWEST`], whatever its own.
    pub fn lower(&self, scores: Tensor<4>) -> Tensor<4> {
        match &self.pairs {
            Some(pairs) => scores * pairs.clone() + (1.0 - pairs.clone()) * LOWEST,
            None => scores,
        }
    }

    /// Zero where a key is masked out.
    pub fn apply(&self, selection: Tensor<4>) -> Tensor<4> {
        match &self.pairs {
            Some(pairs) => selection * pairs.clone(),
            None => selection,
        }
    }

    /// The number of keys that are not padding, 1 at least, `[batch or 1, 1, 1, 1]`.
    pub fn n_keys(&self, n_keys: usize) -> Tensor<4> {
        match &self.keys {
            Some(keys) => keys.clone().sum_dim(1).clamp_min(1.0).reshape([-1, 1, 1, 1]),
            None => {
                let to = (self.like.device(), self.like.dtype());
                Tensor::full([1, 1, 1, 1], n_keys.max(1) as f64, (&to.0, to.1))
            }
        }
    }

    /// Which pairs of keys meet, 1 or 0: `[batch, 1, n_queries or 1, n_keys, n_keys]`.
    pub fn meet(&self) -> Option<Tensor<5>> {
        self.pairs.as_ref().map(|pairs| {
            let [batch, _, n_queries, n] = pairs.dims();
            let of = |dims: [usize; 5]| pairs.clone().reshape(dims);
            of([batch, 1, n_queries, n, 1]) * of([batch, 1, n_queries, 1, n])
        })
    }

    /// The sum of a matrix over the pairs of keys that a query may select, `[batch, m, n_queries or 1, 1]`
    /// of `[batch, m, n_keys, n_keys]`.
    pub fn sum_of_pairs(&self, matrix: Tensor<4>) -> Tensor<4> {
        match &self.pairs {
            Some(pairs) => (pairs.clone().matmul(matrix) * pairs.clone()).sum_dim(3),
            None => matrix.sum_dim(3).sum_dim(2),
        }
    }

    /// See [`QamaOutput::visible`].
    pub fn n_visible(&self, [batch, _, n_queries, n_keys]: [usize; 4]) -> Tensor<1> {
        match &self.pairs {
            Some(pairs) => pairs.clone().expand([batch, 1, n_queries, n_keys]).sum(),
            None => {
                let count = (batch * n_queries * n_keys) as f64;
                Tensor::full([1], count, (&self.like.device(), self.like.dtype()))
            }
        }
    }
}
