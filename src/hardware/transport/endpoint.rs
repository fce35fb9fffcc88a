//! Addresses of services.

use crate::error::{Error, ErrorKind};

const LOCAL: [&str; 3] = ["http://127.0.0.1", "http://localhost", "http://[::1]"];

/// An address to which a secret may be sent, with one `/` at its end.
///
/// # Errors
///
/// When it is not one of `https`, or of `http` on this very machine: a token must not travel in the
/// clear. `hidden` takes secrets out of the message.
pub(in crate::hardware) fn checked(
    endpoint: &str,
    hidden: impl Fn(&str) -> String,
) -> Result<String, Error> {
    let after_host =
        |prefix| endpoint.strip_prefix(prefix).and_then(|rest: &str| rest.chars().next());
    let is_local = LOCAL
        .iter()
        .any(|prefix| endpoint == *prefix || matches!(after_host(*prefix), Some(':' | '/')));
    if (!endpoint.starts_with("https://") && !is_local) || endpoint.contains('@') {
        return Err(ErrorKind::Unsupported {
            what: format!("the endpoint `{}`", hidden(endpoint)),
            remedy: "use https://..., or http://127.0.0.1... for a server on this machine; the \
                     token is given apart"
                .into(),
        }
        .into());
    }
    Ok(format!("{}/", endpoint.trim_end_matches('/')))
}

/// Whether it can stand in an address as it is.
pub(in crate::hardware) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// A name as one segment of an address.
pub(in crate::hardware) fn encoded(name: &str) -> String {
    let byte = |b: u8| match b {
        b'-' | b'_' | b'.' | b'~' => char::from(b).to_string(),
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    name.bytes().map(byte).collect()
}
