//! Why an attempt to store a record failed.

use std::{sync::Arc, time::Duration};

use rskafka::client::error::Error as KafkaError;
use sluice_kafka::{BrokerErrors, ConnectError, Connection, Refusal};
use thiserror::Error;

/// Why an attempt to store a record failed.
#[derive(Debug, Error)]
pub enum AttemptError {
    /// There is no connection to the cluster.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The topic does not exist, or the function may not see it.
    #[error("there is no topic {0:?} to be seen")]
    NoTopic(String),
    /// The topic exists, but its partitions do not yet.
    #[error("the topic {0:?} has no partitions yet")]
    NoPartitions(String),
    /// A broker refused the credentials.
    #[error("cannot connect to Kafka")]
    Refused(#[source] Refusal),
    /// The topics or the partition's leader could not be found.
    #[error("cannot find the partition{brokers}")]
    Lookup {
        /// The errors of brokers.
        brokers: BrokerErrors,
        /// The error of the client.
        source: KafkaError,
    },
    /// The record was sent, and the broker or the connection failed.
    #[error("cannot store the record{brokers}")]
    Produce {
        /// The errors of brokers.
        brokers: BrokerErrors,
        /// The error of the client.
        source: KafkaError,
    },
    /// The broker confirmed something other than the one record sent.
    #[error("Kafka confirmed {0} records instead of 1")]
    Unconfirmed(usize),
    /// No response in time.
    #[error("no answer from Kafka in time, {0}{1}")]
    Late(Step, BrokerErrors),
    /// The deadline passed before the record could be sent.
    #[error("no time left to send the record")]
    Expired,
    /// The brokers throttle until after the deadline.
    #[error("Kafka throttles for {} ms more", .0.as_millis())]
    Throttled(Duration),
    /// Other records were in flight until the deadline.
    #[error("{0} records were waiting for their confirmation already")]
    Busy(usize),
    /// An error that other records share.
    #[error(transparent)]
    Shared(Arc<Self>),
    /// The process is ending.
    #[error("connecting was abandoned")]
    Abandoned,
}

impl AttemptError {
    /// An error before anything was sent. Refused credentials are recognised by the broker's error.
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

/// The step that timed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Step {
    /// Finding the cluster, the topic and the partition: nothing was sent.
    #[error("connecting")]
    Connecting,
    /// Waiting for the confirmation of a record that was sent.
    #[error("confirming the record")]
    Confirming,
}
