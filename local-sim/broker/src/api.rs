//! The API handlers: each turns a decoded request into a response, without bytes or sockets.

pub(crate) mod api_versions;
pub(crate) mod committed;
pub(crate) mod configs;
pub(crate) mod coordinator;
pub(crate) mod fetch;
pub(crate) mod groups;
pub(crate) mod members;
pub(crate) mod metadata;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod sasl;
pub(crate) mod topics;

use std::sync::Arc;

use kafka_protocol::{ResponseError, messages::TopicName, protocol::StrBytes};
use thiserror::Error;

use super::{cluster::Context, store::partition::Partition};

/// Why a request for a partition fails.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
enum PartitionError {
    #[error("partition has no leader")]
    Leaderless,
    #[error("unknown topic or partition")]
    Unknown,
}

impl PartitionError {
    /// The matching error of Kafka's protocol.
    fn code(self) -> ResponseError {
        match self {
            Self::Leaderless => ResponseError::NotLeaderOrFollower,
            Self::Unknown => ResponseError::UnknownTopicOrPartition,
        }
    }
}

/// Finds a partition for a request that only its leader answers.
fn led_partition(
    context: Context<'_>,
    topic: &str,
    index: i32,
) -> Result<Arc<Partition>, PartitionError> {
    let partition = context.cluster.topics.partition(topic, index);
    let partition = partition.ok_or(PartitionError::Unknown)?;
    if context.leaderless {
        return Err(PartitionError::Leaderless);
    }
    Ok(partition)
}

/// Converts a value to a protocol string.
fn text(value: &(impl ToString + ?Sized)) -> StrBytes {
    StrBytes::from_string(value.to_string())
}

/// Converts a topic name to the protocol's type.
fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// Converts a result to an error code, 0 for success.
fn code(result: Result<(), ResponseError>) -> i16 {
    result.map_or_else(|error| error.code(), |()| 0)
}
