//! A server on this machine that answers as it is told.

#![allow(dead_code)] // each test file uses a part of it

use burn_quantum_datasets::Fetcher;
use sha2::Digest;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A response that ends like this is not followed by the end of the connection.
pub const STALL: &[u8] = b"and then nothing";

/// Answers requests with the given responses, one connection each, and records the paths.
pub fn serve(responses: Vec<Vec<u8>>) -> (Fetcher, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mnist", listener.local_addr().unwrap());
    let paths = Arc::new(Mutex::new(Vec::new()));
    let log = paths.clone();
    std::thread::spawn(move || {
        for response in responses {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            log.lock().unwrap().push(request.split(' ').nth(1).unwrap().to_string());
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            stream.write_all(&response).ok();
            if response.ends_with(STALL) {
                std::thread::sleep(Duration::from_secs(2));
            }
        }
    });
    let mut fetcher = Fetcher::new(url);
    fetcher.pause = Duration::from_millis(5);
    fetcher.timeout = Duration::from_secs(5);
    (fetcher, paths)
}

pub fn status(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
}

pub fn ok(body: &[u8], announced: usize) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {announced}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// In lower-case hexadecimal digits.
pub fn sha256(contents: &[u8]) -> String {
    sha2::Sha256::digest(contents).iter().map(|byte| format!("{byte:02x}")).collect()
}
