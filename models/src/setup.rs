//! A training set-up from a file, in the words of the QHON paper.

#[cfg(feature = "train")]
use crate::training::TrainingConfig;
use crate::{LearningRateSchedule, QhonConfig, ReadoutNoise};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A network and its training, as the QHON paper's section 7.2 writes them in YAML.
///
/// The keys of the paper are required; optional keys of our own follow in each section. Unknown
/// keys, and values out of range, are errors that name the path of the key.
///
/// ```
/// use burn_quantum_models::QhonSetup;
///
/// let setup = QhonSetup::from_yaml("
/// model: { quantum_qubits: 4, classical_layers: 2, attention_heads: 4, scales: [1, 2] }
/// training: { learning_rate: 1e-3, batch_size: 32, epochs: 10, quantum_annealing_steps: 8 }
/// regularization: { dropout: 0.1, weight_decay: 1e-4, quantum_noise: 0.01 }
/// ")?;
/// assert_eq!(setup.network([1, 8, 8], 10).n_qubits, 4);
/// # Ok::<(), burn_quantum_models::SetupError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QhonSetup {
    /// The network.
    pub model: ModelSetup,
    /// Its training.
    pub training: TrainingSetup,
    /// What keeps it from overfitting.
    pub regularization: RegularizationSetup,
}

/// The section `model` of a [`QhonSetup`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSetup {
    /// The number of qubits that encode a patch, 1 to 26.
    pub quantum_qubits: usize,
    /// The number of blocks of each refinement network, from 1 on.
    pub classical_layers: usize,
    /// The number of attention heads; it must divide `d_model`.
    pub attention_heads: usize,
    /// The scales of the attention, each from 1 on and none twice.
    pub scales: Vec<usize>,
    /// The side of the square patches. Default: that of the network the set-up is applied to
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_size: Option<usize>,
    /// The number of features of a token. Default: 64
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub d_model: Option<usize>,
    /// The number of layers of the encoding circuit. Default: 2
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding_layers: Option<usize>,
    /// The total time of the annealing at the start. Default: 2.0
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annealing_time: Option<f64>,
    /// The number of states in the quantum memory, 0 for none. Default: 8
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantum_memory: Option<usize>,
    /// The number of slots of the classical memory, 0 for none. Default: 16
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classical_memory: Option<usize>,
}

/// The section `training` of a [`QhonSetup`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSetup {
    /// The learning rate at the start, in (0, 1].
    pub learning_rate: f64,
    /// The number of images in a batch, from 1 on.
    pub batch_size: usize,
    /// How often to see all training images, from 1 on.
    pub epochs: usize,
    /// The number of steps of the annealing sampler, from 1 on.
    pub quantum_annealing_steps: usize,
    /// How the learning rate falls: `constant`, `cosine`, or `robbins_monro: { tau, power }`.
    /// Default: cosine
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<LearningRateSchedule>,
    /// Training images are moved by up to this many pixels. Default: that of the training the set-up
    /// is applied to
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_shift: Option<usize>,
}

/// The section `regularization` of a [`QhonSetup`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegularizationSetup {
    /// The dropout rate, in [0, 1).
    pub dropout: f64,
    /// AdamW's weight decay, from 0 on.
    pub weight_decay: f64,
    /// The strength of the [noise on the read-out](ReadoutNoise) in training, in [0, 1].
    pub quantum_noise: f64,
}

/// An error raised while reading a [`QhonSetup`].
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SetupError(#[from] SetupErrorKind);

#[derive(Debug, thiserror::Error)]
enum SetupErrorKind {
    #[error("`{path}`: {message}")]
    Syntax { path: String, message: String },
    #[error("`{path}` is {value}: use {range}")]
    OutOfRange { path: &'static str, value: String, range: String },
    #[error("`{}`: {source}", file.display())]
    Io { file: PathBuf, source: io::Error },
    #[error("`{}`, {source}", file.display())]
    File { file: PathBuf, source: Box<SetupError> },
}

impl QhonSetup {
    /// Reads a set-up from a file: JSON if its name ends in `.json`, YAML otherwise.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and where [`from_yaml`](Self::from_yaml) fails.
    pub fn load(file: impl AsRef<Path>) -> Result<Self, SetupError> {
        let file = file.as_ref();
        let io = |source| SetupErrorKind::Io { file: file.into(), source };
        let text = fs::read_to_string(file).map_err(io)?;
        let json = file.extension().is_some_and(|extension| extension == "json");
        let setup = if json { Self::from_json(&text) } else { Self::from_yaml(&text) };
        let in_file = |source| SetupErrorKind::File { file: file.into(), source: Box::new(source) };
        Ok(setup.map_err(in_file)?)
    }

    /// Reads a set-up from YAML.
    ///
    /// # Errors
    ///
    /// When the text is not YAML, a key is unknown, missing or of another type, or a value is out of
    /// its range.
    pub fn from_yaml(text: &str) -> Result<Self, SetupError> {
        let mut path = String::from(".");
        let parse = |yaml: serde_saphyr::Deserializer| parse(yaml, &mut path);
        let setup = serde_saphyr::with_deserializer_from_str(text, parse);
        let for_users = serde_saphyr::UserMessageFormatter;
        let message =
            |error: serde_saphyr::Error| error.without_snippet().render_with_formatter(&for_users);
        Self::checked(setup.map_err(message), path)
    }

    /// Reads a set-up from JSON.
    ///
    /// # Errors
    ///
    /// As [`from_yaml`](Self::from_yaml).
    pub fn from_json(text: &str) -> Result<Self, SetupError> {
        let mut path = String::from(".");
        let mut json = serde_json::Deserializer::from_str(text);
        let setup = parse(&mut json, &mut path);
        let setup = setup.and_then(|setup| json.end().map(|()| setup));
        Self::checked(setup.map_err(|error| error.to_string()), path)
    }

    /// The set-up as YAML; [`from_yaml`](Self::from_yaml) gives it back.
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(self).expect("numbers, names and lists are YAML")
    }

    /// The set-up as JSON; [`from_json`](Self::from_json) gives it back.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers, names and lists are JSON")
    }

    /// The network for images of `image`, `[channels, height, width]`.
    pub fn network(&self, image: [usize; 3], n_classes: usize) -> QhonConfig {
        self.apply_to_network(QhonConfig::new(image, n_classes))
    }

    /// `network` with everything that the set-up says of it.
    pub fn apply_to_network(&self, network: QhonConfig) -> QhonConfig {
        let Self { model, training, regularization } = self;
        QhonConfig {
            n_qubits: model.quantum_qubits,
            n_blocks: model.classical_layers,
            n_heads: model.attention_heads,
            scales: model.scales.clone(),
            n_annealing_steps: training.quantum_annealing_steps,
            dropout: regularization.dropout,
            quantum_noise: ReadoutNoise::new(regularization.quantum_noise),
            patch_size: model.patch_size.unwrap_or(network.patch_size),
            d_model: model.d_model.unwrap_or(network.d_model),
            n_encoding_layers: model.encoding_layers.unwrap_or(network.n_encoding_layers),
            annealing_time: model.annealing_time.unwrap_or(network.annealing_time),
            n_quantum_slots: model.quantum_memory.unwrap_or(network.n_quantum_slots),
            n_classical_slots: model.classical_memory.unwrap_or(network.n_classical_slots),
            ..network
        }
    }

    /// The training.
    #[cfg(feature = "train")]
    pub fn training(&self) -> TrainingConfig {
        self.apply_to_training(TrainingConfig::new(self.training.epochs))
    }

    /// `training` with everything that the set-up says of it.
    #[cfg(feature = "train")]
    pub fn apply_to_training(&self, training: TrainingConfig) -> TrainingConfig {
        TrainingConfig {
            n_epochs: self.training.epochs,
            batch_size: self.training.batch_size,
            learning_rate: self.training.learning_rate,
            schedule: self.training.schedule.unwrap_or(training.schedule),
            max_shift: self.training.max_shift.unwrap_or(training.max_shift),
            weight_decay: self.regularization.weight_decay,
            ..training
        }
    }

    fn checked(setup: Result<Self, String>, path: String) -> Result<Self, SetupError> {
        let setup = setup.map_err(|message| SetupErrorKind::Syntax { path, message })?;
        setup.model.check()?;
        setup.training.check()?;
        setup.regularization.check()?;
        Ok(setup)
    }
}

/// Deserialises, and leaves the path to the key in `path` on failure.
fn parse<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
    path: &mut String,
) -> Result<T, D::Error> {
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        *path = error.path().to_string().trim_end_matches(".?").into();
        error.into_inner()
    })
}

fn require(
    valid: bool,
    path: &'static str,
    value: impl Display,
    range: impl Display,
) -> Result<(), SetupErrorKind> {
    if valid {
        return Ok(());
    }
    Err(SetupErrorKind::OutOfRange { path, value: value.to_string(), range: range.to_string() })
}

fn at_least_one(path: &'static str, value: usize) -> Result<(), SetupErrorKind> {
    require(value > 0, path, value, "at least 1")
}

impl ModelSetup {
    fn check(&self) -> Result<(), SetupErrorKind> {
        let n = self.quantum_qubits;
        require((1..=26).contains(&n), "model.quantum_qubits", n, "1 to 26")?;
        at_least_one("model.classical_layers", self.classical_layers)?;
        at_least_one("model.patch_size", self.patch_size.unwrap_or(1))?;
        at_least_one("model.d_model", self.d_model.unwrap_or(1))?;
        at_least_one("model.encoding_layers", self.encoding_layers.unwrap_or(1))?;
        let time = self.annealing_time.unwrap_or(1.0);
        let valid = time > 0.0 && time.is_finite();
        require(valid, "model.annealing_time", time, "a positive number")?;
        let heads = self.attention_heads;
        let d_model = self.d_model.unwrap_or(QhonConfig::new([1, 1, 1], 1).d_model);
        let divides = heads > 0 && d_model.is_multiple_of(heads);
        let divisors = format!("a divisor of d_model, {d_model}");
        require(divides, "model.attention_heads", heads, divisors)?;
        self.check_scales()
    }

    fn check_scales(&self) -> Result<(), SetupErrorKind> {
        let mut scales = self.scales.clone();
        scales.sort_unstable();
        scales.dedup();
        let valid = scales.first().is_some_and(|&s| s > 0) && scales.len() == self.scales.len();
        let given = format!("{:?}", self.scales);
        require(valid, "model.scales", given, "numbers from 1 on, at least one and none twice")
    }
}

impl TrainingSetup {
    fn check(&self) -> Result<(), SetupErrorKind> {
        let rate = self.learning_rate;
        let valid = rate > 0.0 && rate <= 1.0;
        require(valid, "training.learning_rate", rate, "a number in (0, 1]")?;
        at_least_one("training.batch_size", self.batch_size)?;
        at_least_one("training.epochs", self.epochs)?;
        at_least_one("training.quantum_annealing_steps", self.quantum_annealing_steps)?;
        let Some(LearningRateSchedule::RobbinsMonro { tau, power }) = self.schedule else {
            return Ok(());
        };
        let valid = tau > 0.0 && tau.is_finite();
        require(valid, "training.schedule.robbins_monro.tau", tau, "a positive number")?;
        let valid = power > 0.5 && power <= 1.0;
        require(valid, "training.schedule.robbins_monro.power", power, "a number in (1/2, 1]")
    }
}

impl RegularizationSetup {
    fn check(&self) -> Result<(), SetupErrorKind> {
        let (dropout, decay, noise) = (self.dropout, self.weight_decay, self.quantum_noise);
        let in_range = (0.0..1.0).contains(&dropout);
        require(in_range, "regularization.dropout", dropout, "a number in [0, 1)")?;
        let valid = decay >= 0.0 && decay.is_finite();
        require(valid, "regularization.weight_decay", decay, "a number from 0 on")?;
        let in_range = (0.0..=1.0).contains(&noise);
        require(in_range, "regularization.quantum_noise", noise, "a number in [0, 1]")
    }
}
