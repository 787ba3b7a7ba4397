//! ListOffsets and DeleteRecords: finds offsets, and moves the log start offset forward.

use kafka_protocol::{
    ResponseError,
    messages::{
        DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse,
        delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
    },
};

use super::{PartitionError, led_partition};
use crate::{
    cluster::Context,
    store::{batch::LEADER_EPOCH, partition::Partition},
};

/// Finds the offset of a timestamp, or the first or last offset, in each partition.
pub(crate) fn list_offsets(
    context: Context<'_>,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let response = ListOffsetsPartitionResponse::default().with_partition_index(index);
            let found = match led_partition(context, &topic.name, index) {
                Ok(found) => found,
                Err(error) => return response.with_error_code(error.code().code()),
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
            let deleted = led_partition(context, &topic.name, index)
                .map_err(PartitionError::code)
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

/// Returns the timestamp and offset to report, both -1 for a time after the last record.
fn locate(partition: &Partition, timestamp: i64) -> (i64, i64) {
    match timestamp {
        EARLIEST => (UNKNOWN, partition.offsets().start),
        LATEST => (UNKNOWN, partition.offsets().end),
        _ => partition
            .offset_for_timestamp(timestamp)
            .unwrap_or((UNKNOWN, UNKNOWN)),
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
/// As the offset of a deletion: deletes all records.
const HIGH_WATERMARK: i64 = -1;
const UNKNOWN: i64 = -1;
