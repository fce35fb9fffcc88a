//! Lends a sampler of this crate to programs of D-Wave's Ocean, as a solver of their own:
//!
//!     cargo run --release --features hardware --example sapi_server -- --port 8745 --sampler annealing
//!     DWAVE_API_ENDPOINT=http://127.0.0.1:8745/sapi/v2/ DWAVE_API_TOKEN=any python my_ocean_program.py

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "common/http.rs"]
mod http;

use burn_quantum::annealing::{
    Cancellation, GibbsSampler, IsingSampler, ParallelTempering, PathIntegral, Random,
    SimulatedAnnealing, SimulatedBifurcation, Tabu,
};
use burn_quantum::hardware::sapi::Server;
use burn_quantum::hardware::{Token, Topology};
use clap::{Parser, ValueEnum};
use std::error::Error;
use std::io::{BufReader, ErrorKind};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// A server of D-Wave's Solver API, version 3, with one solver. Its token, if it shall ask for one,
/// is taken from the environment variable SAPI_SERVER_TOKEN.
#[derive(Parser)]
struct Cli {
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The address to listen at. Others than this machine see all problems, as there is no TLS
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    #[arg(long, value_enum, default_value = "annealing")]
    sampler: Sampler,
    /// The chip that the solver claims to be
    #[arg(long, value_enum, default_value = "pegasus")]
    topology: Family,
    /// Its size: Advantage is Pegasus 16, Advantage2 Zephyr 12 [default: 16, of Zephyr 12]
    #[arg(long)]
    size: Option<u32>,
    /// The name of the solver
    #[arg(long, default_value = "burn-quantum")]
    name: String,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads that solve problems
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    workers: u8,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sampler {
    Annealing,
    Tabu,
    Tempering,
    PathIntegral,
    Bifurcation,
    Gibbs,
    Random,
}

#[derive(Clone, Copy, ValueEnum)]
enum Family {
    Chimera,
    Pegasus,
    Zephyr,
}

fn sampler(cli: &Cli) -> Arc<dyn IsingSampler> {
    match cli.sampler {
        Sampler::Annealing => Arc::new(SimulatedAnnealing::default().with_seed(cli.seed)),
        Sampler::Tabu => Arc::new(Tabu::default().with_seed(cli.seed)),
        Sampler::Tempering => Arc::new(ParallelTempering::default().with_seed(cli.seed)),
        Sampler::PathIntegral => Arc::new(PathIntegral::default().with_seed(cli.seed)),
        Sampler::Bifurcation => Arc::new(SimulatedBifurcation::default().with_seed(cli.seed)),
        Sampler::Gibbs => Arc::new(GibbsSampler::new(1.0).with_seed(cli.seed)),
        Sampler::Random => Arc::new(Random::default().with_seed(cli.seed)),
    }
}

fn server(cli: &Cli) -> Result<Server, burn_quantum::Error> {
    let topology = match cli.topology {
        Family::Chimera => Topology::chimera(cli.size.unwrap_or(16))?,
        Family::Pegasus => Topology::pegasus(cli.size.unwrap_or(16))?,
        Family::Zephyr => Topology::zephyr(cli.size.unwrap_or(12))?,
    };
    let server = Server::new(&cli.name, topology, sampler(cli))?.with_queue();
    match std::env::var_os("SAPI_SERVER_TOKEN") {
        None => Ok(server),
        Some(_) => Ok(server.with_token(Token::from_env("SAPI_SERVER_TOKEN")?)),
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    let server = server(cli)?;
    let listener = TcpListener::bind((cli.host, cli.port))
        .map_err(|error| format!("{} port {}: {error}", cli.host, cli.port))?;
    println!("endpoint http://{}/sapi/v2/", listener.local_addr()?);
    let forever = Cancellation::default();
    std::thread::scope(|scope| {
        for _ in 0..cli.workers {
            scope.spawn(|| server.work(&forever));
        }
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => {
                    scope.spawn(|| connection(&server, stream));
                }
                Err(error) => eprintln!("a connection failed: {error}"),
            }
        }
    });
    Ok(())
}

/// Answers the requests of a connection until it is closed, or idle for a minute.
fn connection(server: &Server, stream: TcpStream) {
    let answered = || -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.set_write_timeout(Some(Duration::from_secs(60)))?;
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = (BufReader::new(&stream), &stream);
        while let Some(request) = http::read(&mut reader)? {
            http::write(&mut writer, &server.respond(&request))?;
        }
        Ok(())
    };
    if let Err(error) = answered() {
        let is_idle = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        let is_gone = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        if !is_idle && !is_gone {
            eprintln!("a connection broke: {error}");
        }
    }
}
