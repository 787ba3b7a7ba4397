//! TLS and SASL settings, named as in Kafka's own configuration.

use std::{fmt, sync::Arc};

use rskafka::client::SaslConfig;
use rustls::ClientConfig;
use sluice_aws::{CredentialsError, SettingsError, Variables};

use crate::{
    extension::SecretsExtension,
    protocol::{PROTOCOL, PROTOCOL_DEFAULT, PROTOCOLS},
    sasl::{self, Remedy, Sasl},
    tls::{self, CA},
};

/// The TLS and SASL settings of a connection. The default is neither.
///
/// Clones share fetched credentials.
#[derive(Clone, Default)]
pub struct Security {
    tls: Option<Arc<ClientConfig>>,
    sasl: Option<Sasl>,
}

impl Security {
    /// Reads the variables and rejects contradictory ones.
    pub(crate) fn from_variables(
        variables: &Variables<'_>,
        brokers: &[String],
    ) -> Result<Self, SettingsError> {
        let protocol = variables.word(PROTOCOL, PROTOCOLS)?.unwrap_or_default();
        let word = variables.find(PROTOCOL);
        let because = format!(
            "{PROTOCOL} is {}",
            word.as_deref().unwrap_or(PROTOCOL_DEFAULT)
        );
        let tls = if protocol.tls {
            Some(tls::client_config(variables.find(CA).as_deref())?)
        } else {
            variables.none_of(&[CA], &because)?;
            None
        };
        let sasl = if protocol.sasl {
            Some(Sasl::from_variables(variables, brokers, protocol.tls)?)
        } else {
            variables.none_of(sasl::VARIABLES, &because)?;
            None
        };
        Ok(Self { tls, sasl })
    }

    /// The TLS configuration, if the protocol uses TLS.
    pub(crate) fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.clone()
    }

    /// The SASL configuration for one session, if the protocol uses SASL.
    ///
    /// May fetch a secret first: one or two requests of at most 800 ms each. The `Debug` output of
    /// the result contains the password.
    ///
    /// # Errors
    /// The credentials could not be fetched.
    pub(crate) async fn sasl(&self) -> Result<Option<SaslConfig>, CredentialsError> {
        match &self.sasl {
            None => Ok(None),
            Some(sasl) => sasl.config().await.map(Some),
        }
    }

    /// Whether credentials can be fetched during invocations only.
    ///
    /// If so, connecting before the first invocation fails.
    pub fn needs_invocation(&self) -> bool {
        self.extension().is_some()
    }

    /// What may help after a broker has rejected the credentials.
    pub fn remedy(&self) -> Remedy {
        self.sasl.as_ref().map_or(Remedy::None, Sasl::remedy)
    }

    /// Drops cached credentials, so that the next session fetches new ones.
    ///
    /// Call this after a broker has rejected the credentials.
    pub fn forget(&self) {
        if let Some(sasl) = &self.sasl {
            sasl.forget();
        }
    }

    fn extension(&self) -> Option<&SecretsExtension> {
        self.sasl.as_ref().and_then(Sasl::extension)
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            // The configuration itself would print over a hundred certificate authorities.
            .field("tls", &self.tls.is_some())
            .field("sasl", &self.sasl)
            .finish()
    }
}

#[cfg(test)]
#[path = "security/tests.rs"]
mod tests;
