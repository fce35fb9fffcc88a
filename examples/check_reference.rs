//! How far this library is from the reference values of other simulators:
//!
//!     cargo run --release --example check_reference -- tests/data/*.json
//!
//! The format of the files is described in `tests/data/README.md`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../tests/suite/reference_file.rs"]
mod reference_file;

use clap::Parser;
use reference_file::Reference;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Prints the largest difference to the values in each file. Fails where a circuit differs by more
/// than 1e-10 in double or 1e-4 in single precision, or the order of the annealing is not 2.
#[derive(Parser)]
struct Cli {
    /// Files of reference values
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let mut good = true;
    for file in Cli::parse().files {
        match check(&file) {
            Ok(agrees) => good &= agrees,
            Err(error) => {
                eprintln!("error: {}: {error}", file.display());
                good = false;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(path: &Path) -> Result<bool, Box<dyn Error>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match Reference::parse(&std::fs::read_to_string(path)?)? {
        Reference::Circuit(file) => {
            let (double, single) = (file.errors::<f64>()?, file.errors::<f32>()?);
            let state = file.state_error()?;
            let amplitudes = state.map_or(String::new(), |e| format!(", amplitudes {e:.1e}"));
            println!(
                "{name}: f64 values {:.1e}, gradients {:.1e}{amplitudes}; f32 values {:.1e}, gradients {:.1e}",
                double.values, double.gradients, single.values, single.gradients
            );
            let worst = double.values.max(double.gradients).max(state.unwrap_or(0.0));
            Ok(worst < 1e-10 && single.values.max(single.gradients) < 1e-4)
        }
        Reference::Anneal(file) => {
            let order = file.order(&[100, 200, 400, 800])?;
            for steps in [100, 1000, 4000] {
                let (double, single) = (file.errors::<f64>(steps)?, file.errors::<f32>(steps)?);
                println!(
                    "{name}: {steps:>4} steps: f64 values {:.1e}, gradients {:.1e}; f32 values {:.1e}, gradients {:.1e}",
                    double.values, double.gradients, single.values, single.gradients
                );
            }
            println!("{name}: fitted order {order:.3}");
            Ok((order - 2.0).abs() < 0.05)
        }
    }
}
