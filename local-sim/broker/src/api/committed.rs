//! OffsetCommit and OffsetFetch: the committed offsets of groups.

use kafka_protocol::{
    ResponseError,
    messages::{
        OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
        offset_commit_request::OffsetCommitRequestPartition,
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch_response::{OffsetFetchResponsePartition, OffsetFetchResponseTopic},
    },
};

use super::{code, text, topic_name};
use crate::{
    cluster::Context,
    groups::{
        group::Identity,
        offsets::{Committed, PartitionKey},
    },
    limits::OFFSET_METADATA_BYTES_MAX,
};

/// Stores a group's offsets for the partitions that exist, if the group accepts the commit.
pub(crate) fn offset_commit(
    context: Context<'_>,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let mut accepted = Vec::new();
    let mut validated = Vec::new();
    for topic in request.topics {
        let mut results = Vec::new();
        for partition in topic.partitions {
            let index = partition.partition_index;
            let exists = context
                .cluster
                .topics
                .partition(&topic.name, index)
                .is_some();
            let result = validate(exists, partition);
            results.push((index, result.as_ref().err().copied()));
            if let Ok(committed) = result {
                accepted.push(((topic.name.to_string(), index), committed));
            }
        }
        validated.push((topic.name, results));
    }
    let identity = Identity {
        member: &request.member_id,
        generation: request.generation_id_or_member_epoch,
    };
    let groups = &context.cluster.groups;
    let stored = code(groups.commit(&request.group_id, identity, accepted));
    let topics = validated.into_iter().map(|(name, results)| {
        let partitions = results.into_iter().map(|(index, error)| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(error.map_or(stored, |error| error.code()))
        });
        OffsetCommitResponseTopic::default()
            .with_name(name)
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

fn validate(
    exists: bool,
    partition: OffsetCommitRequestPartition,
) -> Result<Committed, ResponseError> {
    let metadata = partition.committed_metadata.unwrap_or_default();
    if !exists {
        return Err(ResponseError::UnknownTopicOrPartition);
    }
    if metadata.len() > OFFSET_METADATA_BYTES_MAX {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    Ok(Committed {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        // Copied, because a slice would keep the whole request in memory.
        metadata: metadata.to_string(),
    })
}

/// Returns a group's offsets for the requested partitions, or for all if none is requested.
///
/// An unknown group has no committed offsets, which is not an error.
pub(crate) fn offset_fetch(
    context: Context<'_>,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let groups = &context.cluster.groups;
    let group = &*request.group_id;
    let found: Vec<(PartitionKey, Option<Committed>)> = match request.topics {
        Some(topics) => {
            let partitions = topics.into_iter().flat_map(|topic| {
                let name = topic.name.to_string();
                let partitions = topic.partition_indexes.into_iter();
                partitions.map(move |partition| (name.clone(), partition))
            });
            partitions
                .map(|key| {
                    let committed = groups.committed(group, &key);
                    (key, committed)
                })
                .collect()
        }
        None => {
            let all = groups.all_committed(group).into_iter();
            all.map(|(key, committed)| (key, Some(committed))).collect()
        }
    };
    let topics = found.chunk_by(|((one, _), _), ((other, _), _)| one == other);
    let topics = topics.map(|partitions| {
        let ((name, _), _) = &partitions[0];
        let partitions = partitions.iter().map(|((_, partition), committed)| {
            respond(*partition, committed.as_ref(), context.version)
        });
        OffsetFetchResponseTopic::default()
            .with_name(topic_name(name))
            .with_partitions(partitions.collect())
    });
    OffsetFetchResponse::default().with_topics(topics.collect())
}

fn respond(
    partition: i32,
    committed: Option<&Committed>,
    version: i16,
) -> OffsetFetchResponsePartition {
    let response = OffsetFetchResponsePartition::default().with_partition_index(partition);
    let Some(committed) = committed else {
        return response
            .with_committed_offset(NO_OFFSET)
            .with_metadata(Some(text("")));
    };
    let response = response
        .with_committed_offset(committed.offset)
        .with_metadata(Some(text(&committed.metadata)));
    if version < 5 {
        response
    } else {
        response.with_committed_leader_epoch(committed.leader_epoch)
    }
}

const NO_OFFSET: i64 = -1;
