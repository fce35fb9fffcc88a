//! From scores to the fields of keys.

use super::input::Masks;
use burn::config::Config;
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

/// What the field `theta_ij` of key `j` says to query `i`, from the scores `s = Q K^T / sqrt(d_k)` and a
/// trained bias of each head.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum QamaField {
    /// `theta_ij = s_ij + bias`: whether the score is large. Without couplings this is sigmoid
    /// attention ([Ramapuram et al. 2024](https://arxiv.org/abs/2409.04431)), which selects none or all
    /// keys of a query whose scores are all low or high.
    Score,
    /// `theta_ij = s_ij - (1 / beta) ln sum_j' exp(beta s_ij') + bias`, over the keys that the query may
    /// select: whether the score is large beside theirs.
    ///
    /// As of softmax attention, nothing changes if a number is added to all scores of a query. With
    /// its weights `p = softmax(beta s)` and without couplings a key is selected with probability
    /// `p e / (1 + p e)`, `e = exp(beta bias)`: `e` bounds the mean number of keys that a query selects,
    /// and the lower it is, the nearer are the normalised weights to `p`.
    Relative,
}

/// Scores, times `beta`, less the logarithm of the sum of their exponentials over the keys that are
/// not masked out.
pub(super) fn relative(scores: Tensor<4>, masks: &Masks) -> Tensor<4> {
    log_softmax(masks.lower(scores), 3)
}
