//! From a selection to the output of the layer.

use super::coefficients::{Coefficients, Tokens};
use crate::nn::attention::heads::{merge_heads, swap_next};
use burn::config::Config;
use burn::tensor::Tensor;

/// Keeps the weights of a query finite where nothing is selected.
const EPSILON: f64 = 1e-6;

/// What a [`SelectionAttention`](super::SelectionAttention) makes of a selection `x`. Without tokens
/// that take part, all of them are 0.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum SelectionReadout {
    /// `y_hi = -x_hi (sum_j J_hij x_hj + h_hi) E`, the paper's: a multiple of one vector for each head
    /// and token, 0 where the token is not selected. The energy lacks the weights of the search.
    Energy,
    /// `y_hi = E_h(x) E / n`, the same for all tokens that take part: the part of the searched energy
    /// that belongs to a head, where two heads share the penalty of a token equally. At the ground
    /// state a [frozen](super::SelectionGradient::Frozen) selection gives the gradient exactly: of each
    /// part if there is no head penalty, of their sum if there is.
    Objective,
    /// `y_hi = sum_j A_hij v_j` with `A_hij = e_ij x_hj / (epsilon + sum_j e_ij x_hj)`, where `e_ij =
    /// exp(q_i.k_j / sqrt(d_k))` is divided by its largest value over the tokens that take part:
    /// softmax attention among the tokens selected.
    MaskedValues,
}

/// A read-out with what it needs of the input.
#[allow(clippy::large_enum_variant)] // one in each call, never moved
pub(super) enum Readout<'a> {
    /// `E`, of the site energies or of those of heads.
    Probed { of_sites: bool, probe: Tensor<1>, coefficients: &'a Coefficients, tokens: &'a Tokens },
    /// `e`, `[batch, n_heads, n, n]`, and the values.
    Values { weights: Tensor<4>, value: Tensor<4> },
}

impl<'a> Readout<'a> {
    /// Of query, key and value, `[batch, n_heads, n, d_k]`.
    pub fn new(
        kind: SelectionReadout,
        [query, key, value]: [Tensor<4>; 3],
        probe: Tensor<1>,
        coefficients: &'a Coefficients,
        tokens: &'a Tokens,
    ) -> Self {
        let probed = |of_sites, probe| Self::Probed { of_sites, probe, coefficients, tokens };
        match kind {
            SelectionReadout::Energy => probed(true, probe),
            SelectionReadout::Objective => probed(false, probe),
            SelectionReadout::MaskedValues => {
                let [.., d_k] = query.dims();
                let scores = query.matmul(key.transpose()).mul_scalar((d_k as f64).powf(-0.5));
                let mut visible = scores.clone().without_autodiff();
                if let Some(keep) = tokens.keep() {
                    visible = visible - (1.0 - keep) * 1e9;
                }
                // Padding may have larger scores than the largest: they are cut, and never selected.
                let weights = (scores - visible.max_dim(3)).clamp_max(0.0).exp();
                Self::Values { weights, value }
            }
        }
    }

    pub fn is_tracked(&self) -> bool {
        match self {
            Self::Probed { probe, .. } => probe.is_tracked(),
            Self::Values { weights, value } => weights.is_tracked() || value.is_tracked(),
        }
    }

    /// Selections `[batch, n_heads, n_samples, n]`, and what penalties add to the energy of each,
    /// `[batch, n_heads, n_samples]`, to `[batch, n_heads, n_samples, n_outputs]`.
    pub fn of(&self, x: Tensor<4>, penalties: &Tensor<3>) -> Tensor<4> {
        match self {
            Self::Probed { of_sites: true, coefficients: c, .. } => {
                x.clone() * (x.matmul(c.pairs.clone()) + c.values.clone()).neg()
            }
            Self::Probed { coefficients, tokens, .. } => {
                let energy = energies(coefficients, x) + penalties.clone();
                energy.unsqueeze_dim::<4>(3) * tokens.each(|n| 1.0 / n.max(1.0))
            }
            Self::Values { weights, value } => {
                let [batch, heads, n, d_k] = value.dims();
                let s = x.dims()[2];
                let x = swap_next(x, 2);
                let sums = weights.clone().matmul(x.clone()).add_scalar(EPSILON);
                let chosen = x.unsqueeze_dim::<5>(4) * value.clone().unsqueeze_dim::<5>(3);
                let mixed = weights.clone().matmul(chosen.reshape([batch, heads, n, s * d_k]));
                let mixed = mixed.reshape([batch, heads, n, s, d_k]) / sums.unsqueeze_dim::<5>(4);
                swap_next(mixed, 2).reshape([batch, heads, s, n * d_k])
            }
        }
    }

    /// The mean over samples, `[batch, n_heads, n_outputs]`, to `[batch, n, d_model]`.
    pub fn finish(&self, out: Tensor<3>) -> Tensor<3> {
        let [batch, heads, _] = out.dims();
        let by_head: Tensor<4> = match self {
            Self::Values { value, .. } => out.reshape(value.dims()),
            Self::Probed { of_sites, probe, tokens, .. } => {
                let mut gates: Tensor<4> = out.unsqueeze_dim(3);
                if !of_sites {
                    gates = gates.expand([batch, heads, tokens.n, 1]);
                    if let Some(keep) = tokens.keep() {
                        gates = gates * keep.transpose();
                    }
                }
                gates * probe.clone().reshape([1, 1, 1, -1])
            }
        };
        merge_heads(by_head)
    }
}

/// The searched energy of each head without penalties, `[batch, n_heads, n_samples]`.
pub(in super::super) fn energies(coefficients: &Coefficients, x: Tensor<4>) -> Tensor<3> {
    let pull = x.clone().matmul(coefficients.couplings.clone()).mul_scalar(0.5);
    (x * (pull + coefficients.fields.clone())).sum_dim(3).neg().squeeze_dim(3)
}
