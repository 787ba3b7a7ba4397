//! Why one attempt at storing a record failed.

use std::{sync::Arc, time::Duration};

use rskafka::client::error::Error as KafkaError;
use sluice_kafka::{BrokerErrors, ConnectError, Connection, Refusal};
use thiserror::Error;

/// Why one attempt at storing a record failed.
#[derive(Debug, Error)]
pub enum AttemptError {
    /// There is no connection to the cluster.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The topic does not exist, or is hidden from us.
    #[error("there is no topic {0:?} to be seen")]
    NoTopic(String),
    /// The topic exists, and its partitions do not yet.
    #[error("the topic {0:?} has no partitions yet")]
    NoPartitions(String),
    /// A broker no longer accepts who we are.
    #[error("cannot connect to Kafka")]
    Refused(#[source] Refusal),
    /// Kafka could not be asked for topics, or for a partition's leader.
    #[error("cannot find the partition{brokers}")]
    Lookup {
        /// Why brokers failed.
        brokers: BrokerErrors,
        /// The error of the client.
        source: KafkaError,
    },
    /// The record was sent, and then the broker, or the connection, failed.
    #[error("cannot store the record{brokers}")]
    Produce {
        /// Why brokers failed.
        brokers: BrokerErrors,
        /// The error of the client.
        source: KafkaError,
    },
    /// The broker confirmed something other than the one record sent.
    #[error("Kafka confirmed {0} records instead of 1")]
    Unconfirmed(usize),
    /// Nothing came back in time.
    #[error("no answer from Kafka in time, {0}{1}")]
    Late(Step, BrokerErrors),
    /// The deadline had come before the record could be sent.
    #[error("no time left to send the record")]
    Expired,
    /// The brokers ask for no more records until after the deadline.
    #[error("Kafka throttles for {} ms more", .0.as_millis())]
    Throttled(Duration),
    /// Other records were in the way until the deadline.
    #[error("{0} records were waiting for their confirmation already")]
    Busy(usize),
    /// What others waited for as well.
    #[error(transparent)]
    Shared(Arc<Self>),
    /// The process ends.
    #[error("connecting was abandoned")]
    Abandoned,
}

impl AttemptError {
    /// What failed before anything was sent. Refused credentials are told apart
    /// from the rest by what the broker said.
    pub(super) fn lookup(connection: &Connection, source: KafkaError) -> Self {
        connection.refusal().map_or_else(
            || Self::Lookup {
                brokers: connection.broker_errors(),
                source,
            },
            Self::Refused,
        )
    }
}

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Step {
    /// Finding the cluster, the topic and the partition: nothing was sent.
    #[error("connecting")]
    Connecting,
    /// Waiting for the confirmation of a record that was sent.
    #[error("confirming the record")]
    Confirming,
}
