//! All integration tests in one binary, because each binary links all of Burn.

mod annealing;
mod attention;
mod bipartite;
mod boltzmann;
mod circuits;
mod common;
mod devices;
mod encoding;
mod evolution;
mod formats;
mod gates;
mod gradients;
#[cfg(feature = "hardware")]
mod hardware;
mod ising;
mod layers;
mod losses;
mod measurement;
mod memories;
mod noise;
mod observables;
mod ops;
mod properties;
mod qama;
mod qama_v1;
mod qasm;
mod qasm_peer;
mod qubo;
mod reference;
mod reference_file;
mod robbins_monro;
mod rook;
mod sampled_layer;
mod selection;
