//! Sampling of Ising models whose coefficients are tensors.

use super::QuantumOps;
use crate::annealing::{BatchSampleSet, IsingSampler};
use crate::error::Error;
use crate::gradient::{HybridGradient, HybridState, SampledModels, SpinStatistics};
use crate::ising::BatchedIsing;
use burn::backend::Dispatch;
use burn::tensor::{DType, Tensor, TensorData, assert_shape};
use std::borrow::Cow;
use std::sync::Arc;

/// Samples of a batch of Ising models, and how to differentiate means over them.
#[derive(Debug)]
pub struct SpinSamples {
    /// The samples.
    pub samples: BatchSampleSet,
    /// Their inverse temperature.
    pub beta: f64,
    /// What is read out.
    pub statistics: SpinStatistics,
    /// The estimator of the gradient.
    pub gradient: HybridGradient,
    /// What the estimator remembers from call to call.
    pub state: Arc<HybridState>,
}

/// Draws `n_reads` samples of each model of a batch whose coefficients are tensors.
///
/// Fields `h` are `[n_problems, n_spins]`, couplings `J` `[n_problems, n_spins, n_spins]` or
/// `[1, n_spins, n_spins]` for all; only entries above the diagonal count. Samplers compute in
/// single precision. No gradient flows: see [`spin_statistics`].
///
/// # Errors
///
/// When a coefficient is NaN or infinite, and where the sampler fails.
///
/// # Panics
///
/// Panics on other shapes.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::{annealing::SimulatedAnnealing, ops::sample_ising};
///
/// let device = Device::flex();
/// let h = Tensor::zeros([2, 3], &device);
/// let j = Tensor::full([1, 3, 3], -1.0, &device);
/// let set = sample_ising(&h, &j, &SimulatedAnnealing::default(), 4)?;
/// assert_eq!(set.energies(), [-3.0; 8]); // all spins alike
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn sample_ising(
    fields: &Tensor<2>,
    couplings: &Tensor<3>,
    sampler: &dyn IsingSampler,
    n_reads: usize,
) -> Result<BatchSampleSet, Error> {
    let [n_problems, n] = check_shapes(fields, couplings);
    let (fields, couplings) = (fields.to_data(), couplings.to_data());
    let models = BatchedIsing::new(n_problems, n, floats(&fields), floats(&couplings))?;
    sampler.sample_batch(&models, n_reads)
}

fn check_shapes(fields: &Tensor<2>, couplings: &Tensor<3>) -> [usize; 2] {
    let [n_problems, n] = fields.dims();
    if couplings.dims()[0] == 1 {
        assert_shape!(couplings, [1, n, n]);
    } else {
        assert_shape!(couplings, [n_problems, n, n]);
    }
    [n_problems, n]
}

fn floats(data: &TensorData) -> Cow<'_, [f32]> {
    match data.dtype() {
        DType::F32 => Cow::Borrowed(data.as_slice().expect("the dtype was checked")),
        _ => data.iter::<f32>().collect(),
    }
}

/// Means of spins, and of products of two, over given samples of Ising models, differentiable by
/// the models' coefficients: `out[p, k] = mean_s r_k(s)`.
///
/// The value is that of the samples alone. The gradient is that of the Boltzmann expectation by
/// `fields` and `couplings`, estimated as the samples' [`HybridGradient`] says; the tensors must be
/// those of which the samples were drawn. Shapes as in [`sample_ising`]; the output is
/// `[n_problems, n_statistics]`.
///
/// # Panics
///
/// Panics on other shapes, if samples and tensors do not fit, when the tensors differ in dtype, and
/// in the backward pass where [`HybridGradient::gradient`] fails.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::annealing::GibbsSampler;
/// use burn_quantum::gradient::SpinStatistics;
/// use burn_quantum::ops::{SpinSamples, sample_ising, spin_statistics};
/// use std::sync::Arc;
///
/// let device = Device::flex().autodiff();
/// let h = Tensor::<2>::from_floats([[0.3]], &device).require_grad();
/// let j = Tensor::zeros([1, 1, 1], &device);
/// let samples = sample_ising(&h, &j, &GibbsSampler::new(1.0).with_n_sweeps(4), 20_000)?;
/// let statistics = SpinStatistics::spins(1);
/// let samples = SpinSamples {
///     samples,
///     beta: 1.0,
///     statistics,
///     gradient: Default::default(),
///     state: Default::default(),
/// };
/// let mean = spin_statistics(h.clone(), j, Arc::new(samples)); // -tanh h
/// let by_h = h.grad(&mean.sum().backward()).unwrap().into_scalar::<f32>();
/// assert!((by_h + 1.0 - 0.3f32.tanh().powi(2)).abs() < 0.03);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn spin_statistics(
    fields: Tensor<2>,
    couplings: Tensor<3>,
    samples: Arc<SpinSamples>,
) -> Tensor<2> {
    let [n_problems, n] = check_shapes(&fields, &couplings);
    let drawn = [samples.samples.n_problems(), samples.samples.n_spins()];
    assert!(
        drawn == [n_problems, n],
        "spin_statistics: samples are of {drawn:?} problems and spins, the fields of {:?}: pass \
         the tensors of which they were drawn",
        [n_problems, n]
    );
    Tensor::from_dispatch(Dispatch::spin_statistics(
        fields.into_dispatch(),
        couplings.into_dispatch(),
        samples,
    ))
}

impl SpinSamples {
    /// The estimated gradient, of fields and couplings.
    pub(super) fn gradient_of(
        &self,
        n_problems: usize,
        [fields, couplings]: [&[f32]; 2],
        cotangent: &[f64],
    ) -> Result<[Vec<f64>; 2], Error> {
        let n = self.statistics.n_spins();
        let models = BatchedIsing::new(n_problems, n, fields, couplings)?;
        let sampled = SampledModels {
            models: &models,
            samples: &self.samples,
            beta: self.beta,
            statistics: &self.statistics,
        };
        let g = self.gradient.gradient(&sampled, cotangent, &self.state)?;
        Ok([g.fields, g.couplings])
    }
}
