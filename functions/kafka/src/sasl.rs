//! The SASL mechanism and the credentials.

use std::sync::Arc;

use rskafka::client::{Credentials, SaslConfig};
use sluice_aws::{CredentialsError, Secret, SettingsError, Variables, one_of};

use crate::{
    extension::{SECRET_ARN, SecretsExtension},
    login::Login,
    msk_iam::MskIam,
    protocol::PROTOCOL,
};

const MECHANISM: &str = "KAFKA_SASL_MECHANISM";
const USERNAME: &str = "KAFKA_SASL_USERNAME";
const PASSWORD: &str = "KAFKA_SASL_PASSWORD";

/// All variables that apply to SASL only.
pub(crate) const VARIABLES: &[&str] = &[MECHANISM, USERNAME, PASSWORD, SECRET_ARN];

/// How to authenticate. Clones share fetched credentials.
#[derive(Debug, Clone)]
pub(crate) enum Sasl {
    /// With a user name and password.
    Login(Mechanism, Source),
    /// With a token signed with IAM credentials.
    MskIam(Arc<MskIam>),
}

/// A mechanism that takes a user name and password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

/// The source of the user name and password.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Environment(Login),
    Extension(Arc<SecretsExtension>),
}

/// What may help after a broker has rejected the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing: the user name and password are from the environment and cannot change.
    None,
    /// Fetching the secret again, since the password may have changed.
    Fetch,
    /// Waiting and connecting again, which signs a new token.
    ///
    /// Amazon MSK also responds this way to too many simultaneous connects
    /// (aws/aws-msk-iam-auth#28).
    Time,
}

impl Sasl {
    /// Reads the variables and rejects contradictory ones.
    pub(crate) fn from_variables(
        variables: &Variables<'_>,
        brokers: &[String],
        tls: bool,
    ) -> Result<Self, SettingsError> {
        let Some(mechanism) = variables.word(MECHANISM, MECHANISMS)? else {
            let expected = one_of(MECHANISMS);
            return Err(SettingsError::new(MECHANISM, "not set", &expected));
        };
        if let Some(mechanism) = mechanism {
            return Ok(Self::Login(mechanism, Source::from_variables(variables)?));
        }
        let because = format!("{MECHANISM} is {MSK_IAM}");
        if !tls {
            let expected = format!("SASL_SSL, since {because}");
            return Err(SettingsError::quoting(
                PROTOCOL,
                "SASL_PLAINTEXT",
                &expected,
            ));
        }
        variables.none_of(&[USERNAME, PASSWORD, SECRET_ARN], &because)?;
        let signer = MskIam::from_variables(variables, brokers)?;
        Ok(Self::MskIam(Arc::new(signer)))
    }

    /// The client's SASL configuration for one session.
    pub(crate) async fn config(&self) -> Result<SaslConfig, CredentialsError> {
        // The futures that may fetch are boxed: they are large, and rarely needed.
        let (mechanism, login) = match self {
            Self::MskIam(signer) => return Box::pin(signer.sasl()).await,
            Self::Login(mechanism, Source::Environment(login)) => (mechanism, login.clone()),
            Self::Login(mechanism, Source::Extension(secret)) => {
                (mechanism, Box::pin(secret.login()).await?)
            }
        };
        let credentials = Credentials::new(login.username, login.password.reveal().to_owned());
        Ok(match mechanism {
            Mechanism::Plain => SaslConfig::Plain(credentials),
            Mechanism::ScramSha256 => SaslConfig::ScramSha256(credentials),
            Mechanism::ScramSha512 => SaslConfig::ScramSha512(credentials),
        })
    }

    /// What may help after a broker has rejected the credentials.
    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Login(_, Source::Environment(_)) => Remedy::None,
            Self::Login(_, Source::Extension(_)) => Remedy::Fetch,
            Self::MskIam(_) => Remedy::Time,
        }
    }

    /// Drops cached credentials. Those from the environment stay.
    pub(crate) fn forget(&self) {
        match self {
            Self::Login(_, Source::Environment(_)) => {}
            Self::Login(_, Source::Extension(extension)) => extension.forget(),
            Self::MskIam(signer) => signer.forget(),
        }
    }

    /// The extension that the credentials are fetched from, if any.
    pub(crate) fn extension(&self) -> Option<&SecretsExtension> {
        match self {
            Self::Login(_, Source::Extension(extension)) => Some(extension),
            Self::Login(_, Source::Environment(_)) | Self::MskIam(_) => None,
        }
    }
}

impl Source {
    fn from_variables(variables: &Variables<'_>) -> Result<Self, SettingsError> {
        if let Some(arn) = variables.find(SECRET_ARN) {
            variables.none_of(&[USERNAME, PASSWORD], &format!("{SECRET_ARN} is set"))?;
            let extension = SecretsExtension::from_variables(variables, arn)?;
            return Ok(Self::Extension(Arc::new(extension)));
        }
        let username = variables.require(
            USERNAME,
            &format!("a user name (or set {SECRET_ARN} instead)"),
        )?;
        let password = variables.require(PASSWORD, &format!("the password of {USERNAME}"))?;
        Ok(Self::Environment(Login {
            username,
            password: Secret::new(password),
        }))
    }
}

/// The mechanisms by name; `None` for the one that takes no password.
const MECHANISMS: &[(&str, Option<Mechanism>)] = &[
    ("PLAIN", Some(Mechanism::Plain)),
    ("SCRAM-SHA-256", Some(Mechanism::ScramSha256)),
    ("SCRAM-SHA-512", Some(Mechanism::ScramSha512)),
    (MSK_IAM, None),
];
/// The mechanism's name in Amazon's client library for Java.
const MSK_IAM: &str = "AWS_MSK_IAM";
