//! A secret of Secrets Manager, through AWS's Lambda extension on localhost.
//!
//! The extension keeps what it fetched for five minutes by default, and
//! answers only while an invocation runs:
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

/// The variable that names the secret with the user's name and password.
pub(crate) const SECRET_ARN: &str = "KAFKA_SASL_SECRET_ARN";
/// The variable with the extension's port.
const PORT: &str = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT";

/// The extension, and what it said last.
#[derive(Debug)]
pub(crate) struct SecretsExtension {
    port: u16,
    arn: String,
    token: Secret,
    /// Locked during a fetch, so that connections opened together share it.
    kept: Mutex<Option<Kept>>,
    refused: AtomicBool,
}

#[derive(Debug)]
struct Kept {
    login: Login,
    /// When it was asked for past the extension's cache, where it was, by both
    /// clocks: the monotonic one may stand still while a function is frozen.
    refreshed: Option<(Instant, SystemTime)>,
}

/// The extension's port, where the environment names none.
const PORT_DEFAULT: u16 = 2773;

/// A secret that Secrets Manager itself was asked for is kept this long even
/// where it is refused: who keeps trying must not use up its rate of requests.
const REFRESH_AFTER: Duration = Duration::from_secs(1);

impl SecretsExtension {
    /// The extension, for the secret `arn`.
    pub(crate) fn from_variables(
        variables: &Variables<'_>,
        arn: String,
    ) -> Result<Self, SettingsError> {
        if !is_secret_arn(&arn) {
            // It is not repeated: somebody may have pasted the secret itself.
            let found = "no ARN of a secret";
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
            kept: Mutex::new(None),
            refused: AtomicBool::new(false),
        })
    }

    /// The user's name and password: those of last time, unless they were refused.
    pub(crate) async fn login(&self) -> Result<Login, CredentialsError> {
        let mut kept = self.kept.lock().await;
        let refused = self.refused.load(Ordering::Relaxed);
        match &*kept {
            Some(kept) if !refused || kept.is_new(SystemTime::now()) => {
                return Ok(kept.login.clone());
            }
            _ => {}
        }
        let fetched = if refused {
            self.refresh().await
        } else {
            self.fetch("").await
        };
        let login = fetched.map_err(|cause| CredentialsError::new(SECRET_ARN, cause))?;
        self.refused.store(false, Ordering::Relaxed);
        *kept = Some(Kept {
            login: login.clone(),
            refreshed: refused.then(|| (Instant::now(), SystemTime::now())),
        });
        Ok(login)
    }

    /// Has the next login fetched again: the broker refused this one.
    pub(crate) fn forget(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Has the extension ask Secrets Manager, where it can.
    ///
    /// `refreshNow` is documented for the extension's sibling, the Secrets
    /// Manager Agent (aws/aws-secretsmanager-agent). An extension that does not
    /// know it answers from its cache until `SECRETS_MANAGER_TTL` is over.
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
        let uri = Uri::try_from(uri).expect("what is percent-encoded and short is a URI");
        let header = HeaderName::from_static("x-aws-parameters-secrets-token");
        parse(&fetch(&uri, Some((header, &self.token))).await?)
    }
}

impl Kept {
    /// Whether it was refreshed just now, by both clocks. A wall clock that was
    /// set back tells nothing.
    fn is_new(&self, now: SystemTime) -> bool {
        self.refreshed.is_some_and(|(at, at_by_the_wall)| {
            let by_the_wall = now.duration_since(at_by_the_wall).unwrap_or_default();
            at.elapsed().max(by_the_wall) < REFRESH_AFTER
        })
    }
}

const ARN_EXPECTED: &str = "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME";
const TOKEN_EXPECTED: &str = "what Lambda sets, since KAFKA_SASL_SECRET_ARN is";

/// Secrets Manager takes no longer one, and it fits in a URI when each of its
/// bytes is encoded.
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

/// What MSK asks a secret to look like:
/// <https://docs.aws.amazon.com/msk/latest/developerguide/msk-password-tutorial.html>
#[derive(Deserialize)]
struct User {
    username: String,
    password: String,
}

/// The parsers' errors are dropped: they quote what they found.
fn parse(document: &[u8]) -> Result<Login, FetchError> {
    let document: Document = serde_json::from_slice(document)
        .map_err(|_| FetchError::Unexpected("JSON with a text SecretString"))?;
    let user: User = serde_json::from_str(&document.secret_string).map_err(|_| {
        FetchError::Unexpected("a secret that is JSON, with the texts username and password")
    })?;
    if user.username.is_empty() || user.password.is_empty() {
        return Err(FetchError::Unexpected(
            "a secret whose username and password are not empty",
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
