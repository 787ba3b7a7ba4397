//! Tokens for Amazon MSK's IAM authentication.
//!
//! A token is the presigned URL of a request that is never sent:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.
//! The parameters that MSK requires: <https://github.com/aws/aws-msk-iam-sasl-signer-python>.

use std::{error::Error, sync::Arc};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::{DateTime, Utc};
use rskafka::client::{OauthBearerCredentials, SaslConfig};
use sluice_aws::{
    AwsCredentials, AwsCredentialsSource, CredentialsError, SettingsError, Variables,
};
use sluice_sigv4::{
    ALGORITHM, DATE_FORMAT, Request, Scope, TIME_FORMAT, canonical_request, query_string,
    sha256_hex, signature, string_to_sign,
};

/// The variable with the region, used if no broker's host name contains it.
const REGION: &str = "AWS_REGION";

/// Signs tokens for one cluster.
#[derive(Debug)]
pub(crate) struct MskIam {
    region: String,
    credentials: AwsCredentialsSource,
}

impl MskIam {
    /// Reads the region from the brokers' host names or the environment, and the credentials.
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

    /// A SASL/OAUTHBEARER configuration that signs a new token for each connection.
    ///
    /// It sets none of the mechanism's optional extensions, since MSK defines none.
    ///
    /// # Errors
    /// The credentials could not be fetched. This is checked here because the client would report
    /// the failure as a broker's error.
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

    /// Drops cached credentials: a broker has rejected them.
    pub(crate) fn forget(&self) {
        self.credentials.forget();
    }

    async fn token(&self, now: DateTime<Utc>) -> Result<String, CredentialsError> {
        let credentials = self.credentials.current(now).await?;
        Ok(token(&self.region, &credentials, now, USER_AGENT))
    }
}

/// Joins an error and its cause: the client displays the error only, not its source.
fn one_line(error: &CredentialsError) -> Box<dyn Error + Send + Sync> {
    format!("{error}: {}", error.cause).into()
}

/// Tells AWS which software signed the token. The signature does not cover it.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

const REGION_EXPECTED: &str =
    "the cluster's region (needed because it cannot be derived from KAFKA_BROKERS)";

/// The region in a host name assigned by MSK, such as
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

/// A token's lifetime in seconds: MSK's maximum, and what MSK's own signers use.
const EXPIRES_SECONDS: &str = "900";

const SERVICE: &str = "kafka-cluster";

/// Signs a token with these credentials at this time.
fn token(
    region: &str,
    credentials: &AwsCredentials,
    at: DateTime<Utc>,
    user_agent: &str,
) -> String {
    let host = format!("kafka.{region}.amazonaws.com");
    let date = at.format(DATE_FORMAT).to_string();
    let time = at.format(TIME_FORMAT).to_string();
    let scope = Scope {
        date: &date,
        region,
        service: SERVICE,
    };
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

    let mut signed = parameters.clone();
    signed.extend(session);
    let request = Request {
        method: "GET",
        path: "/",
        query: &query_string(&signed),
        headers: vec![("host", &host)],
    };
    let canonical = canonical_request(&request, &["host"], &sha256_hex(""));
    let to_sign = string_to_sign(&time, &scope, &canonical);
    let secret = credentials.secret_access_key.reveal();
    let signature = signature(secret, &scope, &to_sign);

    // The session token comes after the signature, as in presigned URLs of the AWS SDK for Rust.
    parameters.push(("X-Amz-Signature", &signature));
    parameters.extend(session);
    parameters.push(("User-Agent", user_agent));
    let query = query_string(&parameters);
    BASE64_URL_SAFE_NO_PAD.encode(format!("https://{host}/?{query}"))
}

#[cfg(test)]
#[path = "msk_iam/tests.rs"]
mod tests;
