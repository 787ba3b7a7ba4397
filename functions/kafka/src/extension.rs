//! Fetches a secret from the AWS Parameters and Secrets Lambda Extension on localhost.
//!
//! The extension caches a secret for five minutes by default, and responds only during an
//! invocation:
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html>

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

use hyper::{Uri, header::HeaderName};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use sluice_aws::{
    CONTAINER_TOKEN, CredentialsError, FetchError, SESSION_TOKEN, Secret, SettingsError, Variables,
    fetch,
};
use tokio::{sync::Mutex, time::Instant};

use crate::login::Login;

/// The variable with the ARN of the secret that holds the user name and password.
pub(crate) const SECRET_ARN: &str = "KAFKA_SASL_SECRET_ARN";
/// The variable with the extension's port.
const PORT: &str = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT";

/// A client of the extension for one secret, which caches the last login.
#[derive(Debug)]
pub(crate) struct SecretsExtension {
    port: u16,
    arn: String,
    token: Secret,
    /// Locked during a fetch, so that simultaneous connects share one fetch.
    cached: Mutex<Option<CachedLogin>>,
    is_rejected: AtomicBool,
}

#[derive(Debug)]
struct CachedLogin {
    login: Login,
    /// When it was fetched past the extension's cache, if it was.
    ///
    /// Both clocks are kept: the monotonic one may stop while a function is frozen.
    refreshed: Option<(Instant, SystemTime)>,
}

const PORT_DEFAULT: u16 = 2773;

/// How often a rejected login is refreshed at most, so that retries do not exhaust the request
/// quota of Secrets Manager.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

impl SecretsExtension {
    /// Reads the extension's port and token for the secret `arn`.
    pub(crate) fn from_variables(
        variables: &Variables<'_>,
        arn: String,
    ) -> Result<Self, SettingsError> {
        if !is_secret_arn(&arn) {
            // The error does not quote the value, which may be the secret pasted by mistake.
            let found = "not the ARN of a secret";
            return Err(SettingsError::new(SECRET_ARN, found, ARN_EXPECTED));
        }
        let port = match variables.find(PORT) {
            None => PORT_DEFAULT,
            Some(found) => found
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| SettingsError::quoting(PORT, &found, "a port from 1 to 65535"))?,
        };
        let token = match variables.find(CONTAINER_TOKEN) {
            Some(token) if variables.find(SESSION_TOKEN).is_none() => token,
            _ => variables.require(SESSION_TOKEN, TOKEN_EXPECTED)?,
        };
        Ok(Self {
            port,
            arn,
            token: Secret::new(token),
            cached: Mutex::new(None),
            is_rejected: AtomicBool::new(false),
        })
    }

    /// The cached user name and password. Fetches them first if there are none, or if a broker
    /// rejected them.
    pub(crate) async fn login(&self) -> Result<Login, CredentialsError> {
        let mut cached = self.cached.lock().await;
        let is_rejected = self.is_rejected.load(Ordering::Relaxed);
        match &*cached {
            Some(cached) if !is_rejected || cached.is_fresh(SystemTime::now()) => {
                return Ok(cached.login.clone());
            }
            _ => {}
        }
        let fetched = if is_rejected {
            self.refresh().await
        } else {
            self.fetch("").await
        };
        let login = fetched.map_err(|cause| CredentialsError::new(SECRET_ARN, cause))?;
        self.is_rejected.store(false, Ordering::Relaxed);
        *cached = Some(CachedLogin {
            login: login.clone(),
            refreshed: is_rejected.then(|| (Instant::now(), SystemTime::now())),
        });
        Ok(login)
    }

    /// Marks the cached login as rejected, so that the next call fetches it again.
    pub(crate) fn forget(&self) {
        self.is_rejected.store(true, Ordering::Relaxed);
    }

    /// Fetches the secret past the extension's cache, if the extension supports that.
    ///
    /// `refreshNow` is documented for the Secrets Manager Agent (aws/aws-secretsmanager-agent), not
    /// for the extension. An extension that ignores it responds from its cache until
    /// `SECRETS_MANAGER_TTL` expires.
    async fn refresh(&self) -> Result<Login, FetchError> {
        match self.fetch("&refreshNow=true").await {
            Err(FetchError::Status(_)) => self.fetch("").await,
            fetched => fetched,
        }
    }

    async fn fetch(&self, refresh: &str) -> Result<Login, FetchError> {
        let uri = format!(
            "http://localhost:{}/secretsmanager/get?secretId={}{refresh}",
            self.port,
            utf8_percent_encode(&self.arn, NON_ALPHANUMERIC)
        );
        let uri = Uri::try_from(uri).expect("a short percent-encoded string is a valid URI");
        let header = HeaderName::from_static("x-aws-parameters-secrets-token");
        parse(&fetch(&uri, Some((header, &self.token))).await?)
    }
}

impl CachedLogin {
    /// Whether both clocks say that it was refreshed less than [`REFRESH_INTERVAL`] ago.
    ///
    /// A wall clock that was set back is ignored.
    fn is_fresh(&self, now: SystemTime) -> bool {
        self.refreshed.is_some_and(|(at, wall_at)| {
            let by_wall = now.duration_since(wall_at).unwrap_or_default();
            at.elapsed().max(by_wall) < REFRESH_INTERVAL
        })
    }
}

const ARN_EXPECTED: &str = "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME";
const TOKEN_EXPECTED: &str = "Lambda's session token (needed because KAFKA_SASL_SECRET_ARN is set)";

/// The longest ARN that Secrets Manager accepts. Percent-encoded, it still fits in a URI.
const ARN_BYTES_MAX: usize = 2048;

fn is_secret_arn(arn: &str) -> bool {
    if arn.len() > ARN_BYTES_MAX {
        return false;
    }
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    matches!(*parts, ["arn", _, "secretsmanager", _, _, "secret", name] if !name.is_empty())
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "SecretString")]
    secret_string: String,
}

/// The content that MSK requires of a secret:
/// <https://docs.aws.amazon.com/msk/latest/developerguide/msk-password-tutorial.html>
#[derive(Deserialize)]
struct User {
    username: String,
    password: String,
}

/// Parses the extension's response. The parser's errors are dropped, since they quote the input.
fn parse(document: &[u8]) -> Result<Login, FetchError> {
    let document: Document = serde_json::from_slice(document)
        .map_err(|_| FetchError::Unexpected("JSON with a string field SecretString"))?;
    let user: User = serde_json::from_str(&document.secret_string).map_err(|_| {
        FetchError::Unexpected("a SecretString of JSON with string fields username and password")
    })?;
    if user.username.is_empty() || user.password.is_empty() {
        return Err(FetchError::Unexpected(
            "a SecretString with a non-empty username and password",
        ));
    }
    Ok(Login {
        username: user.username,
        password: Secret::new(user.password),
    })
}

#[cfg(test)]
#[path = "extension/tests.rs"]
mod tests;
