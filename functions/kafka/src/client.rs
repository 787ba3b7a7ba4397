//! Connects a client to the cluster within a time limit.

use std::{
    io,
    ops::Deref,
    time::{Duration, Instant, SystemTime},
};

use rskafka::{
    BackoffConfig,
    client::{Client, ClientBuilder, error::Error as KafkaError},
};
use sluice_aws::CredentialsError;
use thiserror::Error;
use tokio::time::timeout;

use crate::{
    relay::{BrokerErrors, FRAME_BYTES_MAX, PartitionCounts, Refusal, Relay, encode_host},
    settings::Settings,
};

/// A connected client, together with the relay that its connections pass through.
///
/// Dropping it closes all of its sockets: partition clients created from it stop working.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    topics: PartitionCounts,
    relay: Relay,
}

impl Settings {
    /// Connects to the cluster, or fails after `within`.
    ///
    /// The client retries failed calls, with at most half of `within` spent on backoff per call.
    /// The calls themselves have no time limit: wrap them in a timeout.
    ///
    /// # Errors
    /// There are no credentials, the brokers rejected them, no broker responded in time, or a
    /// broker sent an invalid response.
    pub async fn connect(
        &self,
        client_id: &str,
        within: Duration,
    ) -> Result<Connection, ConnectError> {
        self.open(client_id, within, within / 2).await
    }

    /// Like [`connect`](Self::connect), but tries each broker once and never retries a call.
    ///
    /// For callers that must control each attempt: a record that is sent twice may be stored twice.
    ///
    /// # Errors
    /// The same as those of [`connect`](Self::connect).
    pub async fn connect_once(
        &self,
        client_id: &str,
        within: Duration,
    ) -> Result<Connection, ConnectError> {
        self.open(client_id, within, Duration::ZERO).await
    }

    async fn open(
        &self,
        client_id: &str,
        within: Duration,
        backoff_max: Duration,
    ) -> Result<Connection, ConnectError> {
        let relay = Relay::start(self.security.tls())
            .await
            .map_err(ConnectError::Relay)?;
        let brokers = self.brokers.iter().map(|broker| encode_host(broker));
        let brokers = brokers.collect();
        let building = async {
            let builder = ClientBuilder::new(brokers)
                .client_id(client_id)
                .max_message_size(FRAME_BYTES_MAX)
                .backoff_config(backoff(backoff_max))
                .socks5_proxy(relay.address.to_string());
            let builder = match self.security.sasl().await? {
                Some(sasl) => builder.sasl_config(sasl),
                None => builder,
            };
            // Boxed because it is large: every future that awaits this one would be as large.
            Box::pin(builder.build()).await.map_err(|error| {
                let brokers = relay.state.broker_errors();
                rejected(&relay).unwrap_or(ConnectError::Failed { brokers, error })
            })
        };
        let client = timeout(within, building).await.unwrap_or_else(|_| {
            let brokers = relay.state.broker_errors();
            Err(rejected(&relay).unwrap_or(ConnectError::Timeout { within, brokers }))
        })?;
        Ok(Connection {
            client,
            topics: relay.state.connected(),
            relay,
        })
    }
}

/// The error if a broker rejected the credentials.
///
/// It takes precedence over a timeout or the connect errors of other brokers, since it says more.
pub(crate) fn rejected(relay: &Relay) -> Option<ConnectError> {
    relay.state.refusal().map(ConnectError::Refused)
}

impl Connection {
    /// Takes the topics that the cluster listed while the client connected.
    ///
    /// They are the topics that the client is authorized to see. Later calls return none.
    pub fn take_topics(&mut self) -> PartitionCounts {
        std::mem::take(&mut self.topics)
    }

    /// Whether this connection should be replaced before anything is sent on it.
    ///
    /// That is so once a broker has closed a connection, or soon will, because its authenticated
    /// session expires.
    pub fn is_over(&self, now: SystemTime) -> bool {
        let state = &self.relay.state;
        state.is_connection_lost() || state.expires().is_some_and(|expires| now >= expires)
    }

    /// When the current throttling ends, if a broker has throttled this client.
    ///
    /// The broker does not read a record that arrives before then. Time during which the function
    /// is frozen counts.
    pub fn throttled_until(&self) -> Option<Instant> {
        self.relay.state.throttled_until()
    }

    /// The error with which a broker rejected the credentials, if one did.
    pub fn refusal(&self) -> Option<Refusal> {
        self.relay.state.refusal()
    }

    /// The last error of each broker that failed.
    pub fn broker_errors(&self) -> BrokerErrors {
        self.relay.state.broker_errors()
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

fn reason(brokers: &BrokerErrors, error: &KafkaError) -> String {
    let brokers = brokers.to_string();
    if brokers.is_empty() {
        format!(": {error}")
    } else {
        brokers
    }
}

/// Connecting to the cluster failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The credentials could not be fetched.
    #[error("no credentials for Kafka")]
    Credentials(#[from] CredentialsError),
    /// No broker could be reached, or a broker sent an invalid response.
    #[error("cannot connect to Kafka{}", reason(brokers, error))]
    Failed {
        /// The last error of each broker that was tried.
        brokers: BrokerErrors,
        /// The client's error. It is displayed only if `brokers` is empty, since otherwise the
        /// relay caused it.
        error: KafkaError,
    },
    /// A broker rejected the credentials.
    #[error("cannot connect to Kafka")]
    Refused(#[source] Refusal),
    /// The relay could not be started.
    #[error("cannot listen on loopback")]
    Relay(#[source] io::Error),
    /// The broker could not be reached, or closed the connection.
    #[error("cannot connect to Kafka{0}")]
    Unreachable(BrokerErrors),
    /// No broker responded in time.
    #[error("connecting to Kafka timed out after {} ms{brokers}", .within.as_millis())]
    Timeout {
        /// The time limit.
        within: Duration,
        /// The last error of each broker that was tried.
        brokers: BrokerErrors,
    },
}

/// The backoff before the first retry.
///
/// It suffices if a broker just closed an idle connection, and is too short for a person to notice.
const BACKOFF_FIRST: Duration = Duration::from_millis(10);
/// The longest backoff: a leader election takes about a second, and a retry should follow it soon.
const BACKOFF_MAX: Duration = Duration::from_millis(250);

/// Backoff for the client's retries, `total_max` in total. Zero disables retries.
pub(crate) fn backoff(total_max: Duration) -> BackoffConfig {
    BackoffConfig {
        init_backoff: BACKOFF_FIRST,
        max_backoff: BACKOFF_MAX,
        base: 2.0,
        deadline: Some(total_max),
    }
}

#[cfg(test)]
#[path = "client/tests.rs"]
mod tests;
