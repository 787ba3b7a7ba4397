//! The token that Amazon MSK takes for IAM credentials.
//!
//! It is the URL of a request that is never made, signed as if it were: see
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
//! and, for what MSK expects, <https://github.com/aws/aws-msk-iam-sasl-signer-python>.

use std::{error::Error, fmt::Write, sync::Arc};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rskafka::client::{OauthBearerCredentials, SaslConfig};
use sha2::{Digest, Sha256};
use sluice_aws::{
    AwsCredentials, AwsCredentialsSource, CredentialsError, SettingsError, Variables,
};

/// The variable with the region, for brokers whose names do not tell.
const REGION: &str = "AWS_REGION";

/// Signs tokens for one cluster.
#[derive(Debug)]
pub(crate) struct MskIam {
    region: String,
    credentials: AwsCredentialsSource,
}

impl MskIam {
    /// Finds out for which region to sign, and as whom.
    pub(crate) fn from_variables(
        variables: &Variables<'_>,
        brokers: &[String],
    ) -> Result<Self, SettingsError> {
        let region = match brokers.iter().find_map(|broker| region_of(broker)) {
            Some(region) => region.to_owned(),
            None => variables.require(REGION, REGION_EXPECTED)?,
        };
        if !is_region(&region) {
            return Err(SettingsError::quoting(REGION, &region, REGION_EXPECTED));
        }
        Ok(Self {
            region,
            credentials: AwsCredentialsSource::from_variables(variables)?,
        })
    }

    /// SASL/OAUTHBEARER with a token of its own for every connection, without
    /// the extensions that the mechanism allows: MSK defines none.
    ///
    /// # Errors
    /// There are no credentials to sign a token with. That is found out here,
    /// since the client would take it for an error of a broker.
    pub(crate) async fn sasl(self: &Arc<Self>) -> Result<SaslConfig, CredentialsError> {
        self.credentials.current(Utc::now()).await?;
        let signer = Arc::clone(self);
        Ok(SaslConfig::Oauthbearer(OauthBearerCredentials {
            callback: Arc::new(move || {
                let signer = Arc::clone(&signer);
                Box::pin(async move {
                    signer
                        .token(Utc::now())
                        .await
                        .map_err(|error| one_line(&error))
                })
            }),
            authz_id: None,
            bearer_kvs: Vec::new(),
        }))
    }

    /// Has credentials fetched anew, where they are fetched: a broker refused these.
    pub(crate) fn forget(&self) {
        self.credentials.forget();
    }

    async fn token(&self, now: DateTime<Utc>) -> Result<String, CredentialsError> {
        let credentials = self.credentials.current(now).await?;
        Ok(token(&self.region, &credentials, now, USER_AGENT))
    }
}

/// The client shows of this error what it displays, and not its source.
fn one_line(error: &CredentialsError) -> Box<dyn Error + Send + Sync> {
    format!("{error}: {}", error.cause).into()
}

/// Who signed, for the eyes of AWS only: it is no part of what is signed.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

const REGION_EXPECTED: &str = "the cluster's region, which KAFKA_BROKERS does not name";

/// The region in the host name that MSK gave a broker, such as
/// `b-1.c.abc123.c2.kafka.eu-central-1.amazonaws.com:9098`.
fn region_of(broker: &str) -> Option<&str> {
    let (host, _) = broker.rsplit_once(':')?;
    let domain = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let (services, region) = domain.rsplit_once('.')?;
    let service = services.rsplit('.').next()?;
    (matches!(service, "kafka" | "kafka-serverless") && is_region(region)).then_some(region)
}

fn is_region(region: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !region.is_empty() && region.chars().all(allowed)
}

/// Within how many seconds after its making the broker takes a token: what
/// MSK's own signers ask for, and the most that it allows.
const EXPIRES_SECONDS: &str = "900";

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "kafka-cluster";

/// The token for these credentials at this time.
fn token(
    region: &str,
    credentials: &AwsCredentials,
    at: DateTime<Utc>,
    user_agent: &str,
) -> String {
    let host = format!("kafka.{region}.amazonaws.com");
    let date = at.format("%Y%m%d").to_string();
    let time = at.format("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{date}/{region}/{SERVICE}/aws4_request");
    let credential = format!("{}/{scope}", credentials.access_key_id);
    let session = credentials.session_token.as_ref();
    let session = session.map(|token| ("X-Amz-Security-Token", token.reveal()));
    let mut parameters = vec![
        ("Action", "kafka-cluster:Connect"),
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", &time),
        ("X-Amz-Expires", EXPIRES_SECONDS),
        ("X-Amz-SignedHeaders", "host"),
    ];

    // What is signed has the parameters in the order of their names, …
    let mut signed = parameters.clone();
    signed.extend(session);
    signed.sort_unstable();
    let request = format!(
        "GET\n/\n{}\nhost:{host}\n\nhost\n{}",
        query(&signed),
        hex(&Sha256::digest(b""))
    );
    let to_sign = format!(
        "{ALGORITHM}\n{time}\n{scope}\n{}",
        hex(&Sha256::digest(request.as_bytes()))
    );
    let secret = format!("AWS4{}", credentials.secret_access_key.reveal());
    let key = [&date, region, SERVICE, "aws4_request", &to_sign]
        .into_iter()
        .fold(secret.into_bytes(), |key, text| hmac(&key, text));
    let signature = hex(&key);

    // … and the URL in that of the AWS SDK for Rust, which puts two of them last.
    parameters.push(("X-Amz-Signature", &signature));
    parameters.extend(session);
    parameters.push(("User-Agent", user_agent));
    BASE64_URL_SAFE_NO_PAD.encode(format!("https://{host}/?{}", query(&parameters)))
}

/// What RFC 3986 leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn query(parameters: &[(&str, &str)]) -> String {
    let encoded: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, RESERVED)))
        .collect();
    encoded.join("&")
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
#[path = "msk_iam/tests.rs"]
mod tests;
