//! HTTP over TCP and TLS.

use super::{Failure, FailureKind, Method, Request, Response, Transport};
use std::io::ErrorKind;
use std::time::Duration;
use ureq::typestate::{WithBody, WithoutBody};
use ureq::{Agent, Body, Error, RequestBuilder, Timeout, http};

/// The largest response that is read; the answer of ten thousand reads of five thousand qubits
/// takes a thirtieth of it.
const MAX_BODY: u64 = 256 << 20;

/// HTTP/1.1 over TCP, and TLS for `https`, with connections kept for the next request. It follows
/// no redirection, as that would take tokens elsewhere.
#[derive(Debug, Clone)]
pub struct Http {
    agent: Agent,
}

impl Default for Http {
    fn default() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(Duration::from_secs(20)))
            .user_agent(concat!("burn-quantum/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: Agent::new_with_config(config) }
    }
}

fn prepared<B>(mut builder: RequestBuilder<B>, request: &Request) -> RequestBuilder<B> {
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    builder.config().timeout_global(Some(request.timeout)).build()
}

impl Http {
    fn with_body(&self, request: &Request) -> RequestBuilder<WithBody> {
        match request.method {
            Method::Get => self.agent.get(&request.url).force_send_body(),
            Method::Post => self.agent.post(&request.url),
            Method::Put => self.agent.put(&request.url),
            Method::Delete => self.agent.delete(&request.url).force_send_body(),
        }
    }

    fn without_body(&self, request: &Request) -> Option<RequestBuilder<WithoutBody>> {
        match request.method {
            _ if !request.body.is_empty() => None,
            Method::Get => Some(self.agent.get(&request.url)),
            Method::Delete => Some(self.agent.delete(&request.url)),
            Method::Post | Method::Put => None,
        }
    }

    fn exchange(&self, request: &Request) -> Result<Response, Error> {
        let response = match self.without_body(request) {
            Some(builder) => prepared(builder, request).call()?,
            None => prepared(self.with_body(request), request).send(&request.body[..])?,
        };
        received(response)
    }
}

fn received(response: http::Response<Body>) -> Result<Response, Error> {
    let (parts, mut body) = response.into_parts();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
    Ok(Response {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: body.with_config().limit(MAX_BODY).read_to_vec()?,
    })
}

fn kind(error: &Error) -> FailureKind {
    match error {
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => FailureKind::Unsent,
        Error::Timeout(_) => FailureKind::Timeout,
        Error::HostNotFound | Error::BadUri(_) | Error::Http(_) => FailureKind::Unsent,
        Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::AddrNotAvailable => FailureKind::Unsent,
            ErrorKind::TimedOut => FailureKind::Timeout,
            _ => FailureKind::Broken,
        },
        _ => FailureKind::Broken,
    }
}

impl Transport for Http {
    fn send(&self, request: &Request) -> Result<Response, Failure> {
        self.exchange(request)
            .map_err(|error| Failure { kind: kind(&error), reason: error.to_string() })
    }
}
