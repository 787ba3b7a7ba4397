//! Topics that are to be there.

use std::time::Duration;

use rskafka::{
    BackoffError,
    client::error::{Error as KafkaError, ProtocolError},
};
use tokio::time::sleep;

use crate::client::Connection;

impl Connection {
    /// Creates a topic with the cluster's own replication, unless it is there
    /// already: somebody else may just have created it.
    ///
    /// The broker that is taken for the controller may no longer be it, and no
    /// other may be elected yet: it is asked for again, up to a bound.
    ///
    /// # Errors
    /// The cluster does not create the topic.
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
                    sleep(PAUSE).await;
                }
                _ => return Err(error),
            }
        }
    }
}

/// What a broker said, whether or not the client would have tried again.
fn protocol_error(error: &KafkaError) -> Option<ProtocolError> {
    match error {
        KafkaError::ServerError { protocol_error, .. } => Some(*protocol_error),
        KafkaError::RetryFailed(BackoffError::DeadlineExceded { source, .. }) => {
            source.downcast_ref().and_then(protocol_error)
        }
        _ => None,
    }
}

/// The controller is looked for so often: with the pauses between, for longer
/// than the second or two that an election takes.
const ATTEMPTS_MAX: usize = 12;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the controller itself may wait for a topic to be there.
const CREATE_TIMEOUT_MS: i32 = 5_000;
/// Stands for `default.replication.factor`.
const DEFAULT_REPLICATION: i16 = -1;
