//! The APIs: what each answers, from the request's fields to the response's. No bytes, no sockets.

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

/// Why a partition is not served here.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
enum Unserved {
    #[error("the partition has no leader")]
    Leaderless,
    #[error("this broker has no such topic, or no such partition of it")]
    Unknown,
}

impl Unserved {
    /// The error of Kafka's protocol that says so.
    fn code(self) -> ResponseError {
        match self {
            Self::Leaderless => ResponseError::NotLeaderOrFollower,
            Self::Unknown => ResponseError::UnknownTopicOrPartition,
        }
    }
}

/// The partition of a topic, for those that only its leader serves.
fn led(context: Context<'_>, topic: &str, index: i32) -> Result<Arc<Partition>, Unserved> {
    let partition = context.cluster.topics.partition(topic, index);
    let partition = partition.ok_or(Unserved::Unknown)?;
    if context.leaderless {
        return Err(Unserved::Leaderless);
    }
    Ok(partition)
}

/// A text of ours as the protocol's type.
fn text(value: &(impl ToString + ?Sized)) -> StrBytes {
    StrBytes::from_string(value.to_string())
}

/// A topic's name as the protocol's type.
fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// The error code of an outcome: 0 for none.
fn code(outcome: Result<(), ResponseError>) -> i16 {
    outcome.map_or_else(|error| error.code(), |()| 0)
}
