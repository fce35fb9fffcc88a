//! HTTP over TCP and TLS.

use super::{Failure, FailureKind, Method, Request, Response, Transport};
use crate::error;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::{WithBody, WithoutBody};
use ureq::{Agent, Body, Error, RequestBuilder, Timeout, http};

/// The largest response that is read; the answer of ten thousand reads of five thousand qubits
/// takes a thirtieth of it.
const MAX_BODY: u64 = 256 << 20;

/// HTTP/1.1 over TCP, and TLS for `https`, with connections kept for the next request. It follows
/// no redirection, as that would take tokens elsewhere.
///
/// A server must prove who it is by a certificate of an authority that Mozilla trusts, or of
/// [one of your own](Self::with_root_certificate). Nothing switches that off.
#[derive(Debug, Clone)]
pub struct Http {
    agent: Agent,
}

impl Default for Http {
    fn default() -> Self {
        Self::with_tls(TlsConfig::default())
    }
}

impl Http {
    fn with_tls(tls: TlsConfig) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(Duration::from_secs(20)))
            .user_agent(concat!("burn-quantum/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Self { agent: Agent::new_with_config(config) }
    }

    /// Trusts the authorities of a PEM text, one or more certificates, in place of Mozilla's: for a
    /// service or a proxy with a certificate of your own.
    ///
    /// ```
    /// use burn_quantum::hardware::Http;
    ///
    /// let error = Http::with_root_certificate("not a certificate").unwrap_err();
    /// assert!(error.to_string().contains("-----BEGIN CERTIFICATE-----"));
    /// ```
    ///
    /// # Errors
    ///
    /// When it is no PEM, or holds no certificate.
    pub fn with_root_certificate(pem: impl AsRef<[u8]>) -> Result<Self, error::Error> {
        let certificates = certificates(pem.as_ref()).map_err(|reason| {
            let remedy = "give PEM, with a line `-----BEGIN CERTIFICATE-----` before each".into();
            error::ErrorKind::Unsupported { what: format!("root certificates: {reason}"), remedy }
        })?;
        let roots = RootCerts::Specific(Arc::new(certificates));
        Ok(Self::with_tls(TlsConfig::builder().root_certs(roots).build()))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| error.to_string())? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err("there is none".into()) } else { Ok(found) }
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

/// The TLS library's own words: its error may be wrapped as one of input and output.
fn is_untrusted(error: &Error) -> bool {
    error.to_string().contains("invalid peer certificate")
}

fn kind(error: &Error) -> FailureKind {
    match error {
        _ if is_untrusted(error) => FailureKind::Untrusted,
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
        self.exchange(request).map_err(|error| {
            let kind = kind(&error);
            let remedy = match kind {
                FailureKind::Untrusted => {
                    ": check the address, or name the authority by `Http::with_root_certificate`"
                }
                _ => "",
            };
            Failure { kind, reason: format!("{error}{remedy}") }
        })
    }
}
