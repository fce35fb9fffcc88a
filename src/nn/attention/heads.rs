//! Heads out of features, and back.

use burn::tensor::Tensor;

/// `[batch, length, n_heads d_k]` to `[batch, n_heads, length, d_k]`.
pub(super) fn split_heads(x: Tensor<3>, n_heads: usize) -> Tensor<4> {
    let [batch, length, d_model] = x.dims();
    swap_next(x.reshape([batch, length, n_heads, d_model / n_heads]), 1)
}

/// `[batch, n_heads, length, d_k]` to `[batch, length, n_heads d_k]`.
pub(super) fn merge_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, n_heads, length, d_k] = x.dims();
    swap_next(x, 1).reshape([batch, length, n_heads * d_k])
}

/// Swaps `axis` and the next one.
///
/// An axis of length one is reshaped: behind one that was swapped, the gradient of a broadcast product
/// is wrong in Burn's fused kernels for GPUs (0.22.1).
pub(super) fn swap_next<const R: usize>(x: Tensor<R>, axis: usize) -> Tensor<R> {
    let mut dims = x.dims();
    if dims[axis] != 1 && dims[axis + 1] != 1 {
        return x.swap_dims(axis, axis + 1);
    }
    dims.swap(axis, axis + 1);
    x.reshape(dims)
}
