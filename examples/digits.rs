//! Trains QHON on the embedded 8 by 8 digits. Nothing to download, no flags needed:
//!
//!     cargo run --release --example digits

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod common;

use burn_quantum_datasets::Digits;
use burn_quantum_models::QhonConfig;
use burn_quantum_models::training::TrainingConfig;
use clap::Parser;
use std::process::ExitCode;

/// Trains QHON, or one of its classical comparisons, on UCI's 8x8 digits (embedded).
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    flags: common::Flags,
}

fn main() -> ExitCode {
    let flags = Cli::parse().flags;
    let config = QhonConfig::new([1, 8, 8], 10).with_patch_size(2).with_n_qubits(4);
    let config = config.with_dropout(0.0); // moving the images is regularisation enough
    let training = TrainingConfig::new(60).with_batch_size(32).with_max_shift(1);
    let images = [Digits::train(), Digits::test()];
    match common::run("digits", &flags, config, training, images) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
