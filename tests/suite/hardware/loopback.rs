//! A service on a port of this machine that can be told to misbehave.

use super::http;
use burn_quantum::hardware::{Request, Response};
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the service does with a request.
pub enum Act {
    Answer(Response),
    /// These bytes, and then the end of the connection.
    Raw(Vec<u8>),
    /// A byte of an endless body at a time.
    Drip,
    /// Nothing, with the connection open.
    Hang,
}

pub fn json(status: u16, body: &str) -> Act {
    with_headers(status, &[], body)
}

pub fn with_headers(status: u16, headers: &[(&str, &str)], body: &str) -> Act {
    let headers = headers.iter().map(|&(name, value)| (name.into(), value.into()));
    Act::Answer(Response { status, headers: headers.collect(), body: body.into() })
}

type Behaviour = Arc<Mutex<dyn FnMut(&Request) -> Act + Send>>;

pub struct Loopback {
    pub url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Loopback {
    pub fn new(behaviour: impl FnMut(&Request) -> Act + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/sapi/v2/", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let (behaviour, log) = (Arc::new(Mutex::new(behaviour)) as Behaviour, seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behaviour, log) = (behaviour.clone(), log.clone());
                std::thread::spawn(move || connection(stream, &behaviour, &log));
            }
        });
        Self { url, seen }
    }

    /// The address without a path.
    pub fn origin(&self) -> &str {
        self.url.strip_suffix("/sapi/v2/").unwrap()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests that start so, as `POST problems`.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let fits = |r: &&Request| r.method.name() == method && r.url.contains(part);
        self.requests().iter().filter(fits).count()
    }
}

fn connection(stream: TcpStream, behaviour: &Behaviour, log: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Ok(Some(request)) = http::read(&mut reader) {
        log.lock().unwrap().push(request.clone());
        let act = behaviour.lock().unwrap()(&request);
        let written = match act {
            Act::Answer(response) => http::write(&mut writer, &response),
            Act::Raw(bytes) => {
                let _ = writer.write_all(&bytes);
                return;
            }
            Act::Drip => drip(&mut writer),
            Act::Hang => {
                std::thread::sleep(Duration::from_secs(20));
                return;
            }
        };
        if written.is_err() {
            return;
        }
    }
}

fn drip(writer: &mut TcpStream) -> std::io::Result<()> {
    writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
    for _ in 0..400 {
        writer.write_all(b"[")?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A port on which nobody listens.
pub fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/sapi/v2/", listener.local_addr().unwrap())
}
