//! Requests to a service of JSON over HTTP.

use super::Connection;
use crate::annealing::Cancellation;
use crate::error::{Error, Fault};
use crate::hardware::transport::{Link, Repeatable, endpoint};
use crate::hardware::{Method, Request, Response, Token};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::{Duration, Instant};

/// So many characters of what a service says go into an error.
const SAID: usize = 500;

/// The way to one service, and what must not be shown of what travels there.
#[derive(Debug, Clone)]
pub(in crate::hardware) struct Wire {
    pub link: Link,
    pub base: String,
    pub pauses: [Duration; 2],
    secrets: Vec<Token>,
    timeout: Duration,
    time: Option<Duration>,
}

impl Wire {
    /// To the endpoint of the connection, or this one.
    pub fn new(connection: &Connection, usual: &str, secrets: Vec<Token>) -> Result<Self, Error> {
        let endpoint = connection.endpoint.as_deref().unwrap_or(usual);
        Self::to(connection, endpoint, secrets)
    }

    /// To an endpoint other than that of the connection.
    pub fn to(connection: &Connection, to: &str, secrets: Vec<Token>) -> Result<Self, Error> {
        let base = endpoint::checked(to, |text| hidden(&secrets, text))?;
        let mut link = Link::new(base.clone());
        link.transport = connection.transport.clone();
        link.retry = connection.retry.clone();
        link.cancellation = connection.cancellation.clone();
        let Connection { timeout, time, pauses, .. } = *connection;
        Ok(Self { link, base, pauses, secrets, timeout, time })
    }

    /// The same, with its time running from now.
    pub fn started(&self) -> Self {
        let mut wire = self.clone();
        wire.link.deadline = self.time.and_then(|time| Instant::now().checked_add(time));
        wire
    }

    /// The same, which nobody stops.
    pub fn unlimited(&self) -> Self {
        let mut wire = self.clone();
        (wire.link.cancellation, wire.link.deadline) = (None, None);
        wire
    }

    /// The same way to another address of the service.
    pub fn at(&self, base: String) -> Self {
        let mut wire = self.clone();
        (wire.link.service, wire.base) = (base.clone(), base);
        wire
    }

    /// The same, with one more secret.
    pub fn hiding(&self, secret: Token) -> Self {
        let mut wire = self.clone();
        wire.secrets.push(secret);
        wire
    }

    pub fn is_cancelled(&self) -> bool {
        self.link.cancellation.as_ref().is_some_and(Cancellation::is_cancelled)
    }

    pub fn hidden(&self, text: &str) -> String {
        hidden(&self.secrets, text)
    }

    pub fn request(&self, method: Method, path: &str) -> Request {
        let mut request = Request::new(method, format!("{}{path}", self.base));
        request.timeout = self.timeout;
        request.headers.push(("Accept".into(), "application/json".into()));
        request
    }

    pub fn with_json(&self, method: Method, path: &str, body: &Value) -> Request {
        let mut request = self.request(method, path);
        request.headers.push(("Content-Type".into(), "application/json".into()));
        request.body = body.to_string().into_bytes();
        request
    }

    /// A response that is a success.
    pub fn send(&self, request: &Request, repeatable: Repeatable) -> Result<Response, Error> {
        self.accepted(request, self.link.send(request, repeatable)?)
    }

    /// The response, if it is a success.
    pub fn accepted(&self, request: &Request, response: Response) -> Result<Response, Error> {
        match response.status {
            200..=299 => Ok(response),
            _ => Err(self.refusal(request, &response)),
        }
    }

    /// The content of a response that is a success.
    pub fn json<T: DeserializeOwned>(
        &self,
        request: &Request,
        repeatable: Repeatable,
    ) -> Result<T, Error> {
        self.read(request, &self.send(request, repeatable)?)
    }

    pub fn read<T: DeserializeOwned>(
        &self,
        request: &Request,
        response: &Response,
    ) -> Result<T, Error> {
        serde_json::from_slice(&response.body).map_err(|error| {
            let name = format!("{} {}", request.method.name(), request.url);
            self.malformed(format!("{name}: {error}"))
        })
    }

    fn refusal(&self, request: &Request, response: &Response) -> Error {
        let said = self.hidden(&said(&response.body));
        let is_question = request.method == Method::Get;
        let (fault, remedy) = match response.status {
            401 => (Fault::Authentication, ": check the token"),
            403 => (Fault::Authentication, ": the token does not grant this"),
            404 if is_question => (Fault::Lost, ": the service does not know it"),
            _ => (Fault::Refused, ""),
        };
        let (method, url) = (request.method.name(), self.hidden(&request.url));
        self.link
            .error(fault, format!("{method} {url}: status {}, {said}{remedy}", response.status))
    }

    pub fn malformed(&self, reason: impl std::fmt::Display) -> Error {
        let reason = self.hidden(&reason.to_string());
        self.link.error(Fault::Malformed, format!("an answer breaks the protocol: {reason}"))
    }

    /// A job that will have no samples.
    pub fn failed(&self, reason: &str) -> Error {
        self.link.error(Fault::Failed, self.hidden(reason))
    }
}

fn hidden(secrets: &[Token], text: &str) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| secret.hidden_in(&text))
}

/// What a service gives as its reason, in whichever field it has for that.
fn said(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(value) => reason(&value),
        Err(_) => element(&String::from_utf8_lossy(body), "Message"),
    };
    let text = text.unwrap_or_else(|| "no reason given".into());
    text.chars().take(SAID).collect()
}

fn reason(value: &Value) -> Option<String> {
    let fields = ["message", "detail", "errorMessage", "error", "Message"];
    let direct = fields.iter().find_map(|field| Some(value.get(field)?.as_str()?.to_owned()));
    direct.or_else(|| reason(value.get("errors")?.get(0)?))
}

/// The text of an element of XML, which is what stores of files answer with.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_found_where_each_service_puts_them() {
        for body in [
            r#"{"error":"Bad Request","message":"too hot"}"#,
            r#"{"errors":[{"code":1200,"message":"too hot"}]}"#,
            r#"{"detail":"too hot"}"#,
            "<?xml version=\"1.0\"?><Error><Code>X</Code><Message>too hot</Message></Error>",
        ] {
            assert_eq!(said(body.as_bytes()), "too hot");
        }
        assert_eq!(said(b"<html>"), "no reason given");
        assert_eq!(said(b"[]"), "no reason given");
        let long = format!("{{\"message\":\"{}\"}}", "x".repeat(10_000));
        assert_eq!(said(long.as_bytes()).len(), SAID);
    }
}
