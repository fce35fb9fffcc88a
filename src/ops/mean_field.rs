//! The naive mean field of bits as an operation.

use super::QuantumOps;
use super::host::{HostJob, HostSlice};
use crate::annealing::MeanField;
use crate::error::Error;
use crate::statevector::Real;
use burn::backend::Dispatch;
use burn::tensor::{Tensor, assert_shape};

/// The naive mean field of models of bits, `m_j = sigmoid(theta_j + sum_i m_i W_ij)`, differentiable
/// by fields and couplings.
///
/// The value is that of `n_iterations` steps from `sigmoid(theta)`, and one more. The gradient is the
/// implicit derivative at the fixed point, for which `m` stands: with `s = m (1 - m)`, a cotangent
/// `v` becomes `g = u s`, where `u = v + g W^T` is found by `n_iterations` steps as well; `g` is the
/// gradient by `theta`, and `sum_rows m_i g_j` that by `W_ij`. Both errors fall with the powers of
/// the spectral radius of `diag(s) W`, which should be well below 1: `|W_ij| <= 2 / n` suffices.
/// `W` need not be symmetric, and its diagonal counts.
///
/// A bit whose field is -1e4 is exactly 0, pulls at no other, and has no gradient.
///
/// On CPU backends one kernel takes a few rows at a time through all iterations; `n_iterations + 1`
/// products of matrices are what it costs. On a GPU, operations of Burn do the same.
///
/// # Shapes
///
/// - theta, output: `[batch, n_heads, n_rows, n]`
/// - couplings `W`: `[batch, n_heads, n, n]`, or 1 in place of `batch`
///
/// # Panics
///
/// On other shapes, and when the tensors differ in dtype; on CPU backends also on NaN or infinity.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::ops::mean_field;
///
/// let device = Device::flex().autodiff();
/// let theta = Tensor::<4>::from_floats([[[[0.3, -0.2]]]], &device).require_grad();
/// let w = Tensor::<4>::from_floats([[[[0.0, -0.5], [-0.5, 0.0]]]], &device);
/// let m = mean_field(theta.clone(), w, 20);
/// let [a, b] = [0, 1].map(|j| m.clone().narrow(3, j, 1).into_scalar::<f32>());
/// assert!((a - 1.0 / (1.0 + (0.5 * b - 0.3).exp())).abs() < 1e-6);
/// // To first order in the coupling, `dm_a/dtheta_b = -0.5 s_a s_b`.
/// let g = theta.grad(&m.narrow(3, 0, 1).sum().backward()).expect("tracked");
/// let by_b = g.narrow(3, 1, 1).into_scalar::<f32>();
/// assert!((by_b + 0.5 * a * (1.0 - a) * b * (1.0 - b)).abs() < 1e-3);
/// ```
pub fn mean_field(theta: Tensor<4>, couplings: Tensor<4>, n_iterations: usize) -> Tensor<4> {
    let [batch, heads, _, n] = theta.dims();
    if couplings.dims()[0] == 1 {
        assert_shape!(couplings, [1, heads, n, n]);
    } else {
        assert_shape!(couplings, [batch, heads, n, n]);
    }
    let (theta, couplings) = (theta.into_dispatch(), couplings.into_dispatch());
    Tensor::from_dispatch(Dispatch::mean_field(theta, couplings, n_iterations))
}

/// `mean_field(theta, couplings)`, by the number of iterations.
pub(super) struct Forward(pub usize);

impl HostJob<2, 1> for Forward {
    const NAME: &'static str = "mean_field";

    fn run<T: Real>(&self, [theta, couplings]: [HostSlice<T>; 2]) -> Result<[Vec<T>; 1], Error> {
        Ok([solver(&theta, &couplings, self.0).solve(&theta.values, &couplings.values)?])
    }

    fn shapes(&self, [theta, _]: [&[usize]; 2]) -> [Vec<usize>; 1] {
        [theta.to_vec()]
    }
}

/// The gradient of [`Forward`] by its tensors, given `(m, couplings, cotangent)`.
pub(super) struct Backward(pub usize);

impl HostJob<3, 2> for Backward {
    const NAME: &'static str = "the gradient of mean_field";

    fn run<T: Real>(&self, [m, couplings, c]: [HostSlice<T>; 3]) -> Result<[Vec<T>; 2], Error> {
        solver(&m, &couplings, self.0).gradient(&m.values, &couplings.values, &c.values)
    }

    fn shapes(&self, [m, couplings, _]: [&[usize]; 3]) -> [Vec<usize>; 2] {
        [m.to_vec(), couplings.to_vec()]
    }
}

fn solver<T: Real>(
    rows: &HostSlice<T>,
    couplings: &HostSlice<T>,
    n_iterations: usize,
) -> MeanField {
    let dims = std::array::from_fn(|axis| rows.dims[axis]);
    MeanField::new(dims, couplings.rows() == 1, n_iterations)
}

/// The same by operations of Burn, for backends whose tensors are better not read.
#[cfg(any(feature = "cube", all(test, feature = "flex")))]
pub(super) mod composed {
    use burn::backend::{Backend, TensorMetadata, tensor::FloatTensor};

    pub fn forward<B: Backend>(
        theta: FloatTensor<B>,
        couplings: FloatTensor<B>,
        n_iterations: usize,
    ) -> FloatTensor<B> {
        let start = B::sigmoid(theta.clone());
        (0..=n_iterations).fold(start, |m, _| {
            let pull = B::float_matmul(m, couplings.clone());
            B::sigmoid(B::float_add(pull, theta.clone()))
        })
    }

    pub fn backward<B: Backend>(
        m: FloatTensor<B>,
        couplings: FloatTensor<B>,
        cotangent: FloatTensor<B>,
        n_iterations: usize,
    ) -> (FloatTensor<B>, FloatTensor<B>) {
        let is_shared = couplings.shape()[0] == 1;
        let transposed = B::float_swap_dims(couplings, 2, 3);
        let slope = B::float_sub(m.clone(), B::float_mul(m.clone(), m.clone()));
        let mut g = B::float_mul(cotangent.clone(), slope.clone());
        for _ in 0..n_iterations {
            let pull = B::float_matmul(g, transposed.clone());
            g = B::float_mul(B::float_add(cotangent.clone(), pull), slope.clone());
        }
        let pairs = B::float_matmul(B::float_swap_dims(m, 2, 3), g.clone());
        let by_couplings = if is_shared { B::float_sum_dim(pairs, 0) } else { pairs };
        (g, by_couplings)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::backend::ops::FloatTensorOps;
    use burn::backend::{TensorData, flex::Flex, tensor::FloatTensor};

    fn tensor(dims: [usize; 4], seed: usize) -> FloatTensor<Flex> {
        let value = |k: usize| ((k * 7919 + seed * 104_729) % 1000) as f32 / 1000.0 - 0.5;
        let values: Vec<f32> = (0..dims.iter().product()).map(value).collect();
        Flex::float_from_data(TensorData::new(values, dims), &Default::default())
    }

    fn values(tensor: FloatTensor<Flex>) -> Vec<f32> {
        let data = burn::backend::read_sync(Flex::float_into_data(tensor)).expect("on the host");
        data.try_into_vec().expect("single precision")
    }

    /// What GPUs compute, on a backend that every build has.
    #[test]
    fn operations_of_burn_give_the_same_as_the_kernel() {
        let dims = [3, 2, 5, 7];
        for rows in [1, 3] {
            let given = || (tensor(dims, 1), tensor([rows, 2, 7, 7], 2));
            let (theta, w) = given();
            let m = Flex::mean_field(theta, w, 4);
            let (theta, w) = given();
            let same = composed::forward::<Flex>(theta, w, 4);
            let close = |a: FloatTensor<Flex>, b: FloatTensor<Flex>| {
                let (a, b) = (values(a), values(b));
                assert_eq!(a.len(), b.len());
                let differ = |(a, b): (&f32, &f32)| (a - b).abs() > 2e-6;
                assert!(!a.iter().zip(&b).any(differ), "{a:?}\n{b:?}");
            };
            close(m.clone(), same);
            let (c, w) = (tensor(dims, 3), given().1);
            let (g, by_w) = Flex::mean_field_backward(m.clone(), w.clone(), c.clone(), 4);
            let (same_g, same_w) = composed::backward::<Flex>(m, w, c, 4);
            close(g, same_g);
            close(by_w, same_w);
        }
    }
}
