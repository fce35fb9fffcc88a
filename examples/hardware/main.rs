//! Trains a small network on digits whose sampling is done by a device, within a budget:
//!
//!     cargo run --release --features hardware --example hardware -- \
//!         --device process --command "python3 examples/process_bridge.py"
//!     DWAVE_API_TOKEN=... cargo run --release --features hardware --example hardware -- \
//!         --device dwave --endpoint https://na-west-1.cloud.dwavesys.com/sapi/v2/ --max-jobs 50
//!
//! Without an account, `--example sapi_server` is an endpoint as well.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod annealer;
#[path = "../common/mod.rs"]
mod common;
mod train;

use annealer::Annealer;
use burn_quantum::nn::SampleTemperature;
use burn_quantum_datasets::{Digits, ImageDataset};
use burn_quantum_models::{LearningRateSchedule, VisionTransformer, VisionTransformerConfig};
use clap::{Parser, ValueEnum};
use common::Outcome;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use train::{Network, Training};

/// Trains a vision transformer whose attention selects by samples of a device (QAMA; 4 tokens, 1 head)
/// on UCI's 8x8 digits. Few images by default, since devices cost money and time.
#[derive(Parser)]
struct Cli {
    /// The device that samples
    #[arg(long, value_enum)]
    device: Device,
    /// Where D-Wave's Solver API is; the token is taken from the environment variable
    /// DWAVE_API_TOKEN
    #[arg(long, value_name = "URL", required_if_eq("device", "dwave"))]
    endpoint: Option<String>,
    /// The solver of that service [default: the first that is online]
    #[arg(long, value_name = "NAME")]
    solver: Option<String>,
    /// The program that speaks for a device, run by the shell
    #[arg(long, value_name = "COMMAND", required_if_eq("device", "process"))]
    command: Option<String>,
    /// How long the device may take for a job, in seconds
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// Stop in time: the training ends when what is left is needed for the test [default: no limit]
    #[arg(long, value_name = "N")]
    max_jobs: Option<usize>,
    /// Train on so many images
    #[arg(long, value_name = "N", default_value_t = 240)]
    train: usize,
    /// Test on so many other images
    #[arg(long, value_name = "N", default_value_t = 120)]
    test: usize,
    /// How often to see the training images
    #[arg(long, default_value_t = 8)]
    epochs: usize,
    /// Images in a batch
    #[arg(long, default_value_t = 40)]
    batch_size: usize,
    /// Samples of each problem
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(2..))]
    reads: u16,
    /// Seeds the initial parameters and the order of the images, but no device
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the network runs, less its sampling
    #[arg(long, value_enum, default_value_t = common::Backend::Flex)]
    backend: common::Backend,
    /// Where to keep the trained network [default: in the cache folder]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Device {
    /// An annealer of D-Wave, or what speaks D-Wave's Solver API
    Dwave,
    /// Any device behind a program (hardware::ProcessDevice)
    Process,
}

fn main() -> ExitCode {
    common::exit(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Outcome<()> {
    let time = Duration::from_secs(cli.timeout);
    match (cli.device, &cli.endpoint, &cli.command) {
        (Device::Dwave, Some(endpoint), None) => {
            with_annealer(cli, Annealer::dwave(endpoint, cli.solver.as_deref(), time)?)
        }
        (Device::Process, None, Some(command)) if cli.solver.is_none() => {
            with_annealer(cli, Annealer::process(command, time)?)
        }
        (device, ..) => Err(format!(
            "{device:?} takes {} alone: leave the other options out",
            match device {
                Device::Dwave => "--endpoint and --solver",
                Device::Process => "--command",
            }
        )
        .into()),
    }
}

/// QAMA, of which each batch of images is one batch of Ising models.
fn with_annealer(cli: &Cli, annealer: Annealer) -> Outcome<()> {
    let device = cli.backend.device()?;
    device.seed(cli.seed);
    let config = VisionTransformerConfig::new([1, 8, 8], 10)
        .with_patch_size(4)
        .with_d_model(32)
        .with_n_heads(1)
        .with_d_hidden(64);
    let n_reads = usize::from(cli.reads);
    let beta = SampleTemperature::Estimated;
    let model =
        config.init_with_sampler(&device.clone().autodiff(), annealer.sampler(), beta, n_reads);
    let n_tokens = config.n_tokens();
    let jobs = |n_images: usize| annealer.jobs(n_images * n_tokens, n_tokens, n_reads);
    println!("device: {}", annealer.name());
    println!(
        "network: a vision transformer with QAMA; an image is {n_tokens} problems of {n_tokens} spins, {n_reads} reads each"
    );
    let folder = cli.folder()?;
    std::fs::create_dir_all(&folder).map_err(|e| format!("`{}`: {e}", folder.display()))?;
    std::fs::write(folder.join("vit.json"), config.to_string())?;
    let [train, test] = cli.images()?;
    let training = Training {
        n_epochs: cli.epochs,
        batch_size: cli.batch_size,
        schedule: LearningRateSchedule::Cosine,
        learning_rate: 5e-3,
        max_jobs: cli.max_jobs,
        seed: cli.seed,
        meter: annealer.meter().clone(),
        file: folder.join("model.bpk"),
    };
    training.run(model, &device, [&train, &test], &jobs)
}

impl Network for VisionTransformer {
    fn try_logits(
        &self,
        images: burn::tensor::Tensor<4>,
    ) -> Result<burn::tensor::Tensor<2>, burn_quantum::Error> {
        self.try_forward(images)
    }
}

impl Cli {
    /// As many as asked for of both sets.
    fn images(&self) -> Outcome<[ImageDataset; 2]> {
        let few = |what: &str, n: usize, images: ImageDataset| {
            use burn::data::dataset::Dataset;
            match (1..=images.len()).contains(&n) {
                true => Ok(images.filter(|i| i < n)),
                false => Err(format!("--{what} is {n}: use 1 to {}", images.len())),
            }
        };
        Ok([few("train", self.train, Digits::train())?, few("test", self.test, Digits::test())?])
    }

    fn folder(&self) -> Outcome<PathBuf> {
        match &self.run_dir {
            Some(folder) => Ok(folder.clone()),
            None => {
                let cache = dirs::cache_dir().ok_or("no cache folder: give --run-dir")?;
                let device = format!("{:?}", self.device).to_lowercase();
                let label = format!("hardware-{device}-seed{}", self.seed);
                Ok(cache.join("burn-quantum").join("runs").join(label))
            }
        }
    }
}
