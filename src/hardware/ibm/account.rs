//! Who asks IBM's service.

use crate::error::{Error, Fault};
use crate::hardware::service::Wire;
use crate::hardware::transport::{Repeatable, endpoint};
use crate::hardware::{Connection, Method, Token};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const IDENTITY: &str = "https://iam.cloud.ibm.com";

/// A bearer token is renewed so long before it expires.
const MARGIN: Duration = Duration::from_secs(60);

/// An account of IBM's quantum service: a key, and the instance that pays.
///
/// ```
/// use burn_quantum::hardware::{IbmAccount, Token};
///
/// let key = Token::new("0123456789abcdef")?;
/// let account = IbmAccount::new(key, Token::new("crn:v1:bluemix:public:quantum-computing:us-east:a/1:2::")?);
/// assert!(!format!("{account:?}").contains("0123456789abcdef"));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct IbmAccount {
    key: Token,
    instance: Token,
    identity: String,
}

impl IbmAccount {
    /// An account by its API key and the CRN of its instance.
    pub fn new(key: Token, instance: Token) -> Self {
        Self { key, instance, identity: IDENTITY.into() }
    }

    /// The key `IBM_API_KEY` and the instance `IBM_SERVICE_CRN`, both taken from the environment.
    ///
    /// # Errors
    ///
    /// When a variable is not set, or is no token.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self::new(Token::from_env("IBM_API_KEY")?, Token::from_env("IBM_SERVICE_CRN")?))
    }

    /// The address that gives bearer tokens for keys. Default: that of IBM Cloud
    pub fn with_identity_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.identity = endpoint.into();
        self
    }
}

/// An account, with the bearer token that it has at the moment.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    account: IbmAccount,
    wire: Wire,
    bearer: Arc<Mutex<Option<Bearer>>>,
}

#[derive(Debug, Clone)]
struct Bearer {
    token: Token,
    until: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Identity {
    pub fn new(connection: &Connection, account: IbmAccount) -> Result<Self, Error> {
        let wire = Wire::to(connection, &account.identity, vec![account.key.clone()])?;
        Ok(Self { account, wire, bearer: Arc::default() })
    }

    pub fn key(&self) -> Token {
        self.account.key.clone()
    }

    pub fn instance(&self) -> &str {
        self.account.instance.reveal()
    }

    /// A bearer token that does not expire right away, and whether it was there before.
    pub fn bearer(&self, deadline: Option<Instant>) -> Result<(Token, bool), Error> {
        let mut bearer = self.bearer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = bearer.as_ref().filter(|known| Instant::now() < known.until) {
            return Ok((known.token.clone(), true));
        }
        let fresh = self.ask(deadline)?;
        let token = fresh.token.clone();
        *bearer = Some(fresh);
        Ok((token, false))
    }

    /// Forgets a bearer token that the service no longer takes.
    pub fn forget(&self, token: &Token) {
        let mut bearer = self.bearer.lock().unwrap_or_else(PoisonError::into_inner);
        bearer.take_if(|known| known.token == *token);
    }

    fn ask(&self, deadline: Option<Instant>) -> Result<Bearer, Error> {
        let mut wire = self.wire.clone();
        wire.link.deadline = deadline;
        let mut request = wire.request(Method::Post, "identity/token");
        let kind = "application/x-www-form-urlencoded";
        request.headers.push(("Content-Type".into(), kind.into()));
        let grant = endpoint::encoded("urn:ibm:params:oauth:grant-type:apikey");
        let key = endpoint::encoded(self.account.key.reveal());
        request.body = format!("grant_type={grant}&apikey={key}").into_bytes();
        let response = wire.send(&request, Repeatable::Yes)?;
        // Nothing of this answer may show, not even in the error of a parser.
        let granted = serde_json::from_slice::<Granted>(&response.body).ok();
        let token = granted.as_ref().and_then(|granted| Token::new(&*granted.access_token).ok());
        let (Some(granted), Some(token)) = (granted, token) else {
            let reason = format!("POST {}: no bearer token and time", request.url);
            return Err(wire.link.error(Fault::Malformed, reason));
        };
        let life = Duration::from_secs(granted.expires_in);
        let until = Instant::now().checked_add(life.saturating_sub(MARGIN));
        Ok(Bearer { token, until: until.unwrap_or_else(Instant::now) })
    }
}
