//! Learning-rate schedules compared: Robbins and Monro's against a constant rate and a cosine, on a
//! convex problem with a known minimum and on digits.
//!
//!     cargo run --release --example convergence -- --seeds 3

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod common;

use burn::tensor::Device;
use burn_quantum_datasets::Digits;
use burn_quantum_models::LearningRateSchedule;
use burn_quantum_models::statistics::Summary;
use burn_quantum_models::training::{Event, Run, Score};
use clap::Parser;
use common::Outcome;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// Compares learning-rate schedules on a convex problem with a known minimum and on digits.
#[derive(Parser)]
struct Cli {
    /// The number of steps on the convex problem: the cosine's length, and where the tables end
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..))]
    steps: u64,
    /// The number of runs on the convex problem
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..))]
    chains: u64,
    /// The number of seeds on digits; 0 leaves digits out
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// The number of epochs on digits
    #[arg(long, default_value_t = 20)]
    epochs: usize,
    /// Where the runs on digits keep their checkpoints [default: in the cache folder]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match convex(&cli).and_then(|()| if cli.seeds > 0 { digits(&cli) } else { Ok(()) }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn name(schedule: LearningRateSchedule) -> String {
    match schedule {
        LearningRateSchedule::Constant => "constant".into(),
        LearningRateSchedule::Cosine => "cosine to 1/100".into(),
        LearningRateSchedule::RobbinsMonro { tau, power } => {
            format!("Robbins-Monro, p = {power}, tau = {tau}")
        }
    }
}

fn schedules(tau: f64) -> [LearningRateSchedule; 5] {
    let decay = |power| LearningRateSchedule::RobbinsMonro { tau, power };
    [
        LearningRateSchedule::Constant,
        LearningRateSchedule::Cosine,
        decay(0.6),
        decay(0.75),
        decay(1.0),
    ]
}

const DIMENSIONS: usize = 10;
const INITIAL_RATE: f64 = 0.5;

/// The curvature in direction `i`, from 0.1 to 1.
fn curvature(i: usize) -> f64 {
    0.1 + 0.9 * i as f64 / (DIMENSIONS - 1) as f64
}

/// `f(x) - f* = 1/2 sum_i lambda_i x_i^2`.
fn excess(x: &[f64]) -> f64 {
    x.iter().enumerate().map(|(i, x)| 0.5 * curvature(i) * x * x).sum()
}

/// Stochastic gradient descent from `(1, ..., 1)`, each component of the gradient with noise of
/// variance 1. Returns the excess at the given steps.
fn descend(schedule: LearningRateSchedule, at: &[u64], seed: u64) -> Outcome<Vec<f64>> {
    let last = at.last().copied().unwrap_or(0);
    let mut scheduler = schedule.init(INITIAL_RATE, last as usize)?;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut x = [1.0; DIMENSIONS];
    let mut excesses = Vec::new();
    for t in 1..=last {
        let rate = scheduler.step().base();
        for (i, x) in x.iter_mut().enumerate() {
            let noise = rng.random_range(-1.0..1.0) * 3f64.sqrt();
            *x -= rate * (curvature(i) * *x + noise);
        }
        if at.contains(&t) {
            excesses.push(excess(&x));
        }
    }
    Ok(excesses)
}

/// Powers of ten from 100 to `steps`.
fn checkpoints(steps: u64) -> Vec<u64> {
    std::iter::successors(Some(100), |t| Some(t * 10)).take_while(|&t| t <= steps).collect()
}

fn convex(cli: &Cli) -> Outcome<()> {
    let at = checkpoints(cli.steps);
    println!(
        "f = 1/2 sum lambda x^2 in {DIMENSIONS} dimensions, lambda from 0.1 to 1, noise of variance 1 on \
         each component of the gradient, first rate {INITIAL_RATE}: mean of f - f* over {} runs",
        cli.chains
    );
    print!("{:<36}", "steps");
    at.iter().for_each(|t| print!("{t:>11}"));
    println!("   last slope");
    for schedule in schedules(20.0) {
        let mut means = vec![0.0; at.len()];
        for seed in 0..cli.chains {
            for (mean, excess) in means.iter_mut().zip(descend(schedule, &at, seed)?) {
                *mean += excess / cli.chains as f64;
            }
        }
        print!("{:<36}", name(schedule));
        means.iter().for_each(|mean| print!("{mean:>11.2e}"));
        match means.as_slice() {
            [.., before, last] => println!("{:>13.2}", (last / before).log10()),
            _ => println!("{:>13}", "-"),
        }
    }
    Ok(())
}

fn digits(cli: &Cli) -> Outcome<()> {
    println!("\nQHON on digits, {} epochs, {} seeds", cli.epochs, cli.seeds);
    println!("{:<36} {:>12} {:>20}", "schedule", "train loss", "test accuracy, %");
    let steps_per_epoch = 42.0;
    for schedule in schedules(5.0 * steps_per_epoch) {
        let (mut losses, mut accuracies) = (Vec::new(), Vec::new());
        for seed in 1..=cli.seeds {
            let (loss, accuracy) = train(cli, schedule, seed)?;
            losses.push(loss);
            accuracies.push(accuracy);
        }
        let (Some(loss), Some(accuracy)) = (Summary::of(&losses), Summary::of(&accuracies)) else {
            continue;
        };
        let deviation = accuracy.standard_deviation.map_or("-".into(), |sd| format!("{sd:.2}"));
        let accuracy = format!("{:.2} +- {deviation}", accuracy.mean);
        println!("{:<36} {:>12.4} {accuracy:>20}", name(schedule), loss.mean);
    }
    Ok(())
}

/// The training loss of the last epoch and the test accuracy.
fn train(cli: &Cli, schedule: LearningRateSchedule, seed: u64) -> Outcome<(f64, f64)> {
    let (network, training) = common::digits();
    let mut training = training.with_schedule(schedule).with_seed(seed);
    training.n_epochs = cli.epochs;
    let folder = match &cli.run_dir {
        Some(folder) => folder.clone(),
        None => {
            let cache = dirs::cache_dir().ok_or("no cache folder: give --run-dir")?;
            cache.join("burn-quantum").join("runs").join("convergence")
        }
    };
    let loss = Arc::new(Mutex::new(f64::NAN));
    let last = loss.clone();
    let on_event = move |event| {
        if let Event::Epoch(report) = event {
            *last.lock().expect("nothing panics with the lock") = report.train_loss;
        }
    };
    let run = Run { folder, resume: false, dashboard: false };
    let device = Device::flex();
    let model = training.train(&network, &device, &Digits::train(), &run, on_event)?;
    let loss = *loss.lock().expect("nothing panics with the lock");
    Ok((loss, Score::of(&model, &Digits::test(), &device).percent()))
}
