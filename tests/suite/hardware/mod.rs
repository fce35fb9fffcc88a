//! The hardware hook, on loopback.

mod client;
mod dwave;
mod faults;
mod gate_model;
mod gate_peer;
#[path = "../../../examples/common/http.rs"]
mod http;
mod int8;
mod loopback;
mod meter;
mod peer;
#[cfg(unix)]
mod process;
mod tls;
mod trained;
mod transport;

use burn_quantum::annealing::{IsingSampler, SimulatedAnnealing};
use burn_quantum::hardware::sapi::{Client, Server};
use burn_quantum::hardware::{DWave, Retry, Token, Topology, Transport};
use std::sync::Arc;
use std::time::Duration;

fn client(url: &str) -> Client {
    let delays = (Duration::from_millis(1), Duration::from_secs(3));
    let patience = Retry::default().with_max_attempts(3).with_delays(delays.0, delays.1);
    Client::new(url, Token::new("DEV-c0ffee").unwrap()).unwrap().with_retry(patience)
}

/// A server without a port.
fn server(topology: Topology, sampler: impl IsingSampler + 'static) -> Server {
    Server::new("local", topology, Arc::new(sampler)).unwrap()
}

fn annealer() -> SimulatedAnnealing {
    SimulatedAnnealing::default().with_n_sweeps(100).with_seed(3)
}

/// The device of a service in this very program.
fn device(transport: impl Transport + 'static) -> DWave {
    let client = client("http://localhost/sapi/v2/").with_transport(Arc::new(transport));
    let solver = client.solver("local").unwrap();
    DWave::new(client, solver)
}
