//! AWS credentials from an endpoint that the environment names.
//!
//! The hosts that may be asked, and the format of the answer:
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use hyper::{Uri, header::AUTHORIZATION};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{
    credentials::{AwsCredentials, CredentialsError},
    fetch::{FetchError, fetch, has_usable_port},
    file::read_text,
    secret::Secret,
    variables::{SettingsError, Variables},
};

/// The variable with the endpoint.
pub const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// The variable with the token that the endpoint requires.
pub const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
/// The variable with a file that holds this token. The file may change.
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// An endpoint, and the credentials that it returned last.
#[derive(Debug)]
pub struct Container {
    uri: Uri,
    token: Token,
    /// Locked during a fetch, so that connections opened together share it.
    kept: Mutex<Option<Kept>>,
    /// Whether `kept` was refused and nothing newer has been fetched since.
    refused: AtomicBool,
}

#[derive(Debug)]
enum Token {
    None,
    Value(Secret),
    File(String),
}

#[derive(Debug)]
struct Kept {
    credentials: AwsCredentials,
    expiration: DateTime<Utc>,
    /// When a fetch of newer ones last failed.
    failed: Option<DateTime<Utc>>,
}

/// Credentials are replaced this long before they expire, so that a token that
/// they signed does not outlive them by much.
const REFRESH_BEFORE: TimeDelta = TimeDelta::minutes(5);

/// A fetch that failed is not repeated for this long while there are credentials
/// to use: one after the other, all callers would wait for it to time out.
const RETRY_AFTER: TimeDelta = TimeDelta::seconds(1);

impl Container {
    /// The endpoint, if the environment names one.
    pub(crate) fn from_variables(variables: &Variables<'_>) -> Result<Option<Self>, SettingsError> {
        let Some(found) = variables.find(FULL_URI) else {
            return Ok(None);
        };
        let uri = Uri::try_from(found.as_str())
            .ok()
            .filter(may_be_asked)
            .ok_or_else(|| SettingsError::quoting(FULL_URI, &found, FULL_URI_EXPECTED))?;
        let token = match (variables.find(TOKEN_FILE), variables.find(TOKEN)) {
            (Some(path), _) => Token::File(path),
            (None, Some(token)) => Token::Value(Secret::new(token)),
            (None, None) => Token::None,
        };
        Ok(Some(Self {
            uri,
            token,
            kept: Mutex::new(None),
            refused: AtomicBool::new(false),
        }))
    }

    /// Tells that the credentials were refused, so that new ones are fetched.
    pub(crate) fn forget(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// The credentials to use at this time.
    ///
    /// New ones are fetched shortly before the last ones expire, or once these
    /// were refused. If the fetch fails, the last ones are used until they expire.
    pub(crate) async fn current(
        &self,
        now: DateTime<Utc>,
    ) -> Result<AwsCredentials, CredentialsError> {
        let mut kept = self.kept.lock().await;
        let refused = self.refused.load(Ordering::Relaxed);
        if let Some(last) = &*kept
            && (!refused && last.is_fresh(now) || last.has_just_failed(now))
        {
            return Ok(last.credentials.clone());
        }
        match self.fetch().await {
            Ok(fetched) => {
                // Not before: a fetch that fails or is cancelled has to be repeated.
                self.refused.store(false, Ordering::Relaxed);
                Ok(kept.insert(fetched).credentials.clone())
            }
            Err(cause) => match &mut *kept {
                Some(last) if now < last.expiration => {
                    last.failed = Some(now);
                    Ok(last.credentials.clone())
                }
                _ => Err(CredentialsError::new(FULL_URI, cause)),
            },
        }
    }

    async fn fetch(&self) -> Result<Kept, FetchError> {
        let token = match &self.token {
            Token::None => None,
            Token::Value(token) => Some(token.clone()),
            Token::File(path) => Some(token_of(path)?),
        };
        let header = token.as_ref().map(|token| (AUTHORIZATION, token));
        parse(&fetch(&self.uri, header).await?)
    }
}

impl Kept {
    /// Whether these are far from expiring.
    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        now < self.expiration - REFRESH_BEFORE
    }

    /// Whether a fetch failed less than a second ago and these are still valid.
    fn has_just_failed(&self, now: DateTime<Utc>) -> bool {
        let failed = self.failed.filter(|_| now < self.expiration);
        failed.is_some_and(|failed| (now - failed).abs() < RETRY_AFTER)
    }
}

const FULL_URI_EXPECTED: &str = "http://HOST:PORT/PATH, where the host is loopback, 169.254.170.2, 169.254.170.23 or [fd00:ec2::23]";

/// Hosts beyond loopback that answer without TLS: those of ECS and of EKS.
const LINK_LOCAL: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

/// Whether credentials may be fetched from there.
fn may_be_asked(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host_is_near = match bare.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || LINK_LOCAL.contains(&address),
        Err(_) => host == "localhost",
    };
    uri.scheme_str() == Some("http") && has_usable_port(uri) && host_is_near
}

/// A token has at most this many bytes; EKS's have about 1,000.
const TOKEN_BYTES_MAX: u64 = 16 * 1024;

fn token_of(path: &str) -> Result<Secret, FetchError> {
    match read_text(Path::new(path), TOKEN_BYTES_MAX) {
        Ok(text) => Ok(Secret::new(text.trim_end_matches('\n'))),
        Err(source) => Err(FetchError::TokenFile {
            path: path.to_owned(),
            source,
        }),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: String,
}

/// Drops the parser's error, since it quotes what it found.
fn parse(document: &[u8]) -> Result<Kept, FetchError> {
    let unexpected = FetchError::Unexpected(
        "JSON with AccessKeyId, SecretAccessKey, Token and an RFC 3339 Expiration",
    );
    let Ok(document) = serde_json::from_slice::<Document>(document) else {
        return Err(unexpected);
    };
    let Ok(expiration) = DateTime::parse_from_rfc3339(&document.expiration) else {
        return Err(unexpected);
    };
    let texts = [
        &document.access_key_id,
        &document.secret_access_key,
        &document.token,
    ];
    if texts.iter().any(|text| text.is_empty()) {
        return Err(unexpected);
    }
    Ok(Kept {
        credentials: AwsCredentials {
            access_key_id: document.access_key_id,
            secret_access_key: Secret::new(document.secret_access_key),
            session_token: Some(Secret::new(document.token)),
        },
        expiration: expiration.to_utc(),
        failed: None,
    })
}

#[cfg(test)]
#[path = "container/tests.rs"]
mod tests;
