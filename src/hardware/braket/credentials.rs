//! Keys of AWS.

use crate::error::Error;
use crate::hardware::Token;
use std::path::Path;

/// An access key of AWS. Nothing prints its secret.
///
/// ```
/// use burn_quantum::hardware::{AwsCredentials, Token};
///
/// let key = AwsCredentials::new(Token::new("AKIDEXAMPLE")?, Token::new("wJalrXUtnFEMI")?);
/// assert!(!format!("{key:?}").contains("wJalrXUtnFEMI"));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsCredentials {
    pub(super) key_id: Token,
    pub(super) secret: Token,
    pub(super) session_token: Option<Token>,
}

impl AwsCredentials {
    /// A key by its name and its secret.
    pub fn new(key_id: Token, secret: Token) -> Self {
        Self { key_id, secret, session_token: None }
    }

    /// The token that comes with a temporary key.
    pub fn with_session_token(mut self, token: Token) -> Self {
        self.session_token = Some(token);
        self
    }

    /// The variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if it is set,
    /// `AWS_SESSION_TOKEN`.
    ///
    /// # Errors
    ///
    /// When one of the first two is not set, or one is no token.
    pub fn from_env() -> Result<Self, Error> {
        let key = Self::new(
            Token::from_env("AWS_ACCESS_KEY_ID")?,
            Token::from_env("AWS_SECRET_ACCESS_KEY")?,
        );
        match std::env::var_os("AWS_SESSION_TOKEN") {
            None => Ok(key),
            Some(_) => Ok(key.with_session_token(Token::from_env("AWS_SESSION_TOKEN")?)),
        }
    }

    /// A profile of a file as `~/.aws/credentials`: `aws_access_key_id`, `aws_secret_access_key` and,
    /// if there is one, `aws_session_token`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or lacks one of the first two in that profile.
    pub fn from_config(path: impl AsRef<Path>, profile: &str) -> Result<Self, Error> {
        let path = path.as_ref();
        let read = |key: &str| Token::of_key(path, profile, key);
        let missing = |key: &str| Token::missing(path, profile, key);
        let key = Self::new(
            read("aws_access_key_id")?.ok_or_else(|| missing("aws_access_key_id"))?,
            read("aws_secret_access_key")?.ok_or_else(|| missing("aws_secret_access_key"))?,
        );
        Ok(Self { session_token: read("aws_session_token")?, ..key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_by_their_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key = b+/c==\n\
                    [other]\naws_access_key_id = B\naws_secret_access_key = d\naws_session_token = e\n\
                    [half]\naws_access_key_id = C\n";
        std::fs::write(&path, text).unwrap();
        let key = AwsCredentials::from_config(&path, "default").unwrap();
        assert_eq!((key.key_id.reveal(), key.secret.reveal()), ("A", "b+/c=="));
        assert!(key.session_token.is_none());
        let key = AwsCredentials::from_config(&path, "other").unwrap();
        assert_eq!(key.session_token.as_ref().unwrap().reveal(), "e");
        let error = AwsCredentials::from_config(&path, "half").unwrap_err().to_string();
        assert!(error.contains("section [half]"), "{error}");
        assert!(error.contains("write `aws_secret_access_key = ...`"), "{error}");
        assert!(AwsCredentials::from_config("/no/such/file", "default").unwrap_err().is_io());
    }
}
