//! AWS credentials, where a function finds them.

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::{
    container::{self, Container},
    fetch::FetchError,
    secret::Secret,
    variables::{SettingsError, Variables},
};

/// The variables with the credentials themselves.
const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
/// The variable with the token that temporary credentials come with.
pub const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// Who asks AWS, as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsCredentials {
    /// The name of the key.
    pub access_key_id: String,
    /// The key itself.
    pub secret_access_key: Secret,
    /// Temporary credentials have one; Lambda's are temporary.
    pub session_token: Option<Secret>,
}

/// Where credentials come from.
#[derive(Debug)]
pub enum AwsCredentialsSource {
    /// Variables: Lambda replaces the process before these expire.
    Environment(AwsCredentials),
    /// An endpoint: Lambda Managed Instances outlive their credentials.
    Container(Container),
}

impl AwsCredentialsSource {
    /// Finds out where credentials come from: the environment before the
    /// endpoint, as in the AWS SDKs.
    ///
    /// # Errors
    /// There are none, or a variable about them cannot be used.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, SettingsError> {
        let Some(access_key_id) = variables.find(ACCESS_KEY_ID) else {
            return match Container::from_variables(variables)? {
                Some(container) => Ok(Self::Container(container)),
                None => Err(SettingsError::new(
                    ACCESS_KEY_ID,
                    "not set",
                    &format!("AWS credentials, or {} instead", container::FULL_URI),
                )),
            };
        };
        let secret =
            variables.require(SECRET_ACCESS_KEY, &format!("the key of {ACCESS_KEY_ID}"))?;
        Ok(Self::Environment(AwsCredentials {
            access_key_id,
            secret_access_key: Secret::new(secret),
            session_token: variables.find(SESSION_TOKEN).map(Secret::new),
        }))
    }

    /// The credentials to use at this time.
    ///
    /// # Errors
    /// The endpoint does not give them.
    pub async fn current(&self, now: DateTime<Utc>) -> Result<AwsCredentials, CredentialsError> {
        match self {
            Self::Environment(credentials) => Ok(credentials.clone()),
            Self::Container(container) => container.current(now).await,
        }
    }

    /// Has the endpoint asked anew, where there is one: these were refused.
    pub fn forget(&self) {
        match self {
            Self::Environment(_) => {}
            Self::Container(container) => container.forget(),
        }
    }
}

/// There are no credentials to connect with.
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

    /// Whether to try again would be in vain, at least for now: whoever has
    /// the credentials does not give them to us, or gives something else.
    pub fn is_final(&self) -> bool {
        self.cause.is_final()
    }
}
