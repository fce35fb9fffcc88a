//! Annealing as a layer: closed-system dynamics, or any sampler of Ising models.

mod measured;
mod sampled;
mod schedule;

pub use sampled::{AnnealingSampler, SampleTemperature};
pub(super) use sampled::{Sampling, Seeds, not_negative};
pub use schedule::{AnnealingSchedule, LearnedSchedule};

use crate::annealing::IsingSampler;
use crate::circuit::PauliString;
use crate::error::Error;
use crate::gradient::{HybridGradient, HybridReport, HybridState, SpinStatistics, pairs};
use crate::ops::anneal_expectation;
use crate::statevector::Evolution;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Int, Tensor, TensorData, assert_shape};
use measured::Measuring;
use std::f64::consts::FRAC_PI_2;
use std::sync::Arc;

/// The state in which the evolution starts.
#[derive(Config, Debug, Copy, PartialEq)]
pub enum AnnealingStart {
    /// `prod_i RY(x_i)|0>`, the features as angles (the paper).
    Encoded,
    /// `|+...+>`, the ground state of the transverse field (the textbook).
    Plus,
}

/// What is read out after the evolution.
#[derive(Config, Debug, Copy, PartialEq)]
pub enum AnnealingReadout {
    /// `<Z_i>` of each qubit.
    Spins,
    /// `<Z_i>`, then `<Z_i Z_j>` for `i < j` in lexicographic order.
    SpinsAndPairs,
}

/// Read-out by measurements of the annealed state instead of expectation values.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub struct Shots {
    /// The number of measurements of each input.
    pub n_shots: usize,
    /// Whether evaluation measures as well, and not training alone. Default: false
    #[config(default = false)]
    pub in_evaluation: bool,
}

/// Configuration to create an [`AnnealingLayer`] using the
/// [init function](AnnealingLayerConfig::init).
#[derive(Config, Debug)]
pub struct AnnealingLayerConfig {
    /// The number of qubits, which is also the number of input features.
    pub n_qubits: usize,
    /// What anneals. Default: the Schroedinger equation
    #[config(default = "AnnealingSampler::Schroedinger")]
    pub sampler: AnnealingSampler,
    /// The number of steps of the second-order splitting, or of sweeps of a stochastic sampler.
    /// Default: 16
    #[config(default = 16)]
    pub n_steps: usize,
    /// The total time, in units of the inverse energy (`hbar = 1`), or in ns with a table. Of the
    /// Schroedinger equation only, as are `schedule` and `start`. Default: 4.0
    #[config(default = 4.0)]
    pub time: f64,
    /// The schedule. Default: linear
    #[config(default = "AnnealingSchedule::Linear")]
    pub schedule: AnnealingSchedule,
    /// The start state. Default: encoded
    #[config(default = "AnnealingStart::Encoded")]
    pub start: AnnealingStart,
    /// Measurements instead of expectation values, of the Schroedinger equation; the gradient stays
    /// the exact one. Default: none
    #[config(default = "None")]
    pub shots: Option<Shots>,
    /// The number of samples of each input; of stochastic samplers only, as is `gradient`.
    /// Default: 16
    #[config(default = 16)]
    pub n_reads: usize,
    /// The estimator of the gradient. Default: the unbiased covariance
    #[config(default = "HybridGradient::default()")]
    pub gradient: HybridGradient,
    /// The seed of samples and shots. Each call that is differentiated draws others; inference
    /// repeats itself. Default: 0
    #[config(default = 0)]
    pub seed: u64,
    /// The read-out. Default: spins
    #[config(default = "AnnealingReadout::Spins")]
    pub readout: AnnealingReadout,
    /// Whether the fields depend on the features, `h + W x`. Default: true
    #[config(default = true)]
    pub data_fields: bool,
    /// The initial fields, couplings and field weights. Default: normal, standard deviation 0.3
    #[config(default = "Initializer::Normal { mean: 0.0, std: 0.3 }")]
    pub initializer: Initializer,
}

/// Samples a trainable Ising model, `E(s) = sum_i h_i(x) s_i + sum_{i<j} J_ij s_i s_j` with
/// `h(x) = h + W x`, and reads out means of spins and of products of two. Spins and signs follow the
/// [conventions of the crate](crate#conventions).
///
/// By default it anneals in a transverse field, exactly and with exact gradients:
/// `H(t) = -A(t) sum_i X_i + B(t) E(Z)`; the output is the expectation at the end. With a stochastic
/// [`AnnealingSampler`], or any [`IsingSampler`] given to
/// [`init_with_sampler`](AnnealingLayerConfig::init_with_sampler), the output is the mean over
/// `n_reads` samples, and its gradient an estimate: see [`HybridGradient`].
///
/// Should be created with [`AnnealingLayerConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum::nn::{AnnealingLayerConfig, AnnealingReadout};
///
/// let device = Device::flex();
/// let config = AnnealingLayerConfig::new(4).with_readout(AnnealingReadout::SpinsAndPairs);
/// let out = config.init(&device).forward(Tensor::zeros([3, 4], &device));
/// assert_eq!(out.dims(), [3, 4 + 6]);
/// ```
#[derive(Module, Debug)]
pub struct AnnealingLayer {
    /// Fields `h`, `[n_qubits]`.
    pub fields: Param<Tensor<1>>,
    /// Couplings `J_ij` for `i < j` in lexicographic order, `[n_qubits (n_qubits - 1) / 2]`.
    pub couplings: Param<Tensor<1>>,
    /// Field weights `W`, `[n_qubits, n_qubits]`, where fields depend on the features.
    pub field_weights: Option<Param<Tensor<2>>>,
    /// The trained schedule, where there is one.
    pub learned: Option<LearnedSchedule>,
    #[module(skip)]
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Settings {
    n_qubits: usize,
    n_outputs: usize,
    /// For each entry of `J`, the place of its coupling; `n_pairs` stands for 0.
    places: Vec<i64>,
    dynamics: Dynamics,
}

#[derive(Debug)]
enum Dynamics {
    Closed {
        evolution: Arc<Evolution>,
        start: AnnealingStart,
        /// Pulse areas of a schedule that is not trained, `[n_steps, 2]`.
        pulses: Vec<f64>,
        shots: Option<Measuring>,
    },
    Sampled(Sampling, SpinStatistics),
}

impl AnnealingLayerConfig {
    /// Initialises a new layer.
    ///
    /// # Panics
    ///
    /// Panics on more qubits than the simulator takes, without steps, on a time, a rate or a `beta`
    /// that is not positive, on a table that is no schedule, and on settings that the sampler would
    /// ignore.
    pub fn init(&self, device: &Device) -> AnnealingLayer {
        assert!(self.n_steps > 0, "n_steps is 0: use at least 1");
        let dynamics = match self.sampler.build(self.n_steps) {
            None => self.closed(),
            Some((sampler, temperature)) => self.sampled(sampler, temperature),
        };
        self.init_with(device, dynamics)
    }

    /// Initialises a new layer whose samples come from `sampler`: a simulator of this crate or a
    /// device. `temperature` is that of its samples.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use burn_quantum::annealing::ParallelTempering;
    /// use burn_quantum::nn::{AnnealingLayerConfig, SampleTemperature};
    /// use std::sync::Arc;
    ///
    /// let (device, config) = (Device::flex(), AnnealingLayerConfig::new(4).with_n_reads(8));
    /// let sampler = Arc::new(ParallelTempering::default().with_n_sweeps(10));
    /// let layer = config.init_with_sampler(&device, sampler, SampleTemperature::Estimated);
    /// assert_eq!(layer.forward(Tensor::zeros([3, 4], &device)).dims(), [3, 4]);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`init`](Self::init).
    pub fn init_with_sampler(
        &self,
        device: &Device,
        sampler: Arc<dyn IsingSampler>,
        temperature: SampleTemperature,
    ) -> AnnealingLayer {
        let defaults = Self::new(self.n_qubits);
        assert!(
            self.sampler == defaults.sampler && self.n_steps == defaults.n_steps,
            "a sampler is given, so `sampler` and `n_steps` of the config would be ignored: leave them out"
        );
        self.init_with(device, self.sampled(sampler, temperature))
    }

    fn init_with(&self, device: &Device, dynamics: Dynamics) -> AnnealingLayer {
        let n = self.n_qubits;
        let learned = self.schedule == AnnealingSchedule::Learned;
        let mut places = vec![pairs(n).count() as i64; n * n];
        for (place, (i, j)) in pairs(n).enumerate() {
            places[i * n + j] = place as i64;
        }
        let n_outputs = self.statistics().len();
        AnnealingLayer {
            fields: self.initializer.init([n], device),
            couplings: self.initializer.init([pairs(n).count()], device),
            field_weights: self.data_fields.then(|| self.initializer.init([n, n], device)),
            learned: learned.then(|| LearnedSchedule::init(self.n_steps, self.time, device)),
            settings: Arc::new(Settings { n_qubits: n, n_outputs, places, dynamics }),
        }
    }

    fn statistics(&self) -> SpinStatistics {
        match self.readout {
            AnnealingReadout::Spins => SpinStatistics::spins(self.n_qubits),
            AnnealingReadout::SpinsAndPairs => SpinStatistics::spins_and_pairs(self.n_qubits),
        }
    }

    fn closed(&self) -> Dynamics {
        let defaults = Self::new(self.n_qubits);
        let of_samplers = self.n_reads == defaults.n_reads && self.gradient == defaults.gradient;
        assert!(
            of_samplers,
            "n_reads and gradient belong to stochastic samplers: set `sampler`, or leave them out"
        );
        assert!(
            self.shots.is_some() || self.seed == defaults.seed,
            "the seed belongs to shots and samplers: set one of them, or leave it out"
        );
        assert!(self.shots.is_none_or(|shots| shots.n_shots > 0), "n_shots is 0: use at least 1");
        positive("time", self.time);
        self.schedule.check();
        let n = self.n_qubits;
        let mut readout: Vec<_> = (0..n).map(PauliString::z).collect();
        if self.readout == AnnealingReadout::SpinsAndPairs {
            readout.extend(pairs(n).map(|(i, j)| PauliString::z(i) * PauliString::z(j)));
        }
        let evolution = Evolution::new(n, &readout);
        Dynamics::Closed {
            evolution: Arc::new(evolution.unwrap_or_else(|e| panic!("AnnealingLayerConfig: {e}"))),
            start: self.start,
            pulses: self.schedule.pulses(self.n_steps, self.time),
            shots: self.shots.map(|shots| Measuring::new(shots, self.statistics(), self.seed)),
        }
    }

    fn sampled(&self, sampler: Arc<dyn IsingSampler>, temperature: SampleTemperature) -> Dynamics {
        let defaults = Self::new(self.n_qubits);
        let of_the_closed_system = self.time == defaults.time
            && self.schedule == defaults.schedule
            && self.start == defaults.start
            && self.shots.is_none();
        assert!(
            of_the_closed_system,
            "time, schedule, start and shots belong to the Schroedinger equation: leave them out"
        );
        let sampler = (sampler, temperature);
        let sampling = Sampling::new(sampler, self.n_reads, self.gradient, self.seed);
        Dynamics::Sampled(sampling, self.statistics())
    }
}

fn positive(what: &str, value: f64) {
    assert!(value > 0.0 && value.is_finite(), "{what} is {value}: use a positive number");
}

impl AnnealingLayer {
    /// Applies the forward pass on the input tensor.
    ///
    /// # Shapes
    ///
    /// - input: `[batch_size, n_qubits]`, angles in radians
    /// - output: `[batch_size, n_outputs]`, in `[-1, 1]`
    ///
    /// # Panics
    ///
    /// Panics if the last axis of `input` is not `n_qubits`, if a value is not finite, and with the
    /// sampler's own message if that fails: see [`try_forward`](Self::try_forward).
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.try_forward(input, None).unwrap_or_else(|error| panic!("AnnealingLayer: {error}"))
    }

    /// As [`forward`](Self::forward), with further fields `[batch_size, n_qubits]` beside `h + W x`,
    /// such as those of a memory.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), and if the fields have another shape.
    pub fn forward_with_fields(&self, input: Tensor<2>, fields: Tensor<2>) -> Tensor<2> {
        let out = self.try_forward(input, Some(fields));
        out.unwrap_or_else(|error| panic!("AnnealingLayer: {error}"))
    }

    /// As [`forward`](Self::forward) or [`forward_with_fields`](Self::forward_with_fields), but
    /// what a sampler or a device reports is returned.
    ///
    /// # Errors
    ///
    /// Where the sampler fails, and when its samples are too cold to tell their temperature.
    ///
    /// # Panics
    ///
    /// On shapes and numbers as [`forward`](Self::forward).
    pub fn try_forward(
        &self,
        input: Tensor<2>,
        more_fields: Option<Tensor<2>>,
    ) -> Result<Tensor<2>, Error> {
        let [batch, _] = input.dims();
        let n = self.settings.n_qubits;
        assert_shape!(input, [_, n]);
        let mut fields = self.fields.val().unsqueeze::<2>();
        if let Some(weights) = &self.field_weights {
            fields = fields + input.clone().matmul(weights.val().transpose());
        }
        if let Some(more) = more_fields {
            assert_shape!(more, [batch, n]);
            fields = fields + more;
        }
        let (fields, couplings) = (fields.expand([batch, n]), self.coupling_matrix());
        match &self.settings.dynamics {
            Dynamics::Sampled(sampling, statistics) => {
                sampling.forward(fields, couplings, *statistics)
            }
            Dynamics::Closed { evolution, start, pulses, shots } => {
                let start = match start {
                    AnnealingStart::Encoded => input,
                    AnnealingStart::Plus => input.full_like(FRAC_PI_2),
                };
                let pulses = self.pulses(pulses, &start);
                let run = [fields, start, pulses];
                match shots {
                    Some(shots) => shots.forward(run, couplings, evolution),
                    None => {
                        let [fields, start, pulses] = run;
                        Ok(anneal_expectation(fields, couplings, start, pulses, evolution))
                    }
                }
            }
        }
    }

    /// The couplings as an upper triangular matrix, `[1, n_qubits, n_qubits]`.
    pub fn coupling_matrix(&self) -> Tensor<3> {
        let n = self.settings.n_qubits;
        let couplings = self.couplings.val();
        let zero = Tensor::zeros([1], (&couplings.device(), couplings.dtype()));
        let places = TensorData::new(self.settings.places.clone(), [n * n]);
        let places = Tensor::<1, Int>::from_data(places, &couplings.device());
        Tensor::cat(vec![couplings, zero], 0).select(0, places).reshape([1, n, n])
    }

    fn pulses(&self, fixed: &[f64], like: &Tensor<2>) -> Tensor<2> {
        if let Some(learned) = &self.learned {
            return learned.pulses();
        }
        let pulses = TensorData::new(fixed.to_vec(), [fixed.len() / 2, 2]);
        Tensor::from_data(pulses, (&like.device(), like.dtype()))
    }

    /// The number of values read out.
    pub fn n_outputs(&self) -> usize {
        self.settings.n_outputs
    }

    /// What the last backward pass mixed (share of the classical estimator, estimated bias and
    /// variance), for metrics; `None` before the first, and of the Schroedinger equation.
    pub fn gradient_report(&self) -> Option<HybridReport> {
        match &self.settings.dynamics {
            Dynamics::Sampled(sampling, _) => sampling.report(),
            Dynamics::Closed { .. } => None,
        }
    }

    /// What [`gradient_report`](Self::gradient_report) reads, shared by all copies of the layer; `None`
    /// of the Schroedinger equation.
    pub fn gradient_state(&self) -> Option<Arc<HybridState>> {
        match &self.settings.dynamics {
            Dynamics::Sampled(sampling, _) => Some(sampling.state()),
            Dynamics::Closed { .. } => None,
        }
    }
}
