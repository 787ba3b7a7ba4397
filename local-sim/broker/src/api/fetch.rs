//! Fetch: reads record batches, and waits for them where there are none yet.

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

use super::{Unserved, led};
use crate::{
    cluster::Context,
    limits::{FETCH_BYTES_MAX, FETCH_WAIT_MAX},
    store::{
        log::OutOfRange,
        partition::{Partition, Read},
    },
};

/// Reads from the partitions that the client names as soon as they have `min_bytes` together, or one cannot be read,
/// or `max_wait_ms` are over.
///
/// There are no fetch sessions (KIP-227): a client that offers one gets the session id 0 and asks in full each time.
pub(crate) async fn fetch(context: Context<'_>, request: FetchRequest) -> FetchResponse {
    if request.session_epoch > SESSION_BEGINS {
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
    // Whichever comes first: the client gets what is there.
    let _ = timeout(wait, readable(&topics, bytes_min)).await;
    FetchResponse::default()
        .with_responses(read(topics, bytes_max, context.version))
        .with_throttle_time_ms(context.throttle_time_ms)
}

/// A topic that the client wants to read.
struct Topic {
    name: TopicName,
    positions: Vec<Position>,
}

/// Where in a partition the client is.
struct Position {
    index: i32,
    partition: Result<Arc<Partition>, Unserved>,
    offset: i64,
    bytes_max: usize,
}

impl Topic {
    fn find(context: Context<'_>, topic: FetchTopic) -> Self {
        let position = |partition: &FetchPartition| Position {
            index: partition.partition,
            partition: led(context, &topic.topic, partition.partition),
            offset: partition.fetch_offset,
            bytes_max: size(partition.partition_max_bytes),
        };
        Self {
            positions: topic.partitions.iter().map(position).collect(),
            name: topic.topic,
        }
    }
}

/// Waits until there are `bytes_min` to read, or something to complain about.
async fn readable(topics: &[Topic], bytes_min: usize) {
    let positions = || topics.iter().flat_map(|topic| &topic.positions);
    // Before the first look, or an append in between would go unnoticed.
    let mut ends: Vec<_> = positions()
        .filter_map(|position| position.partition.as_ref().ok())
        .map(|partition| partition.subscribe())
        .collect();
    while let Ok(bytes) = positions()
        .map(Position::readable)
        .sum::<Result<u64, Unreadable>>()
        && bytes < bytes_min as u64
        && !ends.is_empty()
    {
        any_moved(&mut ends).await;
    }
}

/// Waits until one of the ends of log has moved since it was last looked at.
async fn any_moved(ends: &mut [watch::Receiver<i64>]) {
    let mut moves: Vec<_> = ends.iter_mut().map(|end| Box::pin(end.changed())).collect();
    poll_fn(|context| {
        let moved = moves
            .iter_mut()
            .any(|moved| moved.as_mut().poll(context).is_ready());
        if moved {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Reads what fits into `bytes_max`; the very first batch goes out even if it does not.
fn read(topics: Vec<Topic>, bytes_max: usize, version: i16) -> Vec<FetchableTopicResponse> {
    let mut left = bytes_max;
    let mut nothing_yet = true;
    let responses = topics.into_iter().map(|topic| {
        let partitions = topic.positions.iter().map(|position| {
            let found = position.read(left, nothing_yet);
            let bytes: usize = found
                .iter()
                .flat_map(|read| &read.batches)
                .map(Bytes::len)
                .sum();
            left = left.saturating_sub(bytes);
            nothing_yet &= bytes == 0;
            respond(position.index, found, version)
        });
        FetchableTopicResponse::default()
            .with_partitions(partitions.collect())
            .with_topic(topic.name)
    });
    responses.collect()
}

/// Why a position cannot be read.
enum Unreadable {
    OutOfRange,
    Unserved(Unserved),
}

impl Position {
    fn readable(&self) -> Result<u64, Unreadable> {
        Ok(self.partition()?.readable(self.offset)?)
    }

    fn read(&self, bytes_max: usize, at_least_one: bool) -> Result<Read, Unreadable> {
        Ok(self
            .partition()?
            .read(self.offset, bytes_max.min(self.bytes_max), at_least_one)?)
    }

    fn partition(&self) -> Result<&Partition, Unreadable> {
        match &self.partition {
            Ok(partition) if partition.is_deleted() => Err(Unreadable::Unserved(Unserved::Unknown)),
            Ok(partition) => Ok(partition),
            Err(unserved) => Err(Unreadable::Unserved(*unserved)),
        }
    }
}

impl From<OutOfRange> for Unreadable {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

fn respond(index: i32, found: Result<Read, Unreadable>, version: i16) -> PartitionData {
    let response = PartitionData::default()
        .with_partition_index(index)
        .with_aborted_transactions(None);
    let read = match found {
        Ok(read) => read,
        Err(unreadable) => {
            let error = match unreadable {
                Unreadable::OutOfRange => ResponseError::OffsetOutOfRange,
                Unreadable::Unserved(unserved) => unserved.code(),
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

/// The batches in a row; a single one, as it mostly is, without a copy.
fn concat(mut batches: Vec<Bytes>) -> Bytes {
    match batches.len() {
        1 => batches.remove(0),
        _ => batches.concat().into(),
    }
}

/// A number of bytes as the client gives it; none where it is negative.
fn size(bytes: i32) -> usize {
    bytes.try_into().unwrap_or(0)
}

/// The epoch of a request that begins a session; later ones only name what changed.
const SESSION_BEGINS: i32 = 0;
const UNKNOWN: i64 = -1;
