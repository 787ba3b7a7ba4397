//! Produce: appends record batches.

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        ProduceRequest, ProduceResponse,
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
};
use thiserror::Error;
use tracing::debug;

use super::{PartitionError, led_partition, text};
use crate::{
    cluster::Context,
    store::{
        batch::{Batch, BatchError},
        producers::SequenceError,
    },
};

/// How to answer a produce request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Send the response.
    Acknowledge(ProduceResponse),
    /// Close the connection, which is how Kafka reports a failure with `acks=0`.
    Disconnect,
    /// Send nothing, because of `acks=0`.
    Silence,
}

/// Appends the batch of each partition. Each append succeeds or fails on its own.
///
/// `acks=1` and `acks=all` have the same effect, because there is only one replica.
pub(crate) fn produce(context: Context<'_>, request: ProduceRequest) -> Outcome {
    let acks = request.acks;
    let mut failed = false;
    let topics = request.topic_data.into_iter().map(|topic| {
        let partitions = topic.partition_data.into_iter().map(|partition| {
            let appended = if ACKS.contains(&acks) {
                append(context, &topic.name, partition.index, partition.records)
            } else {
                Err(ProduceError::Acks(acks))
            };
            failed |= appended.is_err();
            respond(context, partition.index, appended)
        });
        TopicProduceResponse::default()
            .with_partition_responses(partitions.collect())
            .with_name(topic.name.clone())
    });
    let response = ProduceResponse::default()
        .with_responses(topics.collect())
        .with_throttle_time_ms(context.throttle_time_ms);
    context.cluster.topics.enforce_retention();
    match acks {
        NO_ACKS if failed => Outcome::Disconnect,
        NO_ACKS => Outcome::Silence,
        _ => Outcome::Acknowledge(response),
    }
}

struct Appended {
    base_offset: i64,
    log_start_offset: i64,
}

/// Why a batch is not stored.
#[derive(Debug, Error)]
enum ProduceError {
    #[error("invalid acks {0}, must be 0, 1 or -1 (all)")]
    Acks(i16),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    #[error(transparent)]
    Partition(#[from] PartitionError),
}

fn append(
    context: Context<'_>,
    topic: &str,
    partition: i32,
    records: Option<Bytes>,
) -> Result<Appended, ProduceError> {
    let partition = led_partition(context, topic, partition)?;
    let batch = Batch::parse(records.unwrap_or_default())?;
    let base_offset = partition.append(&batch)?;
    Ok(Appended {
        base_offset,
        log_start_offset: partition.offsets().start,
    })
}

fn respond(
    context: Context<'_>,
    index: i32,
    appended: Result<Appended, ProduceError>,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    match appended {
        Ok(Appended {
            base_offset,
            log_start_offset,
        }) => {
            let response = response.with_base_offset(base_offset);
            if context.version < 5 {
                response
            } else {
                response.with_log_start_offset(log_start_offset)
            }
        }
        Err(err) => {
            debug!(partition = index, %err, "records not stored");
            let response = response
                .with_error_code(err.code().code())
                .with_base_offset(UNKNOWN);
            match context.version {
                ..8 => response,
                _ => response.with_error_message(Some(text(&err))),
            }
        }
    }
}

impl ProduceError {
    fn code(&self) -> ResponseError {
        match self {
            Self::Acks(_) => ResponseError::InvalidRequiredAcks,
            Self::Batch(err) => err.code(),
            Self::Sequence(err) => err.code(),
            Self::Partition(err) => err.code(),
        }
    }
}

const NO_ACKS: i16 = 0;
/// No acknowledgement, the leader's, or that of all in-sync replicas.
const ACKS: [i16; 3] = [NO_ACKS, 1, -1];
const UNKNOWN: i64 = -1;
