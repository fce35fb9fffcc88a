//! Closed-system annealing as a layer.

use crate::circuit::PauliString;
use crate::ops::anneal_expectation;
use crate::statevector::Evolution;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData, assert_shape};
use std::f64::consts::FRAC_PI_2;
use std::sync::Arc;

/// How `A` and `B` change with `s = t / time`. Each falls to `A(1) = 0` and rises to `B(1) = 1`.
#[derive(Config, Debug, Copy, PartialEq)]
pub enum AnnealingSchedule {
    /// `A = 1 - s`, `B = s`.
    Linear,
    /// `A = (e^(-rate s) - e^(-rate)) / (1 - e^(-rate))`, `B = 1 - A`: the paper's `exp(-t/T)`,
    /// rescaled to meet both ends. `rate` must be positive.
    Exponential {
        /// How fast the transverse field falls.
        rate: f64,
    },
    /// Trained, with the total time; it starts as `Linear`. See [`LearnedSchedule`].
    Learned,
}

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

/// Configuration to create an [`AnnealingLayer`] using the
/// [init function](AnnealingLayerConfig::init).
#[derive(Config, Debug)]
pub struct AnnealingLayerConfig {
    /// The number of qubits, which is also the number of input features.
    pub n_qubits: usize,
    /// The number of steps of the second-order splitting. Default: 16
    #[config(default = 16)]
    pub n_steps: usize,
    /// The total time, in units of the inverse energy (`hbar = 1`). Default: 4.0
    #[config(default = 4.0)]
    pub time: f64,
    /// The schedule. Default: linear
    #[config(default = "AnnealingSchedule::Linear")]
    pub schedule: AnnealingSchedule,
    /// The start state. Default: encoded
    #[config(default = "AnnealingStart::Encoded")]
    pub start: AnnealingStart,
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

/// Samples a trainable Ising model by annealing in a transverse field, exactly and differentiably.
///
/// `H(t) = -A(t) sum_i X_i + B(t) (sum_i h_i(x) Z_i + sum_{i<j} J_ij Z_i Z_j)`, with
/// `h(x) = h + W x`. The output is the expectation of products of `Z` at the end. Spins and signs
/// follow the [conventions of the crate](crate#conventions).
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
    evolution: Arc<Evolution>,
    start: AnnealingStart,
    /// Pulse areas of a schedule that is not trained, `[n_steps, 2]`.
    pulses: Vec<f64>,
    /// For each entry of `J`, the place of its coupling; `n_pairs` stands for 0.
    places: Vec<i64>,
}

/// A schedule with trained pace and total time.
///
/// `u_k`, the progress in the middle of step `k`, sums the softmax of the logits; `A = 1 - u`,
/// `B = u`, so it is monotonic and meets both ends whatever the logits.
#[derive(Module, Debug)]
pub struct LearnedSchedule {
    /// Logits of the progress made in each step, `[n_steps]`.
    pub logits: Param<Tensor<1>>,
    /// The logarithm of the total time, `[1]`.
    pub log_time: Param<Tensor<1>>,
}

impl LearnedSchedule {
    fn init(n_steps: usize, time: f64, device: &Device) -> Self {
        Self {
            logits: Initializer::Zeros.init([n_steps], device),
            log_time: Initializer::Constant { value: time.ln() }.init([1], device),
        }
    }

    /// Pulse areas `(A dt, B dt)`, `[n_steps, 2]`.
    pub fn pulses(&self) -> Tensor<2> {
        let [n_steps] = self.logits.dims();
        let pace = softmax(self.logits.val(), 0);
        let progress: Tensor<2> = (pace.clone().cumsum(0) - pace * 0.5).unsqueeze_dim(1);
        let dt: Tensor<2> = self.log_time.val().exp().div_scalar(n_steps as f64).unsqueeze();
        Tensor::cat(vec![1.0 - progress.clone(), progress], 1) * dt
    }
}

impl AnnealingSchedule {
    /// `(A(s), B(s))`; `Learned` gives where it starts.
    ///
    /// ```
    /// use burn_quantum::nn::AnnealingSchedule;
    ///
    /// assert_eq!(AnnealingSchedule::Exponential { rate: 3.0 }.at(1.0), (0.0, 1.0));
    /// ```
    pub fn at(&self, s: f64) -> (f64, f64) {
        let a = match *self {
            Self::Linear | Self::Learned => 1.0 - s,
            Self::Exponential { rate } => {
                ((-rate * s).exp() - (-rate).exp()) / (1.0 - (-rate).exp())
            }
        };
        (a, 1.0 - a)
    }

    fn pulses(&self, n_steps: usize, time: f64) -> Vec<f64> {
        let dt = time / n_steps as f64;
        let step = |k: usize| {
            let (a, b) = self.at((k as f64 + 0.5) / n_steps as f64);
            [a * dt, b * dt]
        };
        (0..n_steps).flat_map(step).collect()
    }
}

fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)))
}

impl AnnealingLayerConfig {
    /// Initialises a new layer.
    ///
    /// # Panics
    ///
    /// Panics on more qubits than the simulator takes, without steps, or on a time or rate that
    /// is not positive.
    pub fn init(&self, device: &Device) -> AnnealingLayer {
        let n = self.n_qubits;
        assert!(self.n_steps > 0, "n_steps is 0: use at least 1");
        positive("time", self.time);
        if let AnnealingSchedule::Exponential { rate } = self.schedule {
            positive("the rate of the schedule", rate);
        }
        let learned = self.schedule == AnnealingSchedule::Learned;
        AnnealingLayer {
            fields: self.initializer.init([n], device),
            couplings: self.initializer.init([pairs(n).count()], device),
            field_weights: self.data_fields.then(|| self.initializer.init([n, n], device)),
            learned: learned.then(|| LearnedSchedule::init(self.n_steps, self.time, device)),
            settings: Arc::new(self.settings()),
        }
    }

    fn settings(&self) -> Settings {
        let n = self.n_qubits;
        let mut readout: Vec<_> = (0..n).map(PauliString::z).collect();
        if self.readout == AnnealingReadout::SpinsAndPairs {
            readout.extend(pairs(n).map(|(i, j)| PauliString::z(i) * PauliString::z(j)));
        }
        let evolution = Evolution::new(n, &readout);
        let mut places = vec![pairs(n).count() as i64; n * n];
        for (place, (i, j)) in pairs(n).enumerate() {
            places[i * n + j] = place as i64;
        }
        Settings {
            evolution: Arc::new(evolution.unwrap_or_else(|e| panic!("AnnealingLayerConfig: {e}"))),
            start: self.start,
            pulses: self.schedule.pulses(self.n_steps, self.time),
            places,
        }
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
    /// - output: `[batch_size, n_outputs]`, expectations in `[-1, 1]`
    ///
    /// # Panics
    ///
    /// Panics if the last axis of `input` is not `n_qubits`, or if a value is not finite.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.run(input, None)
    }

    /// As [`forward`](Self::forward), with `extra_fields`, `[batch_size, n_qubits]`, added to the
    /// fields.
    ///
    /// # Panics
    ///
    /// Panics where `forward` does, or if `extra_fields` has another shape than `input`.
    pub fn forward_with_fields(&self, input: Tensor<2>, extra_fields: Tensor<2>) -> Tensor<2> {
        let [batch, n] = input.dims();
        assert_shape!(extra_fields, [batch, n]);
        self.run(input, Some(extra_fields))
    }

    fn run(&self, input: Tensor<2>, extra_fields: Option<Tensor<2>>) -> Tensor<2> {
        let [batch, _] = input.dims();
        let n = self.settings.evolution.n_qubits();
        assert_shape!(input, [_, n]);
        let fields: Tensor<2> = self.fields.val().unsqueeze();
        let fields = match &self.field_weights {
            Some(weights) => fields + input.clone().matmul(weights.val().transpose()),
            None => fields.expand([batch, n]),
        };
        let fields = match extra_fields {
            Some(extra) => fields + extra,
            None => fields,
        };
        let start = match self.settings.start {
            AnnealingStart::Encoded => input,
            AnnealingStart::Plus => input.full_like(FRAC_PI_2),
        };
        let (couplings, pulses) = (self.coupling_matrix(), self.pulses(&start));
        anneal_expectation(fields, couplings, start, pulses, &self.settings.evolution)
    }

    /// The couplings as an upper triangular matrix, `[1, n_qubits, n_qubits]`.
    pub fn coupling_matrix(&self) -> Tensor<3> {
        let n = self.settings.evolution.n_qubits();
        let couplings = self.couplings.val();
        let zero = Tensor::zeros([1], (&couplings.device(), couplings.dtype()));
        let places = TensorData::new(self.settings.places.clone(), [n * n]);
        let places = Tensor::<1, Int>::from_data(places, &couplings.device());
        Tensor::cat(vec![couplings, zero], 0).select(0, places).reshape([1, n, n])
    }

    fn pulses(&self, like: &Tensor<2>) -> Tensor<2> {
        if let Some(learned) = &self.learned {
            return learned.pulses();
        }
        let pulses = self.settings.pulses.clone();
        let shape = [pulses.len() / 2, 2];
        Tensor::from_data(TensorData::new(pulses, shape), (&like.device(), like.dtype()))
    }

    /// The number of values read out.
    pub fn n_outputs(&self) -> usize {
        self.settings.evolution.n_readouts()
    }
}
