//! All integration tests in one binary, because each binary links all of Burn.

mod circuits;
mod common;
mod evolution;
mod gates;
mod reference;
