//! What each part of QHON contributes: trains the network, its classical twin and its variants over
//! several seeds, and compares them.
//!
//!     cargo run --release --example ablation -- --dataset digits --seeds 5

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;
mod plot;
mod study;

use burn_quantum_datasets::{Digits, ImageDataset, Mnist};
use burn_quantum_models::QhonConfig;
use burn_quantum_models::training::TrainingConfig;
use clap::{Parser, ValueEnum};
use common::{Backend, Model, Outcome};
use std::path::PathBuf;
use std::process::ExitCode;
use study::Study;

/// Trains QHON and its variants over several seeds and compares their test accuracies: mean, standard
/// deviation, 95 % confidence interval, and a paired t test against the classical twin.
#[derive(Parser)]
struct Cli {
    /// The images
    #[arg(long, value_enum, default_value_t = Dataset::Digits)]
    dataset: Dataset,
    /// How many seeds, from 1 on
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Which networks
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Model::value_variants().to_vec())]
    variants: Vec<Model>,
    /// A set-up in YAML or JSON; other flags go before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How often to see all training images
    #[arg(long)]
    epochs: Option<usize>,
    /// Train on the first N images only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// The folder of MNIST's four idx files [default: the cache folder, see the example mnist]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the results go; finished runs found there are not repeated [default: in the cache folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where the networks run
    #[arg(long, value_enum, default_value_t = Backend::Flex)]
    backend: Backend,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dataset {
    /// UCI's 8x8 digits (embedded)
    Digits,
    /// MNIST
    Mnist,
}

fn main() -> ExitCode {
    common::exit(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Outcome<()> {
    let (network, training) = cli.dataset.defaults();
    let (network, mut training) = common::set_up(cli.config.as_deref(), network, training)?;
    common::check_patches(&network)?;
    training.n_epochs = cli.epochs.unwrap_or(training.n_epochs);
    let [train, test] = cli.images()?;
    let train = cli.limit.map_or(train.clone(), |n| train.filter(|i| i < n));

    let out = cli.out()?;
    let device = cli.backend.device()?;
    let mut study = Study::open(&out, cli.dataset.name(), &network, &training, cli.limit)?;
    for seed in 1..=cli.seeds {
        for model in &cli.variants {
            study.run(model.variant(), seed, &device, &train, &test)?;
        }
    }
    let report = study.report();
    println!("\n{report}");
    study.write_csv()?;
    plot::accuracies(&out.join("accuracies.png"), &study)?;
    println!("runs.json, runs.csv and accuracies.png are in {}", out.display());
    Ok(())
}

impl Dataset {
    fn name(self) -> &'static str {
        match self {
            Dataset::Digits => "digits",
            Dataset::Mnist => "mnist",
        }
    }

    /// The settings of the examples `digits` and `mnist`.
    fn defaults(self) -> (QhonConfig, TrainingConfig) {
        match self {
            Dataset::Digits => common::digits(),
            Dataset::Mnist => common::mnist(),
        }
    }
}

impl Cli {
    fn images(&self) -> Outcome<[ImageDataset; 2]> {
        match self.dataset {
            Dataset::Digits => Ok([Digits::train(), Digits::test()]),
            Dataset::Mnist => {
                let cached = || Mnist::cache_folder();
                let folder = self.data_dir.clone().map_or_else(cached, Ok)?;
                Ok([Mnist::train(&folder)?, Mnist::test(&folder)?])
            }
        }
    }

    fn out(&self) -> Outcome<PathBuf> {
        match &self.out {
            Some(out) => Ok(out.clone()),
            None => {
                let cache = dirs::cache_dir().ok_or("no cache folder: give --out")?;
                let folder = format!("ablation-{}", self.dataset.name());
                Ok(cache.join("burn-quantum").join(folder))
            }
        }
    }
}
