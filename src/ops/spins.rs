//! Sampling of Ising models whose coefficients are tensors.

use super::QuantumOps;
use crate::annealing::{BatchSampleSet, IsingSampler, effective_beta_of_batch};
use crate::error::Error;
use crate::gradient::{HybridGradient, HybridState, SampledModels, SpinStatistics};
use crate::ising::BatchedIsing;
use crate::random::Stream;
use crate::statevector::{Distribution, Evolution, EvolutionInput};
use burn::backend::Dispatch;
use burn::tensor::{Device, Tensor, TensorData, assert_shape};
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
/// Fields `h` are `[n_problems, n_spins]`, couplings `J` `[n_groups, n_spins, n_spins]`: the number of
/// groups divides that of the models, and those that follow each other in a group share their
/// couplings. Only entries above the diagonal count. Samplers compute in
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
    Ok(draw_spins(fields, couplings, sampler, n_reads, false)?.samples)
}

/// What a sampler drew.
#[derive(Debug)]
pub struct SpinDraw {
    /// The samples.
    pub samples: BatchSampleSet,
    /// Their inverse temperature, if it was to be estimated.
    pub beta: Option<f64>,
}

/// As [`sample_ising`], with the inverse temperature of the samples where `estimate` asks for it.
pub(crate) fn draw_spins(
    fields: &Tensor<2>,
    couplings: &Tensor<3>,
    sampler: &dyn IsingSampler,
    n_reads: usize,
    estimate: bool,
) -> Result<SpinDraw, Error> {
    check_shapes(fields, couplings);
    let (fields, couplings) = (fields.clone().into_dispatch(), couplings.clone().into_dispatch());
    Dispatch::draw_spins(fields, couplings, sampler, n_reads, estimate)
}

impl SpinDraw {
    pub(super) fn new(
        models: &BatchedIsing<'_>,
        sampler: &dyn IsingSampler,
        n_reads: usize,
        estimate: bool,
    ) -> Result<Self, Error> {
        let samples = sampler.sample_batch(models, n_reads)?;
        let beta = match estimate {
            true => Some(effective_beta_of_batch(models, &samples)?.beta),
            false => None,
        };
        Ok(Self { samples, beta })
    }
}

/// The spins of a sample set as a tensor of `+1.0` and `-1.0`, `[n_problems, n_reads, n_spins]`, with
/// the device's default type of floats. No gradient flows.
///
/// # Panics
///
/// Panics if an interrupted run left fewer reads of some problems than of others.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::annealing::SimulatedAnnealing;
/// use burn_quantum::ops::{sample_ising, spin_tensor};
///
/// let device = Device::flex();
/// let (h, j) = (Tensor::ones([2, 3], &device), Tensor::zeros([1, 3, 3], &device));
/// let set = sample_ising(&h, &j, &SimulatedAnnealing::default(), 4)?;
/// let spins = spin_tensor(&set, &device);
/// assert_eq!(spins.dims(), [2, 4, 3]);
/// assert_eq!(spins.sum().into_scalar::<f32>(), -24.0);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn spin_tensor(samples: &BatchSampleSet, device: &Device) -> Tensor<3> {
    let n_problems = samples.n_problems();
    let n_reads = if n_problems > 0 { samples.n_reads(0) } else { 0 };
    let fewest = (0..n_problems).map(|p| samples.n_reads(p)).find(|&reads| reads != n_reads);
    assert!(
        fewest.is_none(),
        "spin_tensor: {n_reads} reads of problem 0, but {} of another: do not stop the sampler early",
        fewest.unwrap_or_default()
    );
    let spins: Vec<f32> = samples.spins().iter().map(|&s| s.into()).collect();
    let spins = TensorData::new(spins, [n_problems, n_reads, samples.n_spins()]);
    Tensor::from_data(spins, device)
}

/// Means of spins, and of products of two, over `n_shots` measurements of each state after the run of
/// [`anneal_expectation`](super::anneal_expectation), whose shapes hold: `[batch, n_statistics]`. No
/// gradient flows.
///
/// The same seed gives the same measurements; those of a row do not depend on the others.
///
/// # Errors
///
/// When there are more qubits than the simulator takes, or a number is NaN or infinite.
///
/// # Panics
///
/// Panics on other shapes, and without shots.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::{gradient::SpinStatistics, ops::anneal_shots};
///
/// let device = Device::flex();
/// let zeros = || Tensor::zeros([1, 2], &device);
/// let (j, nothing) = (Tensor::zeros([1, 2, 2], &device), Tensor::zeros([1, 2], &device));
/// // No field, no time: RY(0)|0> on both qubits.
/// let out = anneal_shots([zeros(), zeros()], j, nothing, &SpinStatistics::spins(2), 10, 1)?;
/// out.into_data().assert_eq(&[[1.0f32, 1.0]].into(), true);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn anneal_shots(
    [fields, start]: [Tensor<2>; 2],
    couplings: Tensor<3>,
    schedule: Tensor<2>,
    statistics: &SpinStatistics,
    n_shots: usize,
    seed: u64,
) -> Result<Tensor<2>, Error> {
    assert!(n_shots > 0, "the number of shots is 0: use at least 1");
    let [batch, n] = check_shapes(&fields, &couplings);
    if couplings.dims()[0] != 1 {
        assert_shape!(couplings, [batch, n, n]);
    }
    assert_shape!(start, [batch, n]);
    assert_shape!(schedule, [_, 2]);
    let to = (fields.device().without_autodiff(), fields.dtype());
    let floats = |data: TensorData| data.iter::<f64>().collect::<Vec<f64>>();
    let (fields, start) = (floats(fields.into_data()), floats(start.into_data()));
    let (couplings, schedule) = (floats(couplings.into_data()), floats(schedule.into_data()));
    let (fields, couplings, start, schedule) = (&fields, &couplings, &start, &schedule);
    let input = EvolutionInput { batch, fields, couplings, start, schedule };
    let probabilities = Evolution::each_z(n)?.probabilities(&input)?;
    let means = probabilities.chunks(1 << n).enumerate().flat_map(|(row, p)| {
        let states = Distribution::new(p.iter().copied());
        let states = states.draw(n_shots, &mut Stream::new(seed, row as u64)).into_iter();
        let spins = states.flat_map(|state| (0..n).map(move |i| 1 - 2 * (state >> i & 1) as i8));
        statistics.mean(&spins.collect::<Vec<i8>>())
    });
    let means = TensorData::new(means.collect::<Vec<f64>>(), [batch, statistics.len()]);
    Ok(Tensor::from_data(means, (&to.0, to.1)))
}

fn check_shapes(fields: &Tensor<2>, couplings: &Tensor<3>) -> [usize; 2] {
    let [n_problems, n] = fields.dims();
    let [n_groups, ..] = couplings.dims();
    assert_shape!(couplings, [_, n, n]);
    assert!(
        n_groups == n_problems || n_groups > 0 && n_problems.is_multiple_of(n_groups),
        "couplings of {n_groups} groups cannot be shared by {n_problems} models: use a divisor"
    );
    [n_problems, n]
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
