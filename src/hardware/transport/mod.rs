//! Requests and responses of HTTP, and what carries them.

pub(super) mod endpoint;
mod http;
mod replay;
mod retry;

pub use http::Http;
pub use replay::{Exchange, Recording, Replay};
pub use retry::Retry;
pub(super) use retry::{Link, Repeatable};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The methods that devices are spoken to with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Method {
    /// Reads.
    Get,
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// As it is written in a request: `GET`.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }

    /// The method of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Get, Self::Post, Self::Put, Self::Delete].into_iter().find(|m| m.name() == name)
    }
}

/// Headers whose values nobody may see.
const SECRET: [&str; 5] =
    ["authorization", "x-auth-token", "cookie", "set-cookie", "x-amz-security-token"];

fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

/// Looks up a header, whatever the case of its name.
fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A request. Its `Debug` shows neither the values of secret headers nor the body.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The absolute address, query included.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The content; none if empty.
    pub body: Vec<u8>,
    /// How long the whole exchange may take, to the last byte of the response.
    pub timeout: Duration,
}

impl Request {
    /// A request without headers or content, which may take a minute.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        let timeout = Duration::from_secs(60);
        Self { method, url: url.into(), headers: Vec::new(), body: Vec::new(), timeout }
    }

    /// The value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): &(String, String)| match is_secret(name) {
            true => format!("{name}: ***"),
            false => format!("{name}: {value}"),
        };
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &self.headers.iter().map(shown).collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// A response, whatever its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// 200, 404, ...
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FailureKind {
    /// There was no connection, so the server saw nothing of the request.
    Unsent,
    /// The server could not prove who it is, so nothing was sent.
    Untrusted,
    /// The time ran out.
    Timeout,
    /// The connection broke, or what came over it is not HTTP.
    Broken,
}

/// That there is no response, and why. The server may have acted on the request all the same,
/// unless it is [`Unsent`](FailureKind::Unsent) or [`Untrusted`](FailureKind::Untrusted).
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("{reason}")]
pub struct Failure {
    /// The kind of it.
    pub kind: FailureKind,
    /// In words.
    pub reason: String,
}

/// Carries requests: the only way from here to a network.
///
/// [`Http`] is the real one; [`Recording`] also notes what it carries, [`Replay`] answers from such
/// notes, and [`sapi::Server`](super::sapi::Server) answers by itself, all without the callers'
/// noticing.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends a request once, and waits for the whole response.
    ///
    /// # Errors
    ///
    /// When there is no response. One of any status is a response.
    fn send(&self, request: &Request) -> Result<Response, Failure>;
}
