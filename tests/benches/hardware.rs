//! The way to D-Wave's machines without the machine: encoding, embedding, and small problems through
//! a port of this machine.
//!
//!     RAYON_NUM_THREADS=1 taskset -c 0 cargo bench --features hardware --bench hardware
//!
//! The port's server anneals 10 reads of 20 sweeps in place of the machine; client and server share
//! the core.

#[path = "../../examples/common/http.rs"]
mod http;

use burn_quantum::annealing::{IsingSampler, SimulatedAnnealing};
use burn_quantum::hardware::sapi::{Client, Coefficients, ProblemData, Server};
use burn_quantum::hardware::{DWave, Token, Topology, WorkingGraph, cliques};
use burn_quantum::ising::BatchedIsing;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

fn encode(c: &mut Criterion) {
    let graph = WorkingGraph::ideal(Topology::pegasus(16).unwrap());
    let mut problem = Coefficients::inactive(&graph);
    problem.linear[..5000].fill(0.5);
    problem.quadratic.fill(-0.25);
    c.bench_function("sapi/encode/5000 qubits", |b| {
        b.iter(|| ProblemData::encode(&graph, &problem));
    });
}

fn embed(c: &mut Criterion) {
    let mut group = c.benchmark_group("embedding/clique");
    group.sample_size(10);
    let chips = [("P16", Topology::pegasus(16)), ("Z12", Topology::zephyr(12))];
    for (name, topology) in chips.map(|(name, topology)| (name, topology.unwrap())) {
        let graph = WorkingGraph::ideal(topology);
        for n in [16, 32, 64] {
            group.bench_function(BenchmarkId::new(name, n), |b| {
                b.iter(|| assert_eq!(cliques(topology, &graph, n, 1).len(), 1));
            });
        }
        group.bench_function(BenchmarkId::new(name, "all tiles of 8"), |b| {
            b.iter(|| assert!(cliques(topology, &graph, 8, usize::MAX).len() > 100));
        });
    }
    group.finish();
}

/// A server on a port, for the rest of the program.
fn port(topology: Topology) -> String {
    let sampler = SimulatedAnnealing::default().with_n_sweeps(20);
    let server = Arc::new(Server::new("bench", topology, Arc::new(sampler)).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let server = server.clone();
            std::thread::spawn(move || answer(&server, &stream));
        }
    });
    url
}

fn answer(server: &Server, mut stream: &TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = http::read(&mut reader) {
        http::write(&mut stream, &server.respond(&request)).unwrap();
    }
}

fn problems(c: &mut Criterion) {
    let mut group = c.benchmark_group("sapi/small problems");
    group.sample_size(10);
    let mut rng = StdRng::seed_from_u64(1);
    let (p, n) = (400, 8);
    let h: Vec<f32> = (0..p * n).map(|_| rng.random_range(-1.0..1.0)).collect();
    let j: Vec<f32> = (0..p * n * n).map(|_| rng.random_range(-1.0..1.0)).collect();
    let models = BatchedIsing::new(p, n, h, j).unwrap();
    for (name, topology) in [("P2", Topology::pegasus(2)), ("P16", Topology::pegasus(16))] {
        let client = Client::new(&port(topology.unwrap()), Token::new("any").unwrap()).unwrap();
        let solver = client.solver("bench").unwrap();
        let device = DWave::new(client, solver);
        group.throughput(Throughput::Elements(p as u64));
        group.bench_function(BenchmarkId::new("8 spins, 10 reads", name), |b| {
            b.iter(|| assert_eq!(device.sample_batch(&models, 10).unwrap().n_problems(), p));
        });
    }
    group.finish();
}

criterion_group!(benches, encode, embed, problems);
criterion_main!(benches);
