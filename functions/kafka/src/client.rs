//! A client that is connected, or an error, within a time.

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

/// A client of the cluster, with everything that it is connected by.
///
/// Once this is dropped, all of its sockets are closed, and what was made from
/// the client can do no more.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    topics: PartitionCounts,
    relay: Relay,
}

impl Settings {
    /// Connects to the cluster, and fails where that takes longer than `within`.
    ///
    /// Between the retries inside one of its calls the client sleeps for half
    /// of `within` at most. The calls themselves are not bounded: put them under
    /// a timeout.
    ///
    /// # Errors
    /// There are no credentials, no broker answered in time, or one answered
    /// what cannot be used.
    pub async fn connect(
        &self,
        client_id: &str,
        within: Duration,
    ) -> Result<Connection, ConnectError> {
        self.open(client_id, within, within / 2).await
    }

    /// Connects as [`connect`](Self::connect) does, each broker being tried
    /// once, with a client that never retries either.
    ///
    /// For callers that must know of each attempt: a record that is sent again
    /// may be stored twice.
    ///
    /// # Errors
    /// As those of [`connect`](Self::connect).
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
        retrying: Duration,
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
                .backoff_config(backoff(retrying))
                .socks5_proxy(relay.address.to_string());
            let builder = match self.security.sasl().await? {
                Some(sasl) => builder.sasl_config(sasl),
                None => builder,
            };
            // Boxed, since it is large, and whatever awaits this would be as large.
            Box::pin(builder.build()).await.map_err(|error| {
                let brokers = relay.state.broker_errors();
                refused(&relay).unwrap_or(ConnectError::Failed { brokers, error })
            })
        };
        let client = timeout(within, building).await.unwrap_or_else(|_| {
            let brokers = relay.state.broker_errors();
            Err(refused(&relay).unwrap_or(ConnectError::Timeout { within, brokers }))
        })?;
        Ok(Connection {
            client,
            topics: relay.state.connected(),
            relay,
        })
    }
}

/// A broker's reason for refusing the credentials tells more than that no other
/// broker could be connected with, or not in time.
fn refused(relay: &Relay) -> Option<ConnectError> {
    relay.state.refusal().map(ConnectError::Refused)
}

impl Connection {
    /// The topics that we may see, as the cluster listed them while this was
    /// connected. The next call finds none.
    pub fn take_topics(&mut self) -> PartitionCounts {
        std::mem::take(&mut self.topics)
    }

    /// Whether what is sent `now` is likely to be lost: a broker has ended its
    /// connection, or soon will, since the session that was authenticated ends.
    pub fn is_over(&self, now: SystemTime) -> bool {
        let state = &self.relay.state;
        state.is_cut() || state.expires().is_some_and(|expires| now >= expires)
    }

    /// Until when brokers asked for no more records, where one did. A record
    /// sent earlier waits at the broker, unread. Time goes on for that while a
    /// function is frozen.
    pub fn throttled_until(&self) -> Option<Instant> {
        self.relay.state.throttled_until()
    }

    /// That a broker refused the credentials, where one did.
    pub fn refusal(&self) -> Option<Refusal> {
        self.relay.state.refusal()
    }

    /// Why the brokers failed that the client could not use.
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

/// There is no connection to the cluster.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is nothing to authenticate with.
    #[error("no credentials for Kafka")]
    Credentials(#[from] CredentialsError),
    /// No broker could be reached, or one answered what cannot be used.
    #[error("cannot connect to Kafka{}", reason(brokers, error))]
    Failed {
        /// Why the brokers failed that were tried.
        brokers: BrokerErrors,
        /// The client's own error. Our relay caused it, so beside those of brokers it is no reason.
        error: KafkaError,
    },
    /// A broker does not accept who we are.
    #[error("cannot connect to Kafka")]
    Refused(#[source] Refusal),
    /// The client has nothing to connect through.
    #[error("cannot listen on loopback")]
    Relay(#[source] io::Error),
    /// There is no connection with a broker.
    #[error("cannot connect to Kafka{0}")]
    Unreachable(BrokerErrors),
    /// No broker answered in time.
    #[error("no broker answered within {} ms{brokers}", .within.as_millis())]
    Timeout {
        /// The time given.
        within: Duration,
        /// Why the brokers failed that were tried.
        brokers: BrokerErrors,
    },
}

/// The first retry comes after this time: long enough for a broker that just
/// closed an idle connection, too short for a person to notice.
const RETRY_AFTER: Duration = Duration::from_millis(10);
/// Retries are at most this far apart: an election takes about a second, and
/// its end should not be slept through.
const RETRY_AFTER_MAX: Duration = Duration::from_millis(250);

/// The client's own retries end once it slept for so long between them; none
/// at all comes where that is no time.
pub(crate) fn backoff(retrying: Duration) -> BackoffConfig {
    BackoffConfig {
        init_backoff: RETRY_AFTER,
        max_backoff: RETRY_AFTER_MAX,
        base: 2.0,
        deadline: Some(retrying),
    }
}

#[cfg(test)]
#[path = "client/tests.rs"]
mod tests;
