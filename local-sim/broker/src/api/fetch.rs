//! Fetch: reads record batches, and waits if there are too few yet.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        FetchRequest, FetchResponse, TopicName,
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::{FetchableTopicResponse, PartitionData},
    },
};
use tokio::{sync::watch, time::timeout};

use super::{PartitionError, led_partition};
use crate::{
    cluster::Context,
    limits::{FETCH_BYTES_MAX, FETCH_WAIT_MAX},
    store::{
        log::OutOfRange,
        partition::{Partition, Read},
    },
};

/// Waits for `min_bytes` over all requested partitions, then reads them.
///
/// The wait ends early after `max_wait_ms`, or if a partition cannot be read.
///
/// Fetch sessions (KIP-227) are not supported: a client that offers one gets session id 0 and sends
/// full requests.
pub(crate) async fn fetch(context: Context<'_>, request: FetchRequest) -> FetchResponse {
    if request.session_epoch > SESSION_INITIAL_EPOCH {
        return FetchResponse::default()
            .with_error_code(ResponseError::FetchSessionIdNotFound.code());
    }
    let bytes_max = size(request.max_bytes).min(FETCH_BYTES_MAX);
    let bytes_min = size(request.min_bytes).min(bytes_max);
    let wait =
        Duration::from_millis(request.max_wait_ms.try_into().unwrap_or(0)).min(FETCH_WAIT_MAX);
    let topics: Vec<_> = request
        .topics
        .into_iter()
        .map(|topic| Topic::find(context, topic))
        .collect();
    // The client gets the available records, also after a timeout.
    let _ = timeout(wait, wait_readable(&topics, bytes_min)).await;
    FetchResponse::default()
        .with_responses(read(topics, bytes_max, context.version))
        .with_throttle_time_ms(context.throttle_time_ms)
}

/// A topic of the request.
struct Topic {
    name: TopicName,
    positions: Vec<Position>,
}

/// A partition of the request and the offset to read from.
struct Position {
    index: i32,
    partition: Result<Arc<Partition>, PartitionError>,
    offset: i64,
    bytes_max: usize,
}

impl Topic {
    fn find(context: Context<'_>, topic: FetchTopic) -> Self {
        let position = |partition: &FetchPartition| Position {
            index: partition.partition,
            partition: led_partition(context, &topic.topic, partition.partition),
            offset: partition.fetch_offset,
            bytes_max: size(partition.partition_max_bytes),
        };
        Self {
            positions: topic.partitions.iter().map(position).collect(),
            name: topic.topic,
        }
    }
}

/// Waits until `bytes_min` bytes are readable, or a partition cannot be read.
async fn wait_readable(topics: &[Topic], bytes_min: usize) {
    let positions = || topics.iter().flat_map(|topic| &topic.positions);
    // Subscribe before the first check, so that no append in between is missed.
    let mut ends: Vec<_> = positions()
        .filter_map(|position| position.partition.as_ref().ok())
        .map(|partition| partition.subscribe())
        .collect();
    while let Ok(bytes) = positions()
        .map(Position::readable_bytes)
        .sum::<Result<u64, ReadError>>()
        && bytes < bytes_min as u64
        && !ends.is_empty()
    {
        any_end_changed(&mut ends).await;
    }
}

/// Waits until one of the log end offsets changes.
async fn any_end_changed(ends: &mut [watch::Receiver<i64>]) {
    let mut changes: Vec<_> = ends.iter_mut().map(|end| Box::pin(end.changed())).collect();
    poll_fn(|context| {
        let changed = changes
            .iter_mut()
            .any(|change| change.as_mut().poll(context).is_ready());
        if changed {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Reads as many batches as fit into `bytes_max`, and at least one if there are any.
fn read(topics: Vec<Topic>, bytes_max: usize, version: i16) -> Vec<FetchableTopicResponse> {
    let mut left = bytes_max;
    let mut is_empty = true;
    let responses = topics.into_iter().map(|topic| {
        let partitions = topic.positions.iter().map(|position| {
            let result = position.read(left, is_empty);
            let bytes: usize = result
                .iter()
                .flat_map(|read| &read.batches)
                .map(Bytes::len)
                .sum();
            left = left.saturating_sub(bytes);
            is_empty &= bytes == 0;
            respond(position.index, result, version)
        });
        FetchableTopicResponse::default()
            .with_partitions(partitions.collect())
            .with_topic(topic.name)
    });
    responses.collect()
}

/// Why a partition cannot be read.
enum ReadError {
    OutOfRange,
    Partition(PartitionError),
}

impl Position {
    fn readable_bytes(&self) -> Result<u64, ReadError> {
        Ok(self.partition()?.readable_bytes(self.offset)?)
    }

    fn read(&self, bytes_max: usize, at_least_one: bool) -> Result<Read, ReadError> {
        Ok(self
            .partition()?
            .read(self.offset, bytes_max.min(self.bytes_max), at_least_one)?)
    }

    fn partition(&self) -> Result<&Partition, ReadError> {
        match &self.partition {
            Ok(partition) if partition.is_deleted() => {
                Err(ReadError::Partition(PartitionError::Unknown))
            }
            Ok(partition) => Ok(partition),
            Err(error) => Err(ReadError::Partition(*error)),
        }
    }
}

impl From<OutOfRange> for ReadError {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

fn respond(index: i32, result: Result<Read, ReadError>, version: i16) -> PartitionData {
    let response = PartitionData::default()
        .with_partition_index(index)
        .with_aborted_transactions(None);
    let read = match result {
        Ok(read) => read,
        Err(error) => {
            let error = match error {
                ReadError::OutOfRange => ResponseError::OffsetOutOfRange,
                ReadError::Partition(error) => error.code(),
            };
            return response
                .with_error_code(error.code())
                .with_high_watermark(UNKNOWN);
        }
    };
    let response = response
        .with_high_watermark(read.offsets.end)
        .with_last_stable_offset(read.offsets.end)
        .with_records(Some(concat(read.batches)));
    if version < 5 {
        response
    } else {
        response.with_log_start_offset(read.offsets.start)
    }
}

/// Concatenates the batches. A single batch, the usual case, is not copied.
fn concat(mut batches: Vec<Bytes>) -> Bytes {
    match batches.len() {
        1 => batches.remove(0),
        _ => batches.concat().into(),
    }
}

/// Converts a size in the request to `usize`. Negative sizes become 0.
fn size(bytes: i32) -> usize {
    bytes.try_into().unwrap_or(0)
}

/// The epoch of the first request in a session. Later requests contain only changes.
const SESSION_INITIAL_EPOCH: i32 = 0;
const UNKNOWN: i64 = -1;
