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

use super::{Unserved, led, text};
use crate::{
    cluster::Context,
    store::{
        batch::{Batch, BatchError},
        producers::SequenceError,
    },
};

/// What the client hears.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The response.
    Acknowledge(ProduceResponse),
    /// Nothing; and as it asked for no acknowledgement, a closed connection is how it learns of a failure.
    Disconnect,
    /// Nothing, as it asked for no acknowledgement.
    Silence,
}

/// Appends each partition's batch, each for itself.
///
/// The only replica has a batch as soon as the log has, so `acks=1` and `acks=all` come to the same.
pub(crate) fn produce(context: Context<'_>, request: ProduceRequest) -> Outcome {
    let acks = request.acks;
    let mut failed = false;
    let topics = request.topic_data.into_iter().map(|topic| {
        let partitions = topic.partition_data.into_iter().map(|partition| {
            let appended = if ACKS.contains(&acks) {
                append(context, &topic.name, partition.index, partition.records)
            } else {
                Err(Refusal::Acks(acks))
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

/// Why a partition's batch is not stored.
#[derive(Debug, Error)]
enum Refusal {
    #[error("acks is {0}, expected 0, 1 or -1 (all)")]
    Acks(i16),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    #[error(transparent)]
    Unserved(#[from] Unserved),
}

fn append(
    context: Context<'_>,
    topic: &str,
    partition: i32,
    records: Option<Bytes>,
) -> Result<Appended, Refusal> {
    let partition = led(context, topic, partition)?;
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
    appended: Result<Appended, Refusal>,
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
        Err(refusal) => {
            debug!(partition = index, %refusal, "records not stored");
            let response = response
                .with_error_code(refusal.code().code())
                .with_base_offset(UNKNOWN);
            match context.version {
                ..8 => response,
                _ => response.with_error_message(Some(text(&refusal))),
            }
        }
    }
}

impl Refusal {
    fn code(&self) -> ResponseError {
        match self {
            Self::Acks(_) => ResponseError::InvalidRequiredAcks,
            Self::Batch(err) => err.code(),
            Self::Sequence(err) => err.code(),
            Self::Unserved(unserved) => unserved.code(),
        }
    }
}

const NO_ACKS: i16 = 0;
/// None, the leader's, and those of all in-sync replicas.
const ACKS: [i16; 3] = [NO_ACKS, 1, -1];
const UNKNOWN: i64 = -1;
