//! OffsetCommit and OffsetFetch: how far groups have come.

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
        offsets::{Committed, Place},
    },
    limits::OFFSET_METADATA_BYTES_MAX,
};

/// Stores how far a group has come: in each partition that exists, if the group takes the committer's word.
pub(crate) fn offset_commit(
    context: Context<'_>,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let mut accepted = Vec::new();
    let mut vetted = Vec::new();
    for topic in request.topics {
        let mut results = Vec::new();
        for partition in topic.partitions {
            let index = partition.partition_index;
            let exists = context
                .cluster
                .topics
                .partition(&topic.name, index)
                .is_some();
            let result = vet(exists, partition);
            results.push((index, result.as_ref().err().copied()));
            if let Ok(committed) = result {
                accepted.push(((topic.name.to_string(), index), committed));
            }
        }
        vetted.push((topic.name, results));
    }
    let identity = Identity {
        member: &request.member_id,
        generation: request.generation_id_or_member_epoch,
    };
    let groups = &context.cluster.groups;
    let stored = code(groups.commit(&request.group_id, identity, accepted));
    let topics = vetted.into_iter().map(|(name, results)| {
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

fn vet(exists: bool, partition: OffsetCommitRequestPartition) -> Result<Committed, ResponseError> {
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
        // A copy: the text is a part of the whole request.
        metadata: metadata.to_string(),
    })
}

/// Says how far a group has come in some partitions, or in all where none is named.
///
/// A group that nobody has heard of has come nowhere.
pub(crate) fn offset_fetch(
    context: Context<'_>,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let groups = &context.cluster.groups;
    let group = &*request.group_id;
    let found: Vec<(Place, Option<Committed>)> = match request.topics {
        Some(topics) => {
            let places = topics.into_iter().flat_map(|topic| {
                let name = topic.name.to_string();
                let partitions = topic.partition_indexes.into_iter();
                partitions.map(move |partition| (name.clone(), partition))
            });
            places
                .map(|place| {
                    let committed = groups.committed(group, &place);
                    (place, committed)
                })
                .collect()
        }
        None => {
            let all = groups.all_committed(group).into_iter();
            all.map(|(place, committed)| (place, Some(committed)))
                .collect()
        }
    };
    let topics = found.chunk_by(|((one, _), _), ((other, _), _)| one == other);
    let topics = topics.map(|places| {
        let ((name, _), _) = &places[0];
        let partitions = places.iter().map(|((_, partition), committed)| {
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
            .with_committed_offset(NOWHERE)
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

const NOWHERE: i64 = -1;
