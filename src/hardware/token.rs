//! Secrets.

use crate::error::{Error, ErrorKind};
use std::fmt;
use std::path::Path;

/// A token of a service. Nothing prints it.
///
/// ```
/// use burn_quantum::hardware::Token;
///
/// let token = Token::new("DEV-1234")?;
/// assert_eq!(format!("{token:?}"), "Token(***)");
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

fn invalid(source: &str, remedy: &str) -> Error {
    ErrorKind::Unsupported { what: source.into(), remedy: remedy.into() }.into()
}

impl Token {
    /// A token that the program got from somewhere else.
    ///
    /// # Errors
    ///
    /// When it is empty or has a character that no header can carry.
    pub fn new(token: impl Into<String>) -> Result<Self, Error> {
        Self::checked(token.into(), "the token")
    }

    fn checked(token: String, source: &str) -> Result<Self, Error> {
        match !token.is_empty() && token.bytes().all(|b| (0x21..0x7f).contains(&b)) {
            true => Ok(Self(token)),
            false => Err(invalid(source, "must be visible ASCII characters, at least one")),
        }
    }

    /// The value of an environment variable.
    ///
    /// # Errors
    ///
    /// When it is not set, or not a token.
    pub fn from_env(variable: &str) -> Result<Self, Error> {
        let value = std::env::var(variable);
        let value = value.map_err(|_| {
            invalid(&format!("the environment variable {variable}"), "set it to the token")
        })?;
        Self::checked(value.trim().into(), variable)
    }

    /// The `token` of a section of a configuration file, as `dwave.conf` has them: lines
    /// `[section]`, `key = value`, and comments that start with `#` or `;`. A section without it
    /// takes that of `[defaults]`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or holds no token for the section.
    pub fn from_config(path: impl AsRef<Path>, section: &str) -> Result<Self, Error> {
        let path = path.as_ref();
        let found = match Self::of_key(path, section, "token")? {
            None => Self::of_key(path, "defaults", "token")?,
            found => found,
        };
        found.ok_or_else(|| Self::missing(path, section, "token"))
    }

    /// A key of a section of a configuration file, if it has it.
    pub(super) fn of_key(path: &Path, section: &str, key: &str) -> Result<Option<Self>, Error> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| ErrorKind::Io {
            format: "configuration",
            reason: format!("{name}: {e}"),
        })?;
        let source = format!("section [{section}] of {name}");
        value_of(&text, section, key).map(|value| Self::checked(value, &source)).transpose()
    }

    pub(super) fn missing(path: &Path, section: &str, key: &str) -> Error {
        let source = format!("section [{section}] of {}", path.display());
        invalid(&source, &format!("write `{key} = ...` there"))
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// A text in which the token, if it is there, is no longer.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        text.replace(&self.0, "***")
    }
}

fn value_of(text: &str, section: &str, key: &str) -> Option<String> {
    let mut here = false;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            here = name.trim() == section;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| here)
            && name.trim() == key
        {
            return Some(value.trim().into());
        }
    }
    None
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_files_have_sections_and_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dwave.conf");
        let text =
            "[defaults]\n# token = old\ntoken = common\n[ prod ]\nendpoint = x\ntoken = A=1\n";
        std::fs::write(&path, text).unwrap();
        assert_eq!(Token::from_config(&path, "prod").unwrap().reveal(), "A=1");
        assert_eq!(Token::from_config(&path, "other").unwrap().reveal(), "common");
        std::fs::write(&path, "[prod]\n").unwrap();
        let error = Token::from_config(&path, "prod").unwrap_err().to_string();
        assert!(error.contains("section [prod]") && error.contains("write `token"), "{error}");
        assert!(Token::from_config("/no/such/file", "prod").unwrap_err().is_io());
    }

    #[test]
    fn no_token_can_break_out_of_its_header() {
        for token in ["", "a b", "a\r\nHost: evil", "\u{e9}"] {
            let error = Token::new(token).unwrap_err().to_string();
            assert!(token.is_empty() || !error.contains(token), "{error}");
        }
        let error = Token::from_env("BURN_QUANTUM_NO_SUCH_VARIABLE").unwrap_err().to_string();
        assert!(error.contains("BURN_QUANTUM_NO_SUCH_VARIABLE"), "{error}");
    }
}
