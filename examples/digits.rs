//! Trains QHON on the embedded 8 by 8 digits. Nothing to download, no flags needed:
//!
//!     cargo run --release --example digits

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod common;

use burn_quantum_datasets::Digits;
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
    let (network, training) = common::digits();
    let images = [Digits::train(), Digits::test()];
    let trained = common::set_up(flags.config.as_deref(), network, training)
        .and_then(|(network, training)| common::run("digits", &flags, network, training, images));
    common::exit(trained)
}
