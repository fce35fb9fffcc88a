//! Trains QHON on MNIST:
//!
//!     cargo run --release --example mnist -- --data-dir DIR --seed 1

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod common;

use burn_quantum_datasets::{Fetcher, ImageDataset, Mnist};
use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// Trains QHON, or one of its classical comparisons, on MNIST.
#[derive(Parser)]
struct Cli {
    /// The folder of the four idx files, plain or gz [default: the cache folder, filled by a
    /// download]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The address to download from, if the cache folder is empty
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    mirror: Option<String>,
    /// The side of the square patches; it must divide 28 [default: 7]
    #[arg(long)]
    patch_size: Option<usize>,
    /// The number of qubits that encode a patch [default: 8]
    #[arg(long)]
    n_qubits: Option<usize>,
    #[command(flatten)]
    flags: common::Flags,
}

fn main() -> ExitCode {
    common::exit(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    let (config, training) = common::mnist();
    let (mut config, training) = common::set_up(cli.flags.config.as_deref(), config, training)?;
    config.patch_size = cli.patch_size.unwrap_or(config.patch_size);
    config.n_qubits = cli.n_qubits.unwrap_or(config.n_qubits);
    if config.patch_size == 0 || 28 % config.patch_size != 0 {
        return Err(format!("--patch-size {} does not divide 28", config.patch_size).into());
    }
    if !(1..=26).contains(&config.n_qubits) {
        return Err(format!("--n-qubits {}: use 1 to 26", config.n_qubits).into());
    }
    let images = load(cli)?;
    common::run("mnist", &cli.flags, config, training, images)
}

fn load(cli: &Cli) -> Result<[ImageDataset; 2], Box<dyn Error>> {
    let folder = match &cli.data_dir {
        Some(folder) => folder.clone(),
        None => {
            let folder = Mnist::cache_folder()?;
            common::download(cli.mirror.as_ref(), Fetcher::mnist(), |fetcher, show| {
                Mnist::fetch(fetcher, &folder, show)
            })?;
            folder
        }
    };
    Ok([Mnist::train(&folder)?, Mnist::test(&folder)?])
}
