//! How a connection is secured, in Kafka's own words.

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

/// How a connection is secured: the default is not at all.
///
/// Clones share the credentials that they fetched.
#[derive(Clone, Default)]
pub struct Security {
    tls: Option<Arc<ClientConfig>>,
    sasl: Option<Sasl>,
}

impl Security {
    /// Reads the variables, and refuses what does not fit together.
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

    /// What TLS needs, where the protocol has it.
    pub(crate) fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.clone()
    }

    /// What one session authenticates with, where the protocol has it.
    ///
    /// A secret may have to be fetched first, in one request or two, each of
    /// which is given 800 ms.
    /// What is returned shows its password when it is printed.
    ///
    /// # Errors
    /// The secret cannot be read.
    pub(crate) async fn sasl(&self) -> Result<Option<SaslConfig>, CredentialsError> {
        match &self.sasl {
            None => Ok(None),
            Some(sasl) => sasl.config().await.map(Some),
        }
    }

    /// Whether credentials can be had during invocations only, so that
    /// connecting before the first one would fail.
    pub fn needs_invocation(&self) -> bool {
        self.extension().is_some()
    }

    /// What may help after a broker refused the credentials.
    pub fn remedy(&self) -> Remedy {
        self.sasl.as_ref().map_or(Remedy::None, Sasl::remedy)
    }

    /// Has the next session fetch its credentials again, where it fetches any: a
    /// broker refused these.
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
            // All of its hundred authorities would be printed.
            .field("tls", &self.tls.is_some())
            .field("sasl", &self.sasl)
            .finish()
    }
}

#[cfg(test)]
#[path = "security/tests.rs"]
mod tests;
