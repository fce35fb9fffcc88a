//! Our client against a server of another hand, and our embeddings before D-Wave's own checker.
//!
//! Ignored, because it needs a Python with `.ci/sapi_requirements.txt`, named by the variable
//! `SAPI_PEER_PYTHON`; `.ci/run` makes one, and there runs `sapi_peer.py server` as well.

use super::client;
use burn_quantum::annealing::{Exact, IsingSampler, SampleSet, check_conformance};
use burn_quantum::hardware::{AnswerMode, DWave, Topology, WorkingGraph, cliques, largest_clique};
use burn_quantum::ising::Ising;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

fn python(script: &str) -> Command {
    let python = env::var("SAPI_PEER_PYTHON");
    let python = python.expect("SAPI_PEER_PYTHON names a Python with dwave-system");
    let mut command = Command::new(python);
    command.arg(format!("{}/tests/{script}", env!("CARGO_MANIFEST_DIR")));
    command
}

/// The server of `sapi_mock.py`, which D-Wave's own client accepts.
struct Mock(Child, String);

impl Mock {
    fn new(topology: &str) -> Self {
        let arguments = ["--topology", topology, "--latency", "0.02", "--token", "DEV-c0ffee"];
        let mut child =
            python("sapi_mock.py").args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("endpoint ").unwrap().to_owned();
        Self(child, url)
    }

    fn device(&self) -> DWave {
        let client = client(&self.1);
        let solver = client.find_solver(|solver| solver.takes("annealing_time")).unwrap();
        DWave::new(client, solver)
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn all_pairs(n: usize, seed: u64) -> Ising {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut draw = || rng.random_range(-1.0..1.0);
    let fields = (0..n).map(|_| draw()).collect();
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let couplings: Vec<_> = pairs.map(|(i, j)| (i, j, draw())).collect();
    Ising::sparse(fields, couplings, 0.0).unwrap()
}

fn best(set: &SampleSet) -> f64 {
    set.first().unwrap().energy
}

#[test]
#[ignore = "needs Python, see the head of this file"]
fn sapi_peer_our_client_solves_on_the_server_of_another_hand() {
    for topology in ["chimera:2", "pegasus:2", "zephyr:2"] {
        let mock = Mock::new(topology);
        let device = mock.device().with_parameter("annealing_time", 5.0).unwrap();
        for mode in [AnswerMode::Histogram, AnswerMode::Raw] {
            for transforms in [0, 2] {
                let device = device.clone().with_answer_mode(mode);
                let device = device.with_spin_reversal_transforms(transforms);
                let model = all_pairs(6, 3);
                let ground = best(&Exact::default().sample(&model, 1).unwrap());
                let (set, report) = device.sample_reported(&model, 40).unwrap();
                assert_eq!((set.n_reads(), report.jobs.len()), (40, transforms.max(1)));
                assert!((best(&set) - ground).abs() < 1e-9, "{topology}: {} {ground}", best(&set));
                assert!(report.qpu_access_time.unwrap().as_micros() > 14_000);
            }
        }
    }
    check_conformance(&Mock::new("chimera:3").device()).unwrap();
    let error = Mock::new("chimera:2").device().sample(&all_pairs(4, 1), 0).unwrap_err();
    assert!(error.is_invalid_value(), "{error}");
}

/// An embedding of a complete graph, in what works of a chip of which this share does not.
fn case(topology: Topology, n: Option<usize>, defects: f64) -> Value {
    let ideal = WorkingGraph::ideal(topology);
    let mut rng = StdRng::seed_from_u64(1);
    let mut works = || rng.random_range(0.0..1.0) >= defects;
    let qubits: Vec<u32> = ideal.qubits().iter().copied().filter(|_| works()).collect();
    let couplers = ideal.couplers().iter().copied();
    let couplers = couplers.filter(|pair| works() && pair.iter().all(|q| qubits.contains(q)));
    let couplers: Vec<[u32; 2]> = couplers.collect();
    let graph = WorkingGraph::new(ideal.n_labels(), qubits, couplers).unwrap();
    let n = n.unwrap_or_else(|| largest_clique(topology, &graph));
    let found = cliques(topology, &graph, n, 1);
    json!({"topology": topology, "qubits": graph.qubits(), "couplers": graph.couplers(),
        "chains": found[0].chains()})
}

#[test]
#[ignore = "needs Python, see the head of this file"]
fn sapi_peer_d_wave_verifies_our_embeddings() {
    let mut cases = Vec::new();
    for topology in [Topology::chimera(8), Topology::pegasus(8), Topology::zephyr(6)] {
        for n in [Some(4), Some(11), Some(24), None] {
            cases.extend([0.0, 0.005].map(|defects| case(topology.clone().unwrap(), n, defects)));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("embeddings.json");
    fs::write(&path, serde_json::to_string(&cases).unwrap()).unwrap();
    let output = python("sapi_peer.py").arg("embeddings").arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("24 embeddings verified"), "{output:?}");
}
