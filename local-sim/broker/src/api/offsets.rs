//! ListOffsets and DeleteRecords: where a partition's records begin and end, and making them begin later.

use kafka_protocol::{
    ResponseError,
    messages::{
        DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse,
        delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
    },
};

use super::{Unserved, led};
use crate::{
    cluster::Context,
    store::{batch::LEADER_EPOCH, partition::Partition},
};

/// Finds the offsets of a position or a time in each partition.
pub(crate) fn list_offsets(
    context: Context<'_>,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let response = ListOffsetsPartitionResponse::default().with_partition_index(index);
            let found = match led(context, &topic.name, index) {
                Ok(found) => found,
                Err(unserved) => return response.with_error_code(unserved.code().code()),
            };
            let (timestamp, offset) = locate(&found, partition.timestamp);
            let response = response.with_timestamp(timestamp).with_offset(offset);
            if context.version < 4 {
                response
            } else {
                response.with_leader_epoch(LEADER_EPOCH)
            }
        });
        ListOffsetsTopicResponse::default()
            .with_partitions(partitions.collect())
            .with_name(topic.name)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// Deletes the records before an offset in each partition.
pub(crate) fn delete_records(
    context: Context<'_>,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let deleted = led(context, &topic.name, index)
                .map_err(Unserved::code)
                .and_then(|found| delete_before(&found, partition.offset));
            let (low_watermark, error_code) = match deleted {
                Ok(start) => (start, 0),
                Err(error) => (UNKNOWN, error.code()),
            };
            DeleteRecordsPartitionResult::default()
                .with_partition_index(index)
                .with_low_watermark(low_watermark)
                .with_error_code(error_code)
        });
        DeleteRecordsTopicResult::default()
            .with_partitions(partitions.collect())
            .with_name(topic.name)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

/// The timestamp and the offset that a position stands for; a time beyond the last record has neither.
fn locate(partition: &Partition, timestamp: i64) -> (i64, i64) {
    match timestamp {
        EARLIEST => (UNKNOWN, partition.offsets().start),
        LATEST => (UNKNOWN, partition.offsets().end),
        _ => partition.since(timestamp).unwrap_or((UNKNOWN, UNKNOWN)),
    }
}

fn delete_before(partition: &Partition, offset: i64) -> Result<i64, ResponseError> {
    let offset = if offset == HIGH_WATERMARK {
        partition.offsets().end
    } else {
        offset
    };
    partition
        .delete_before(offset)
        .map_err(|_| ResponseError::OffsetOutOfRange)
}

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// As the offset of a deletion: everything there is.
const HIGH_WATERMARK: i64 = -1;
const UNKNOWN: i64 = -1;
