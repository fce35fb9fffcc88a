//! AWS Signature Version 4.

use super::AwsCredentials;
use crate::hardware::Request;
use crate::hardware::sapi::timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::time::SystemTime;

/// Of which service in which region a request is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn authenticated(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// `20150830T123600Z`
fn compact(now: SystemTime) -> String {
    let text = timestamp(now);
    let seconds = text.split('.').next().unwrap_or_default();
    seconds.replace(['-', ':'], "") + "Z"
}

/// Host and port, the path, and the query of an address.
fn parts(url: &str) -> (&str, &str, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let at = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(at);
    let usual = if scheme == "https" { ":443" } else { ":80" };
    (host.strip_suffix(usual).unwrap_or(host), if path.is_empty() { "/" } else { path }, query)
}

/// The path as it is signed: encoded once more than it is sent, other than for S3.
fn canonical_path(path: &str, service: &str) -> String {
    match service {
        "s3" => path.into(),
        _ => path.replace('%', "%25"),
    }
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.contains('=') {
            true => pair.to_owned(),
            false => format!("{pair}="),
        })
        .collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// Signs a request with all headers that it has, and those that the signature needs.
pub(super) fn sign(
    request: &mut Request,
    scope: Scope,
    credentials: &AwsCredentials,
    now: SystemTime,
) {
    let content = hex(Sha256::digest(&request.body));
    request.headers.push(("X-Amz-Date".into(), compact(now)));
    if scope.service == "s3" {
        request.headers.push(("X-Amz-Content-Sha256".into(), content.clone()));
    }
    if let Some(token) = &credentials.session_token {
        request.headers.push(("X-Amz-Security-Token".into(), token.reveal().into()));
    }
    let value = authorization(request, scope, credentials, now, &content);
    request.headers.push(("Authorization".into(), value));
}

fn authorization(
    request: &Request,
    Scope { region, service }: Scope,
    credentials: &AwsCredentials,
    now: SystemTime,
    content: &str,
) -> String {
    let (host, path, query) = parts(&request.url);
    let named = request.headers.iter();
    let mut headers: Vec<(String, &str)> =
        named.map(|(name, value)| (name.to_ascii_lowercase(), value.trim())).collect();
    headers.push(("host".into(), host));
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let (path, query) = (canonical_path(path, service), canonical_query(query));
    let method = request.method.name();
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{content}");
    let time = compact(now);
    let date = &time[..8];
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(Sha256::digest(canonical)));
    let secret = format!("AWS4{}", credentials.secret.reveal()).into_bytes();
    let key = [date, region, service, "aws4_request"]
        .iter()
        .fold(secret, |key, part| authenticated(&key, part));
    let signature = hex(authenticated(&key, &text));
    let id = credentials.key_id.reveal();
    format!(
        "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{Method, Token};
    use std::time::Duration;

    fn credentials(id: &str, secret: &str) -> AwsCredentials {
        AwsCredentials::new(Token::new(id).unwrap(), Token::new(secret).unwrap())
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn signed(request: &Request) -> &str {
        request.header("Authorization").unwrap()
    }

    /// `get-vanilla` of the test suite that AWS publishes.
    #[test]
    fn the_simplest_request_has_its_published_signature() {
        let key = credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let mut request = Request::new(Method::Get, "https://example.amazonaws.com/");
        sign(
            &mut request,
            Scope { region: "us-east-1", service: "service" },
            &key,
            at(1_440_938_160),
        );
        assert_eq!(
            signed(&request),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }

    /// The example of AWS's documentation of the signing process.
    #[test]
    fn a_request_with_a_query_and_headers_has_its_published_signature() {
        let key = credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let url = "https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers";
        let mut request = Request::new(Method::Get, url);
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        request.headers.push(("Content-Type".into(), kind.into()));
        sign(&mut request, Scope { region: "us-east-1", service: "iam" }, &key, at(1_440_938_160));
        assert_eq!(
            signed(&request),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    /// `GET Object` of the examples in the documentation of S3.
    #[test]
    fn a_request_to_s3_has_its_published_signature() {
        let key = credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let url = "https://examplebucket.s3.amazonaws.com/test.txt";
        let mut request = Request::new(Method::Get, url);
        request.headers.push(("Range".into(), "bytes=0-9".into()));
        sign(&mut request, Scope { region: "us-east-1", service: "s3" }, &key, at(1_369_353_600));
        assert_eq!(
            signed(&request),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn addresses_are_taken_apart_as_they_are_sent() {
        assert_eq!(parts("https://a.b:443/x%3Ay?q=1"), ("a.b", "/x%3Ay", "q=1"));
        assert_eq!(parts("http://127.0.0.1:8080"), ("127.0.0.1:8080", "/", ""));
        assert_eq!(canonical_path("/task/arn%3Ax", "braket"), "/task/arn%253Ax");
        assert_eq!(canonical_path("/task/arn%3Ax", "s3"), "/task/arn%3Ax");
        assert_eq!(canonical_query("b=2&a=1&c"), "a=1&b=2&c=");
    }
}
