//! Creates topics.

use std::time::Duration;

use rskafka::{
    BackoffError,
    client::error::{Error as KafkaError, ProtocolError},
};
use tokio::time::sleep;

use crate::client::Connection;

impl Connection {
    /// Creates a topic with the cluster's default replication factor.
    ///
    /// Succeeds if the topic already exists. If the broker that was the controller no longer is,
    /// looks up the controller again, up to 12 times.
    ///
    /// # Errors
    /// The cluster did not create the topic.
    pub async fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), KafkaError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let created = self
                .controller_client()?
                .create_topic(topic, partitions, DEFAULT_REPLICATION, CREATE_TIMEOUT_MS)
                .await;
            let Err(error) = created else {
                return Ok(());
            };
            match protocol_error(&error) {
                Some(ProtocolError::TopicAlreadyExists) => return Ok(()),
                Some(ProtocolError::NotController) if attempts < ATTEMPTS_MAX => {
                    sleep(RETRY_PAUSE).await;
                }
                _ => return Err(error),
            }
        }
    }
}

/// The broker's error, whether or not the client considers it retriable.
fn protocol_error(error: &KafkaError) -> Option<ProtocolError> {
    match error {
        KafkaError::ServerError { protocol_error, .. } => Some(*protocol_error),
        KafkaError::RetryFailed(BackoffError::DeadlineExceded { source, .. }) => {
            source.downcast_ref().and_then(protocol_error)
        }
        _ => None,
    }
}

/// The attempts and the pauses between them outlast the one or two seconds of an election.
const ATTEMPTS_MAX: usize = 12;
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// How long the controller waits for the new topic before it responds.
const CREATE_TIMEOUT_MS: i32 = 5_000;
/// Selects the broker's `default.replication.factor`.
const DEFAULT_REPLICATION: i16 = -1;
