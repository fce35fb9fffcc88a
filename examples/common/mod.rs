//! What the training examples share: flags, progress, the closing table.

#![allow(dead_code)] // each example uses a part of it

use burn::tensor::Device;
use burn_quantum::gradient::{Alpha, HybridGradient, IsingEstimator};
use burn_quantum::nn::AnnealingSampler;
use burn_quantum_datasets::{Fetcher, ImageDataset, Progress};
use burn_quantum_models::training::{
    Classifier, ClassifierConfig, ClassifierData, EpochReport, Event, Run, Score, TrainingConfig,
};
use burn_quantum_models::{QhonConfig, QhonSetup, Variant};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Each tensor operation allocates its result.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The backend that runs the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// Burn's CPU backend
    Flex,
    /// Burn's older CPU backend (build with --features ndarray)
    Ndarray,
    /// Any GPU through wgpu (build with --features wgpu)
    Wgpu,
    /// NVIDIA GPUs (build with --features cuda)
    Cuda,
}

/// The network to train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// The hybrid network, its quantum part trained
    Qhon,
    /// A perceptron of the same number of parameters in the quantum part's place
    Classical,
    /// The quantum part keeps its random start
    Frozen,
    /// The encoding circuit alone, without annealing and its memory
    NoAnneal,
    /// Neither the quantum nor the classical memory
    NoMemory,
    /// Attention at the scale 1 only
    OneScale,
}

/// What anneals in QHON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sampler {
    /// The Schroedinger equation of a closed system
    Schroedinger,
    /// Heat-bath sweeps at inverse temperature 1
    Gibbs,
    /// Simulated annealing to inverse temperature 1
    SimulatedAnnealing,
    /// Path-integral Monte Carlo at inverse temperature 1
    PathIntegral,
}

/// How gradients pass through samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Gradient {
    /// The unbiased covariance of the samples
    Covariance,
    /// The derivative of the mean field
    MeanField,
    /// Straight through the sign
    StraightThrough,
    /// Covariance and mean field, in the share of the least estimated error
    Adaptive,
}

/// The flags of both training examples.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// How often to see all training images
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Seeds the initial parameters, dropout and the order of the images
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the network runs
    #[arg(long, value_enum, default_value_t = Backend::Flex)]
    pub backend: Backend,
    /// Which network
    #[arg(long, value_enum, default_value_t = Model::Qhon)]
    pub model: Model,
    /// A set-up in YAML or JSON, such as configs/qhon_small.yaml; other flags go before it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What anneals; the annealing steps are the sweeps of a stochastic sampler
    #[arg(long, value_enum, default_value_t = Sampler::Schroedinger)]
    pub sampler: Sampler,
    /// The estimator of the gradient through the samples of a stochastic sampler [default: covariance]
    #[arg(long, value_enum)]
    pub gradient: Option<Gradient>,
    /// Images in a batch
    #[arg(long)]
    pub batch_size: Option<usize>,
    /// The learning rate at the start; it falls to a hundredth along a cosine, if the set-up does not
    /// say otherwise
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Train on the first N images only
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Where to keep checkpoints and the trained network [default: in the cache folder]
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// Go on after the last finished epoch in the run's folder
    #[arg(long)]
    pub resume: bool,
    /// Show burn-train's live dashboard (needs a terminal)
    #[arg(long)]
    pub dashboard: bool,
}

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Prints the error that ended an example.
pub fn exit(outcome: Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Backend {
    #[allow(deprecated)] // Burn deprecates ndarray
    pub fn device(self) -> Outcome<Device> {
        match self {
            #[cfg(feature = "flex")]
            Backend::Flex => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            Backend::Ndarray => Ok(Device::ndarray()),
            #[cfg(feature = "wgpu")]
            Backend::Wgpu => Ok(Device::wgpu(Default::default())),
            #[cfg(feature = "cuda")]
            Backend::Cuda => Ok(Device::cuda(0)),
            #[allow(unreachable_patterns)]
            absent => {
                let name = absent.name();
                Err(format!("this build has no {name}: build with `--features {name}`").into())
            }
        }
    }

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

impl Sampler {
    fn value(self) -> AnnealingSampler {
        let beta = 1.0;
        match self {
            Sampler::Schroedinger => AnnealingSampler::Schroedinger,
            Sampler::Gibbs => AnnealingSampler::Gibbs { beta },
            Sampler::SimulatedAnnealing => AnnealingSampler::SimulatedAnnealing { beta },
            Sampler::PathIntegral => AnnealingSampler::PathIntegral { beta },
        }
    }
}

impl Gradient {
    fn value(self) -> HybridGradient {
        let alone = |classical| HybridGradient { alpha: Alpha::Fixed(1.0), classical };
        let classical = IsingEstimator::MeanField;
        match self {
            Gradient::Covariance => HybridGradient::default(),
            Gradient::MeanField => alone(IsingEstimator::MeanField),
            Gradient::StraightThrough => alone(IsingEstimator::StraightThrough),
            Gradient::Adaptive => {
                HybridGradient { alpha: Alpha::Adaptive { memory: 0.9 }, classical }
            }
        }
    }
}

impl Model {
    pub fn variant(self) -> Variant {
        match self {
            Model::Qhon => Variant::Qhon,
            Model::Classical => Variant::Classical,
            Model::Frozen => Variant::Frozen,
            Model::NoAnneal => Variant::NoAnneal,
            Model::NoMemory => Variant::NoMemory,
            Model::OneScale => Variant::OneScale,
        }
    }
}

/// The network and the training of the example `digits`.
pub fn digits() -> (QhonConfig, TrainingConfig) {
    let network = QhonConfig::new([1, 8, 8], 10).with_patch_size(2).with_n_qubits(6);
    let network = network.with_dropout(0.0); // moving the images is regularisation enough
    (network, TrainingConfig::new(100).with_batch_size(32).with_max_shift(1))
}

/// The network and the training of the example `mnist`.
pub fn mnist() -> (QhonConfig, TrainingConfig) {
    let network = QhonConfig::new([1, 28, 28], 10).with_patch_size(7).with_n_qubits(8);
    (network, TrainingConfig::new(15).with_batch_size(64))
}

/// Network and training by the set-up in `file`, where there is one.
pub fn set_up(
    file: Option<&Path>,
    network: QhonConfig,
    training: TrainingConfig,
) -> Outcome<(QhonConfig, TrainingConfig)> {
    let Some(file) = file else {
        return Ok((network, training));
    };
    let setup = QhonSetup::load(file)?;
    Ok((setup.apply_to_network(network), setup.apply_to_training(training)))
}

/// Refuses patches that do not tile the images.
pub fn check_patches(network: &QhonConfig) -> Outcome<()> {
    let ([_, height, width], side) = (network.image, network.patch_size);
    if height.is_multiple_of(side) && width.is_multiple_of(side) {
        return Ok(());
    }
    Err(format!("the patch size {side} does not divide {height} and {width}").into())
}

/// Trains as the flags say, tests on images never seen, and prints the table.
pub fn run(
    name: &str,
    flags: &Flags,
    config: QhonConfig,
    mut training: TrainingConfig,
    [train, test]: [ImageDataset; 2],
) -> Outcome<()> {
    let device = flags.backend.device()?;
    training.seed = flags.seed;
    training.n_epochs = flags.epochs.unwrap_or(training.n_epochs);
    training.batch_size = flags.batch_size.unwrap_or(training.batch_size);
    training.learning_rate = flags.learning_rate.unwrap_or(training.learning_rate);
    let train = flags.limit.map_or(train.clone(), |n| train.filter(|i| i < n));
    check_patches(&config)?;
    let config = flags.sampling(config)?;
    let config = flags.model.variant().of(&config);
    let run = flags.run(name)?;
    let name_of_model = flags.model.variant().name();
    println!(
        "training {name_of_model} on {} of {name}, {} epochs, run folder {}",
        flags.backend.name(),
        training.n_epochs,
        run.folder.display()
    );
    train_and_test(name_of_model, &config, &training, &device, &run, [train, test])
}

/// Trains, tests on images never seen, and prints the table.
pub fn train_and_test(
    name: &str,
    config: &impl ClassifierConfig<Classifier: Classifier<Data = ImageDataset>>,
    training: &TrainingConfig,
    device: &Device,
    run: &Run,
    [train, test]: [ImageDataset; 2],
) -> Outcome<()> {
    let (model, seconds) = timed_training(config, training, device, run, &train)?;
    report(name, &model, &test, device, seconds);
    Ok(())
}

type DataOf<C> = <<C as ClassifierConfig>::Classifier as Classifier>::Data;

/// The trained network, and how many seconds that took.
pub fn timed_training<C: ClassifierConfig>(
    config: &C,
    training: &TrainingConfig,
    device: &Device,
    run: &Run,
    train: &DataOf<C>,
) -> Outcome<(C::Classifier, f64)> {
    let start = Instant::now();
    let progress = progress(run.dashboard, DataOf::<C>::NOUN);
    let model = training.train(config, device, train, run, progress)?;
    Ok((model, start.elapsed().as_secs_f64()))
}

/// Tests on items never seen, and prints the table.
pub fn report<M: Classifier>(name: &str, model: &M, test: &M::Data, device: &Device, seconds: f64) {
    let score = Score::of(model, test, device);
    println!();
    println!("{:<10} {:>13} {:>11} {:>9}", "model", "test accuracy", "parameters", "time");
    let (percent, parameters) = (score.percent(), model.num_params());
    println!("{name:<10} {percent:>11.2} % {parameters:>11} {seconds:>7.1} s");
    println!();
    println!("test accuracy: {percent:.2} %");
}

/// Fetches files, with a progress bar for each, from `mirror` if there is one.
pub fn download(
    mirror: Option<&String>,
    source: Fetcher,
    fetch: impl FnOnce(&Fetcher, &mut dyn FnMut(Progress)) -> Result<(), burn_quantum_datasets::Error>,
) -> Outcome<()> {
    let base_url = mirror.cloned().unwrap_or(source.base_url.clone());
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}");
    let bar = ProgressBar::no_length().with_style(style?);
    let mut show = |progress: Progress| {
        bar.set_message(progress.name);
        bar.set_length(progress.total.unwrap_or(progress.received));
        bar.set_position(progress.received);
    };
    let result = fetch(&Fetcher { base_url, ..source }, &mut show);
    bar.finish_and_clear();
    result.map_err(|error| {
        let remedy = "name a folder that holds the files with --data-dir, or run the example `digits`, which needs no download";
        format!("{error}\n{remedy}").into()
    })
}

impl Flags {
    fn sampling(&self, config: QhonConfig) -> Outcome<QhonConfig> {
        let config = config.with_sampler(self.sampler.value());
        match self.gradient {
            Some(_) if self.sampler == Sampler::Schroedinger => {
                Err("--gradient belongs to stochastic samplers: add --sampler, or leave it out"
                    .into())
            }
            Some(gradient) => Ok(config.with_gradient(gradient.value())),
            None => Ok(config),
        }
    }

    fn run(&self, name: &str) -> Outcome<Run> {
        let label = format!("{name}-{}-seed{}", self.model.variant().name(), self.seed);
        let folder = match &self.run_dir {
            Some(folder) => folder.clone(),
            None => {
                let cache = dirs::cache_dir().ok_or("no cache folder: give --run-dir")?;
                cache.join("burn-quantum").join("runs").join(label)
            }
        };
        Ok(Run { folder, resume: self.resume, dashboard: self.dashboard })
    }
}

/// A bar while an epoch runs, if standard error is a terminal, and a line when it ends. Under the
/// dashboard, which receives the events instead, no bar is drawn. Epochs of more than a minute are
/// announced after two steps.
pub fn progress(dashboard: bool, noun: &'static str) -> impl FnMut(Event) + Send + Sync + 'static {
    let style =
        format!("epoch {{msg}} {{wide_bar}} {{pos}}/{{len}} {noun}, {{per_sec}}, {{eta}} left");
    let style = ProgressStyle::with_template(&style).unwrap_or(ProgressStyle::default_bar());
    let bar = if dashboard { ProgressBar::hidden() } else { ProgressBar::no_length() };
    let bar = bar.with_style(style);
    bar.enable_steady_tick(Duration::from_millis(500));
    let mut pace = Pace::default();
    move |event| match event {
        Event::Batch { epoch, done, total } => {
            if let Some(line) = pace.announce(done, total, noun) {
                bar.suspend(|| println!("{line}"));
            }
            bar.set_length(total as u64);
            bar.set_message(epoch.to_string());
            bar.set_position(done as u64);
        }
        Event::Epoch(report) => {
            bar.suspend(|| println!("{}", line(&report, noun)));
            bar.reset();
            if report.epoch == report.n_epochs {
                bar.finish_and_clear();
            }
        }
    }
}

/// Measures the second step of the first epoch.
#[derive(Default)]
struct Pace {
    first: Option<(Instant, usize)>,
    announced: bool,
}

impl Pace {
    /// The time of a step and of an epoch, once, if an epoch takes more than a minute.
    fn announce(&mut self, done: usize, total: usize, noun: &str) -> Option<String> {
        let Some((start, before)) = self.first else {
            self.first = Some((Instant::now(), done));
            return None;
        };
        if self.announced || done <= before {
            return None;
        }
        self.announced = true;
        let (step, images) = (start.elapsed().as_secs_f64(), done - before);
        let epoch = step * total as f64 / images as f64 / 60.0;
        (epoch > 1.0).then(|| {
            format!("{step:.2} s for a step of {images} {noun}, about {epoch:.1} min an epoch of {total}")
        })
    }
}

fn line(r: &EpochReport, noun: &str) -> String {
    let line = format!(
        "epoch {:>2}/{}  {:>6.0} {noun}/s  train loss {:.4} accuracy {:>6.2} %  held out loss {:.4} accuracy {:>6.2} %",
        r.epoch,
        r.n_epochs,
        r.images_per_second,
        r.train_loss,
        r.train_accuracy,
        r.valid_loss,
        r.valid_accuracy
    );
    match r.gradient {
        [Some(share), Some(bias), Some(variance)] => format!(
            "{line}  gradient share {share:.3} squared bias {bias:.2e} variance {variance:.2e}"
        ),
        [Some(share), ..] => format!("{line}  gradient share {share:.3}"),
        _ => line,
    }
}
