//! The hardware hook, on loopback.

#[path = "../../../examples/common/http.rs"]
mod http;
mod loopback;
mod transport;
