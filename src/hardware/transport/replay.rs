//! Exchanges as notes, taken and given back.

use super::{Failure, FailureKind, Method, Request, Response, Transport, is_secret};
use crate::error::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A request and what came of it, without the values of secret headers and fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    outcome: Result<Answer, Failure>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

fn noted(headers: &[(String, String)]) -> Vec<(String, String)> {
    headers.iter().filter(|(name, _)| !is_secret(name)).cloned().collect()
}

/// Fields of contents whose values nobody may see: of forms and of JSON.
const SECRET_FIELDS: [&str; 3] = ["apikey", "access_token", "refresh_token"];

/// A content without the values of secret fields.
fn noted_body(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    if !SECRET_FIELDS.iter().any(|field| text.contains(field)) {
        return text.into_owned();
    }
    if let Ok(Value::Object(mut object)) = serde_json::from_str::<Value>(&text) {
        let fields = SECRET_FIELDS.iter().filter(|field| object.contains_key(**field));
        let fields: Vec<_> = fields.collect();
        if fields.is_empty() {
            return text.into_owned();
        }
        fields.into_iter().for_each(|field| object[*field] = "***".into());
        return Value::Object(object).to_string();
    }
    let shown = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if SECRET_FIELDS.contains(&name) => format!("{name}=***"),
        _ => pair.to_owned(),
    };
    text.split('&').map(shown).collect::<Vec<_>>().join("&")
}

impl Exchange {
    fn new(request: &Request, outcome: &Result<Response, Failure>) -> Self {
        let answer = |response: &Response| Answer {
            status: response.status,
            headers: noted(&response.headers),
            body: noted_body(&response.body),
        };
        Self {
            method: request.method,
            url: request.url.clone(),
            headers: noted(&request.headers),
            body: noted_body(&request.body),
            outcome: outcome.as_ref().map(answer).map_err(Clone::clone),
        }
    }

    fn is_of(&self, request: &Request) -> bool {
        (self.method, &self.url) == (request.method, &request.url)
            && self.headers == noted(&request.headers)
            && self.body == noted_body(&request.body)
    }
}

/// A transport that notes what another one carries: texts, and no secret headers.
///
/// ```
/// use burn_quantum::annealing::Exact;
/// use burn_quantum::hardware::sapi::{Client, Server};
/// use burn_quantum::hardware::{Recording, Replay, Token, Topology};
/// use std::sync::Arc;
///
/// let server = Server::new("exact", Topology::chimera(1)?, Arc::new(Exact::default()))?;
/// let recording = Arc::new(Recording::new(Arc::new(server)));
/// let client = |transport| Client::new("http://127.0.0.1/", Token::new("secret")?).map(|c| c.with_transport(transport));
/// let solvers = client(recording.clone())?.solvers()?;
///
/// let notes = recording.exchanges();
/// assert!(!format!("{notes:?}").contains("secret"));
/// let again = client(Arc::new(Replay::new(notes)))?.solvers()?;
/// assert_eq!(solvers, again);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub struct Recording {
    inner: Arc<dyn Transport>,
    exchanges: Mutex<Vec<Exchange>>,
}

impl Recording {
    /// Takes notes of a transport.
    pub fn new(inner: Arc<dyn Transport>) -> Self {
        Self { inner, exchanges: Mutex::default() }
    }

    /// What was carried so far, in the order of its end.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes the notes as JSON.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(&self.exchanges()).map_err(|e| fault(&e))?;
        std::fs::write(path, text).map_err(|e| fault(&e))
    }
}

fn fault(error: &dyn fmt::Display) -> Error {
    ErrorKind::Io { format: "recorded exchanges", reason: error.to_string() }.into()
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recording({} exchanges of {:?})", self.exchanges().len(), self.inner)
    }
}

impl Transport for Recording {
    fn send(&self, request: &Request) -> Result<Response, Failure> {
        let outcome = self.inner.send(request);
        let exchange = Exchange::new(request, &outcome);
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
        outcome
    }
}

/// A transport that answers from notes, and reaches no network.
///
/// A request gets the outcome of the first exchange of the same method, address, content and public
/// headers that was not given yet. One that was never noted fails.
#[derive(Debug)]
pub struct Replay {
    exchanges: Mutex<Vec<Option<Exchange>>>,
}

impl Replay {
    /// Answers from these.
    pub fn new(exchanges: Vec<Exchange>) -> Self {
        Self { exchanges: Mutex::new(exchanges.into_iter().map(Some).collect()) }
    }

    /// Answers from a file of [`Recording::save`].
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not one of exchanges.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|e| fault(&e))?;
        Ok(Self::new(serde_json::from_str(&text).map_err(|e| fault(&e))?))
    }

    /// How many outcomes were not asked for yet.
    pub fn remaining(&self) -> usize {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().count()
    }
}

impl Transport for Replay {
    fn send(&self, request: &Request) -> Result<Response, Failure> {
        let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        let of_request = |slot: &&mut Option<Exchange>| {
            slot.as_ref().is_some_and(|exchange| exchange.is_of(request))
        };
        let Some(exchange) = exchanges.iter_mut().find(of_request).and_then(Option::take) else {
            let (method, url) = (request.method.name(), &request.url);
            let reason =
                format!("{method} {url} with this content is not among the recorded exchanges");
            return Err(Failure { kind: FailureKind::Broken, reason });
        };
        exchange.outcome.map(|Answer { status, headers, body }| Response {
            status,
            headers,
            body: body.into_bytes(),
        })
    }
}
