//! All integration tests in one binary, because each binary links all of Burn.

mod attention;
mod circuits;
mod common;
mod devices;
mod evolution;
mod gates;
mod layers;
mod ops;
mod qasm;
mod qasm_peer;
mod reference;
mod reference_file;
