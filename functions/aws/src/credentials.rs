//! AWS credentials, and the error of a source that has none.

use thiserror::Error;

use crate::{fetch::FetchError, secret::Secret};

/// What signs a request to AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsCredentials {
    /// The key's id.
    pub access_key_id: String,
    /// The key itself.
    pub secret_access_key: Secret,
    /// The token of temporary credentials; Lambda's are temporary.
    pub session_token: Option<Secret>,
}

/// The credentials that a variable leads to cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the credentials that {variable} names")]
pub struct CredentialsError {
    /// The variable that says where they are.
    pub variable: &'static str,
    /// Why they cannot be read.
    #[source]
    pub cause: FetchError,
}

impl CredentialsError {
    /// An error about the credentials that a variable leads to.
    pub fn new(variable: &'static str, cause: FetchError) -> Self {
        Self { variable, cause }
    }

    /// Whether another fetch would fail as well, at least for now: the endpoint
    /// refuses us, or its answer cannot be used.
    pub fn is_final(&self) -> bool {
        self.cause.is_final()
    }
}
