//! Cuts graphs, and minimises QUBO and Ising files, with the samplers of this crate:
//!
//!     cargo run --release --example max_cut -- G22 --seconds 20 --target 13359
//!     cargo run --release --example max_cut -- bqp500_1.qubo --format qubo --maximise --sampler tabu

#![allow(clippy::print_stdout, clippy::print_stderr)]

use burn_quantum::annealing::{
    Exact, IsingSampler, Limits, ParallelTempering, PathIntegral, Portfolio, Random,
    SchroedingerSampler, SimulatedAnnealing, SimulatedBifurcation, Tabu,
};
use burn_quantum::ising::formats::{Model, bqm, coo, gset, qbsolv};
use burn_quantum::ising::{Ising, MaxCut};
use clap::{Parser, ValueEnum};
use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Looks for the largest cut of a graph, or the lowest energy of a model. The portfolio searches
/// longer and longer; other samplers run in rounds of reads, each with another seed and twice as
/// many sweeps as the one before, up to 32 times.
#[derive(Parser)]
struct Cli {
    /// The graph or model
    file: PathBuf,
    /// What the file holds
    #[arg(long, value_enum, default_value = "gset")]
    format: Format,
    #[arg(long, value_enum, default_value = "portfolio")]
    sampler: Sampler,
    /// The time to spend
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    seconds: f64,
    /// Stop at this cut (of a graph) or objective (of a model)
    #[arg(long, allow_negative_numbers = true)]
    target: Option<f64>,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Reads of a round [default: 4096 of the portfolio, 4 of tabu and tempering, else 128]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    reads: Option<u32>,
    /// Maximise the model of the file: OR-Library's problems are written so
    #[arg(long)]
    maximise: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    Gset,
    Qubo,
    Coo,
    Bqm,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Sampler {
    Portfolio,
    Annealing,
    Tabu,
    Tempering,
    PathIntegral,
    Bifurcation,
    Schroedinger,
    Exact,
    Random,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x > 0.0 && x <= 1e6 => Ok(x),
        _ => Err("use a number of seconds in (0, 1e6]".into()),
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}: {error}", cli.file.display());
            ExitCode::FAILURE
        }
    }
}

/// A model to minimise, and what its energies mean in the file's own terms.
struct Problem {
    model: Ising,
    graph: Option<MaxCut>,
    maximise: bool,
}

impl Problem {
    fn read(cli: &Cli) -> Result<Self, Box<dyn Error>> {
        let reader = BufReader::new(File::open(&cli.file)?);
        let mut graph = None;
        let model = match cli.format {
            Format::Gset => Model::Ising(graph.insert(gset::read(reader)?).to_ising()),
            Format::Qubo => Model::Qubo(qbsolv::read(reader)?),
            Format::Coo => coo::read(reader, None)?,
            Format::Bqm => bqm::read(reader)?.model,
        };
        let maximise = cli.maximise && graph.is_none();
        let model = match maximise {
            true => Model::Qubo(model.to_qubo()?.negated()).to_ising()?,
            false => model.to_ising()?,
        };
        Ok(Self { model, graph, maximise })
    }

    /// The cut, or the objective of the file.
    fn value(&self, energy: f64) -> f64 {
        match &self.graph {
            Some(graph) => graph.cut_of_energy(energy),
            None if self.maximise => -energy,
            None => energy,
        }
    }

    fn name(&self) -> &'static str {
        if self.graph.is_some() { "cut" } else { "objective" }
    }

    /// The energy of a cut or objective.
    fn energy(&self, value: f64) -> f64 {
        match &self.graph {
            // Cuts are linear in energies, and fall with them.
            Some(graph) => {
                let at_zero = graph.cut_of_energy(0.0);
                (at_zero - value) / (at_zero - graph.cut_of_energy(1.0))
            }
            None if self.maximise => -value,
            None => value,
        }
    }

    fn reaches(&self, energy: f64, target: f64) -> bool {
        let value = self.value(energy);
        if self.graph.is_some() || self.maximise { value >= target } else { value <= target }
    }
}

/// The sampler of round `round`, and how often it updates each spin in a read, if it does so.
fn sampler(cli: &Cli, round: u32, limits: Limits) -> (Box<dyn IsingSampler>, Option<usize>) {
    let (seed, longer) = (cli.seed.wrapping_add(round.into()), 1usize << round.min(5));
    match cli.sampler {
        Sampler::Portfolio => {
            (Box::new(Portfolio::default().with_seed(seed).with_limits(limits)), None)
        }
        Sampler::Schroedinger => {
            let sampler = SchroedingerSampler::default().with_time(20.0 * longer as f64);
            (Box::new(sampler.with_seed(seed).with_limits(limits)), None)
        }
        Sampler::Annealing => {
            let sampler = SimulatedAnnealing::default().with_n_sweeps(1000 * longer);
            (Box::new(sampler.with_seed(seed).with_limits(limits)), Some(1000 * longer))
        }
        Sampler::Tabu => (Box::new(Tabu::default().with_seed(seed).with_limits(limits)), None),
        Sampler::Tempering => {
            let sampler = ParallelTempering::default().with_n_sweeps(250 * longer);
            (Box::new(sampler.with_seed(seed).with_limits(limits)), None)
        }
        Sampler::PathIntegral => {
            let sampler = PathIntegral::default().with_n_sweeps(250 * longer);
            (Box::new(sampler.with_seed(seed).with_limits(limits)), None)
        }
        Sampler::Bifurcation => {
            let sampler = SimulatedBifurcation::default().with_n_steps(1000 * longer);
            (Box::new(sampler.with_seed(seed).with_limits(limits)), Some(1000 * longer))
        }
        Sampler::Exact => (Box::new(Exact::default().with_limits(limits)), None),
        Sampler::Random => {
            (Box::new(Random::default().with_seed(seed).with_limits(limits)), Some(1))
        }
    }
}

/// Prints the best value whenever a read improves it.
fn tell(problem: &Problem, start: Instant, limits: Limits) -> Limits {
    let best = Mutex::new(f64::INFINITY);
    let (name, energies) = (problem.name(), [problem.value(0.0), problem.value(1.0)]);
    limits.with_progress(move |progress| {
        let Ok(mut best) = best.lock() else { return };
        if progress.lowest < *best {
            *best = progress.lowest;
            let value = energies[0] + progress.lowest * (energies[1] - energies[0]);
            let (now, read) = (start.elapsed().as_secs_f64(), progress.reads_done);
            println!("{now:8.2} s  read {read:>6}  {name} {value}");
        }
    })
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let problem = Problem::read(cli)?;
    let model = &problem.model;
    println!("{} spins, read in {:.3} s", model.n_spins(), start.elapsed().as_secs_f64());
    let (start, budget) = (Instant::now(), Duration::from_secs_f64(cli.seconds));
    let reads = cli.reads.unwrap_or(match cli.sampler {
        Sampler::Portfolio => 4096,
        Sampler::Tabu | Sampler::Tempering => 4,
        _ => 128,
    });
    let (mut best, mut found, mut updates, mut updating) = (f64::INFINITY, 0.0, 0.0, 0.0);
    for round in 0.. {
        let left = budget.saturating_sub(start.elapsed());
        let mut limits = Limits::default().with_time(left);
        if let Some(target) = cli.target {
            limits = limits.with_target(problem.energy(target));
        }
        if cli.sampler == Sampler::Portfolio {
            limits = tell(&problem, start, limits);
        }
        let (sampler, per_spin) = sampler(cli, round, limits);
        let set = sampler.sample(model, reads as usize)?;
        let now = start.elapsed().as_secs_f64();
        if let Some(sweeps) = per_spin.filter(|_| !set.is_interrupted()) {
            updates += (set.n_reads() * sweeps * model.n_spins()) as f64;
            updating += set.elapsed().as_secs_f64();
        }
        let energy = set.energies().iter().copied().fold(f64::INFINITY, f64::min);
        if energy < best {
            (best, found) = (energy, now);
        }
        let value = problem.value(best);
        println!("{now:8.2} s  round {:>3}  best {} {value}", round + 1, problem.name());
        let reached = cli.target.is_some_and(|target| problem.reaches(best, target));
        if reached || start.elapsed() >= budget || cli.sampler == Sampler::Exact {
            break;
        }
    }
    println!("best energy {best}, {} {}, after {found:.2} s", problem.name(), problem.value(best));
    if let Some(target) = cli.target {
        match problem.reaches(best, target) {
            true => println!("target {target} reached after {found:.2} s"),
            false => println!("target {target} not reached"),
        }
    }
    if updating > 0.0 {
        println!("{:.3e} spin updates/s", updates / updating);
    }
    Ok(())
}
