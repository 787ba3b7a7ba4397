//! Where a function's AWS credentials come from.

use chrono::{DateTime, Utc};

use crate::{
    container::{Container, FULL_URI},
    credentials::{AwsCredentials, CredentialsError},
    secret::Secret,
    variables::{SettingsError, Variables},
};

/// The variables with the credentials themselves.
const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
/// The variable with the token that temporary credentials come with.
pub const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// Where credentials come from.
#[derive(Debug)]
pub enum AwsCredentialsSource {
    /// Variables: Lambda replaces the process before these expire.
    Environment(AwsCredentials),
    /// An endpoint: Lambda Managed Instances outlive their credentials.
    Container(Container),
}

impl AwsCredentialsSource {
    /// Finds out where credentials come from: the environment first, then the
    /// endpoint, as the AWS SDKs do.
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
                    &format!("AWS credentials, or {FULL_URI} instead"),
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
    /// The endpoint does not return any.
    pub async fn current(&self, now: DateTime<Utc>) -> Result<AwsCredentials, CredentialsError> {
        match self {
            Self::Environment(credentials) => Ok(credentials.clone()),
            Self::Container(container) => container.current(now).await,
        }
    }

    /// Tells the source that its credentials were refused. An endpoint is
    /// asked for new ones before the next use.
    pub fn forget(&self) {
        match self {
            Self::Environment(_) => {}
            Self::Container(container) => container.forget(),
        }
    }
}
