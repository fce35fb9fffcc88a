//! Trains a small network on digits whose sampling is done by a device, within a budget:
//!
//!     cargo run --release --features hardware --example hardware -- \
//!         --device process --command "python3 examples/process_bridge.py"
//!     DWAVE_API_TOKEN=... cargo run --release --features hardware --example hardware -- \
//!         --device dwave --endpoint https://na-west-1.cloud.dwavesys.com/sapi/v2/ --max-jobs 50
//!
//!     IONQ_API_KEY=... cargo run --release --features hardware --example hardware -- \
//!         --device ionq --solver simulator --max-jobs 100
//!
//! Without an account, `--example sapi_server` is an endpoint as well.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod annealer;
#[path = "../common/mod.rs"]
mod common;
mod gates;
mod train;

use annealer::Annealer;
use burn_quantum::hardware::Meter;
use burn_quantum::nn::SampleTemperature;
use burn_quantum_datasets::{Digits, ImageDataset};
use burn_quantum_models::{LearningRateSchedule, VisionTransformer, VisionTransformerConfig};
use clap::{Parser, ValueEnum};
use common::Outcome;
use gates::{Gates, Service};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use train::{Network, Training};

/// Trains on UCI's 8x8 digits, with a device in the network: behind annealers a vision transformer whose
/// attention selects by their samples (QAMA; 4 tokens, 1 head), behind gate-model devices two linear layers
/// around QHON's encoding circuit (4 qubits). Few images by default, since devices cost money and time.
#[derive(Parser)]
struct Cli {
    /// The device that samples
    #[arg(long, value_enum)]
    device: Device,
    /// Where the service is [default: at the vendor's, but D-Wave's is needed]. Keys are taken from the
    /// environment: DWAVE_API_TOKEN, IONQ_API_KEY, IQM_TOKEN, IBM_API_KEY and IBM_SERVICE_CRN, or
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    #[arg(long, value_name = "URL", required_if_eq("device", "dwave"))]
    endpoint: Option<String>,
    /// The solver of that service [default for D-Wave: the first that is online]: a backend of IonQ, IBM or
    /// IQM, an ARN of Braket
    #[arg(long, value_name = "NAME", required_if_eq_any([("device", "ionq"), ("device", "ibm"), ("device", "iqm"), ("device", "braket")]))]
    solver: Option<String>,
    /// The region that Braket is asked in
    #[arg(long, value_name = "NAME", default_value = "us-east-1")]
    region: String,
    /// The bucket for Braket's results
    #[arg(long, value_name = "NAME", required_if_eq("device", "braket"))]
    bucket: Option<String>,
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
    /// Samples of each problem, shots of each circuit
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
    /// A gate-model device of IonQ
    Ionq,
    /// A gate-model device of IBM
    Ibm,
    /// A gate-model device at Amazon Braket
    Braket,
    /// A gate-model device of IQM
    Iqm,
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
        (Device::Dwave | Device::Process, ..) | (_, _, Some(_)) => Err(format!(
            "{:?} takes {} alone: leave the other options out",
            cli.device,
            match cli.device {
                Device::Process => "--command",
                Device::Braket => "--endpoint, --solver, --region and --bucket",
                _ => "--endpoint and --solver",
            }
        )
        .into()),
        _ => with_gates(cli, cli.gates(time)?),
    }
}

/// A circuit between linear layers; all circuits of a batch and of its derivatives are one call.
fn with_gates(cli: &Cli, gates: Gates) -> Outcome<()> {
    let device = cli.backend.device()?;
    device.seed(cli.seed);
    let n_shots = usize::from(cli.reads);
    let model = gates.network(n_shots, &device.clone().autodiff());
    println!("device: {}", gates.name());
    println!(
        "network: QHON's encoding circuit on 4 qubits between linear layers, {n_shots} shots a circuit"
    );
    let training = cli.training(gates.meter().clone())?;
    let [train, test] = cli.images()?;
    training.run(model, &device, [&train, &test], &|n, trains| gates.jobs(n, trains))
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
    let jobs = |n_images: usize, _| annealer.jobs(n_images * n_tokens, n_tokens, n_reads);
    println!("device: {}", annealer.name());
    println!(
        "network: a vision transformer with QAMA; an image is {n_tokens} problems of {n_tokens} spins, {n_reads} reads each"
    );
    let training = cli.training(annealer.meter().clone())?;
    std::fs::write(cli.folder()?.join("vit.json"), config.to_string())?;
    let [train, test] = cli.images()?;
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
    fn gates(&self, time: Duration) -> Outcome<Gates> {
        let backend = self.solver.as_deref().unwrap_or_default();
        let service = Service { endpoint: self.endpoint.as_deref(), backend, time };
        match self.device {
            Device::Ionq => service.ionq(),
            Device::Ibm => service.ibm(),
            Device::Iqm => service.iqm(),
            _ => service.braket(&self.region, self.bucket.as_deref().unwrap_or_default()),
        }
    }

    /// Makes the folder of the run.
    fn training(&self, meter: Meter) -> Outcome<Training> {
        let folder = self.folder()?;
        std::fs::create_dir_all(&folder).map_err(|e| format!("`{}`: {e}", folder.display()))?;
        Ok(Training {
            n_epochs: self.epochs,
            batch_size: self.batch_size,
            schedule: LearningRateSchedule::Cosine,
            learning_rate: 5e-3,
            max_jobs: self.max_jobs,
            seed: self.seed,
            meter,
            file: folder.join("model.bpk"),
        })
    }

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
