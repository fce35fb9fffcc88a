//! Training of classifiers with burn-train: checkpoints, resuming, progress.

mod classifier;
mod data;
mod gradient_metric;
mod progress;

pub use classifier::{Classifier, ClassifierConfig, Score};
pub use data::ClassifierData;
pub use gradient_metric::{GradientFigure, GradientMetric};
pub use progress::{EpochReport, Event, event_renderer};

use crate::LearningRateSchedule;
use burn::config::Config;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::Dataset;
use burn::lr_scheduler::LrSchedulerRecord;
use burn::module::Module;
use burn::optim::{AdamWConfig, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{Learner, SupervisedTraining};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to train a classifier of images or texts.
#[derive(Config, Debug)]
pub struct TrainingConfig {
    /// How often to see all training items.
    pub n_epochs: usize,
    /// The number of items in a batch. Default: 64
    #[config(default = 64)]
    pub batch_size: usize,
    /// The learning rate at the start. Default: 3e-3
    #[config(default = 3e-3)]
    pub learning_rate: f64,
    /// How the learning rate falls. Default: along a cosine
    #[config(default = "LearningRateSchedule::Cosine")]
    pub schedule: LearningRateSchedule,
    /// AdamW's weight decay. Default: 1e-4
    #[config(default = 1e-4)]
    pub weight_decay: f64,
    /// Training images are moved by up to this many pixels; texts cannot be. Default: 0
    #[config(default = 0)]
    pub max_shift: usize,
    /// One in this many training items is held out to measure progress. Default: 12
    #[config(default = 12)]
    pub hold_out: usize,
    /// Seeds the initial parameters, dropout, the order of items and the moves of images. Default: 1
    #[config(default = 1)]
    pub seed: u64,
}

/// An error raised by a training run.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] ErrorKind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrorKind {
    #[error("{name} is {value}: {remedy}")]
    BadConfig { name: &'static str, value: String, remedy: &'static str },
    #[error("the learning rate's schedule: {0}")]
    BadSchedule(String),
    #[error("`{}`: {source}", folder.display())]
    Io { folder: PathBuf, source: std::io::Error },
    #[error(
        "{n} items to train on, one in {hold_out} of which is held out: use {hold_out} or more"
    )]
    TooFewItems { n: usize, hold_out: usize },
    #[error("`{}` holds no checkpoint of a finished epoch: train without resuming first", folder.display())]
    NoCheckpoint { folder: PathBuf },
    #[error("`{}` differs from the configuration of this run: resume with the same, or name another folder", file.display())]
    OtherRun { file: PathBuf },
    #[error("a new run removes `{}`, but its folder holds no `training.json` of an earlier one: name another folder", path.display())]
    NotARun { path: PathBuf },
    #[error("training stopped: {0}")]
    Failed(String),
}

/// Where a run keeps its checkpoints, and whether it goes on from the last.
#[derive(Debug, Clone)]
pub struct Run {
    /// The folder; made if needed.
    pub folder: PathBuf,
    /// Go on after the last finished epoch instead of starting anew.
    pub resume: bool,
    /// Show burn-train's dashboard if standard output is a terminal. It takes the place of the
    /// events.
    pub dashboard: bool,
}

impl TrainingConfig {
    /// Trains a new network on `device`, and returns it in its state for inference.
    ///
    /// The folder of the run receives both configurations (`training.json`, and the
    /// network's [`FILE`](ClassifierConfig::FILE)), the number of items of each class (`data.json`), the
    /// checkpoints of the last two epochs, and the trained network (`model.bpk`). A new run removes
    /// those of an earlier one; a resumed run is compared with it. For QHON,
    /// `QhonConfig::load("qhon.json")?.init(&device).load_file("model.bpk")` gives it back.
    ///
    /// Parameters, dropout and the order of the items follow from the seed, if nothing else in the
    /// process draws from Burn's generator meanwhile: it is one per process on CPU backends. A resumed run goes on
    /// with the parameters, the optimiser and the learning rate of the checkpoint; its dropout and
    /// the order of its items are those of a run that starts there, so it is not the uninterrupted
    /// run bit by bit.
    ///
    /// # Errors
    ///
    /// When a setting is out of range or does not apply to the data, the folder cannot be written or
    /// holds what no earlier run has put there, there is nothing to resume or its configurations differ,
    /// or a step of the training fails.
    pub fn train<C: ClassifierConfig>(
        &self,
        config: &C,
        device: &Device,
        data: &<C::Classifier as Classifier>::Data,
        run: &Run,
        on_event: impl FnMut(Event) + Send + Sync + 'static,
    ) -> Result<C::Classifier, Error> {
        self.train_by(config, device, data, run, on_event, |device| config.build(device))
    }

    /// As [`train`](Self::train), but it goes on with `model` instead of a new network: fine-tuning.
    /// `config` is that of `model`, and is kept in the folder.
    ///
    /// # Errors
    ///
    /// As [`train`](Self::train).
    pub fn fine_tune<C: ClassifierConfig>(
        &self,
        config: &C,
        model: C::Classifier,
        device: &Device,
        data: &<C::Classifier as Classifier>::Data,
        run: &Run,
        on_event: impl FnMut(Event) + Send + Sync + 'static,
    ) -> Result<C::Classifier, Error> {
        let fork = |device: &Device| model.train().fork(device);
        self.train_by(config, device, data, run, on_event, fork)
    }

    fn train_by<C: ClassifierConfig>(
        &self,
        config: &C,
        device: &Device,
        data: &<C::Classifier as Classifier>::Data,
        run: &Run,
        on_event: impl FnMut(Event) + Send + Sync + 'static,
        build: impl FnOnce(&Device) -> C::Classifier,
    ) -> Result<C::Classifier, Error> {
        self.check(data)?;
        let (train, valid) = self.split(data);
        let steps = train.len().div_ceil(self.batch_size) * self.n_epochs;
        let schedule =
            self.schedule.init(self.learning_rate, steps).map_err(ErrorKind::BadSchedule)?;
        let items = format!("{{\"items_of_class\":{:?}}}", data.class_sizes());
        let configs =
            [(C::FILE, config.to_string()), (SETTINGS, self.to_string()), ("data.json", items)];
        prepare(run, configs)?;
        device.seed(self.seed);
        let model = build(&device.clone().autodiff());
        let train = self.loader(train, device, true);
        let valid = self.loader(valid, device, false);
        let mut training = SupervisedTraining::new(&run.folder, train, valid)
            .metrics((AccuracyMetric::new(), LossMetric::new()))
            .with_default_checkpointers()
            .with_checkpointing_strategy(KeepLastNCheckpoints::new(2))
            .with_application_logger(None)
            .num_epochs(self.n_epochs);
        let states = model.gradient_states();
        for figure in GradientFigure::ALL.into_iter().filter(|_| !states.is_empty()) {
            training = training.metric_train_numeric(GradientMetric::new(figure, states.clone()));
        }
        if !run.dashboard {
            training = training.renderer(event_renderer(on_event));
        }
        if run.resume {
            training = training.checkpoint(last_checkpoint(&run.folder)?);
        }
        let optimizer = AdamWConfig::new().with_weight_decay(self.weight_decay as f32).init();
        let result = training.launch(Learner::new(model, optimizer, schedule));
        if let Some(error) = result.error {
            return Err(ErrorKind::Failed(error.to_string()).into());
        }
        let saved = result.model.clone().save_file(run.folder.join("model.bpk"));
        saved.map_err(|error| ErrorKind::Failed(error.to_string()))?;
        Ok(result.model)
    }

    /// What [`train`](Self::train) checks before it touches anything.
    ///
    /// # Errors
    ///
    /// When a setting is out of range or does not apply to the data.
    pub fn check<D: ClassifierData>(&self, data: &D) -> Result<(), Error> {
        let bad =
            |name, value: String, remedy| Err(ErrorKind::BadConfig { name, value, remedy }.into());
        if self.n_epochs == 0 {
            return bad("n_epochs", "0".into(), "use at least 1");
        }
        if self.batch_size == 0 {
            return bad("batch_size", "0".into(), "use at least 1");
        }
        if self.hold_out < 2 {
            return bad("hold_out", self.hold_out.to_string(), "use 2 or more");
        }
        if self.hold_out > data.len() {
            let (n, hold_out) = (data.len(), self.hold_out);
            return Err(ErrorKind::TooFewItems { n, hold_out }.into());
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            return bad("learning_rate", self.learning_rate.to_string(), "use a number in (0, 1]");
        }
        if self.max_shift > 0 && data.shifting_batcher(self.max_shift, 0).is_none() {
            let remedy = "only images can be moved: use 0";
            return bad("max_shift", self.max_shift.to_string(), remedy);
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return bad("weight_decay", self.weight_decay.to_string(), "use a number from 0 on");
        }
        Ok(())
    }

    /// The items to train on and those that are held out.
    fn split<D: ClassifierData>(&self, data: &D) -> (D, D) {
        let held_out = |i: usize| i % self.hold_out == self.hold_out - 1;
        (data.filter(|i| !held_out(i)), data.filter(held_out))
    }

    fn loader<D: ClassifierData>(
        &self,
        data: D,
        device: &Device,
        train: bool,
    ) -> Arc<dyn DataLoader<D::Batch>> {
        let shifting = if train { data.shifting_batcher(self.max_shift, self.seed) } else { None };
        let batcher = shifting.unwrap_or_else(|| data.batcher());
        // One worker: with more, the order of batches would depend on timing.
        let mut builder = DataLoaderBuilder::new(batcher)
            .batch_size(self.batch_size)
            .num_workers(1)
            .set_device(device.clone());
        if train {
            builder = builder.shuffle(self.seed);
        }
        builder.build(data)
    }
}

const SETTINGS: &str = "training.json";

/// What a run leaves in its folder beside its configurations.
const RESULTS: [&str; 4] = ["checkpoint", "train", "valid", "model.bpk"];

/// Makes the folder and writes or compares the configurations; a run that does not resume starts
/// without the results of another.
fn prepare(run: &Run, configs: [(&str, String); 3]) -> Result<(), Error> {
    let io = |source| ErrorKind::Io { folder: run.folder.clone(), source };
    fs::create_dir_all(&run.folder).map_err(io)?;
    if !run.resume {
        remove_results(&run.folder)?;
    }
    for (name, config) in configs {
        let file = run.folder.join(name);
        if !run.resume {
            fs::write(file, config).map_err(io)?;
            continue;
        }
        match fs::read_to_string(&file) {
            Ok(theirs) if theirs == config => (),
            Ok(_) => return Err(ErrorKind::OtherRun { file }.into()),
            Err(_) => return Err(ErrorKind::NoCheckpoint { folder: run.folder.clone() }.into()),
        }
    }
    Ok(())
}

/// Only where an earlier run has put them: the user may have named a folder of something else.
fn remove_results(folder: &Path) -> Result<(), Error> {
    let there = RESULTS.map(|name| folder.join(name)).into_iter().filter(|path| path.exists());
    for path in there {
        if !folder.join(SETTINGS).is_file() {
            return Err(ErrorKind::NotARun { path }.into());
        }
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|source| ErrorKind::Io { folder: path, source })?;
    }
    Ok(())
}

/// The last epoch of which the folder holds the model, the optimiser and the scheduler, whole.
fn last_checkpoint(folder: &Path) -> Result<usize, Error> {
    let files = fs::read_dir(folder.join("checkpoint")).into_iter().flatten().flatten();
    let mut epochs: Vec<usize> = files
        .filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            name.strip_prefix("model-")?.strip_suffix(".bpk")?.parse().ok()
        })
        .collect();
    epochs.sort_unstable();
    let whole = |epoch: &usize| is_whole(&folder.join("checkpoint"), *epoch);
    let epoch = epochs.into_iter().rev().find(whole);
    Ok(epoch.ok_or_else(|| ErrorKind::NoCheckpoint { folder: folder.into() })?)
}

/// burn-train panics on a file that it cannot read.
fn is_whole(folder: &Path, epoch: usize) -> bool {
    let bytes = |kind: &str| {
        let content = fs::read(folder.join(format!("{kind}-{epoch}.bpk"))).ok()?;
        Some(Bytes::from_bytes_vec(content))
    };
    let whole = || {
        ModuleRecord::from_bytes(bytes("model")?).ok()?;
        OptimizerRecord::from_bytes(bytes("optim")?).ok()?;
        LrSchedulerRecord::from_bytes(bytes("scheduler")?).ok()
    };
    whole().is_some()
}
