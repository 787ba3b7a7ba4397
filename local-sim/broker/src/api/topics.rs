//! CreateTopics and DeleteTopics.

use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
        DeleteTopicsResponse,
        create_topics_request::{CreatableReplicaAssignment, CreatableTopic},
        create_topics_response::CreatableTopicResult,
        delete_topics_response::DeletableTopicResult,
    },
};
use tracing::warn;

use super::text;
use crate::cluster::{Context, NODE_ID};

/// Creates topics, each for itself.
///
/// Configurations have no effect: records are kept as long as the broker's memory allows, and never compacted.
pub(crate) fn create_topics(
    context: Context<'_>,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let only_validate = request.validate_only;
    let results =
        request
            .topics
            .into_iter()
            .map(|topic| match create(context, &topic, only_validate) {
                Ok(partitions) => {
                    let created = CreatableTopicResult::default()
                        .with_name(topic.name)
                        .with_error_message(None);
                    match context.version {
                        ..5 => created,
                        _ => created
                            .with_num_partitions(partitions)
                            .with_replication_factor(REPLICATION_FACTOR),
                    }
                }
                Err(Refusal { error, message }) => CreatableTopicResult::default()
                    .with_name(topic.name)
                    .with_error_code(error.code())
                    .with_error_message(Some(text(&message))),
            });
    CreateTopicsResponse::default().with_topics(results.collect())
}

/// Deletes topics, each for itself.
pub(crate) fn delete_topics(
    context: Context<'_>,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let results = request.topic_names.into_iter().map(|name| {
        let deleted = context.cluster.topics.delete(&name);
        context.cluster.groups.forget_topic(&name);
        let error = if deleted {
            0
        } else {
            ResponseError::UnknownTopicOrPartition.code()
        };
        DeletableTopicResult::default()
            .with_name(Some(name))
            .with_error_code(error)
    });
    DeleteTopicsResponse::default().with_responses(results.collect())
}

struct Refusal {
    error: ResponseError,
    message: String,
}

/// Creates one topic and returns its number of partitions.
fn create(
    context: Context<'_>,
    topic: &CreatableTopic,
    only_validate: bool,
) -> Result<i32, Refusal> {
    let partitions = partitions(context, topic)?;
    let topics = &context.cluster.topics;
    let created = if only_validate {
        topics.vet(&topic.name, partitions)
    } else {
        topics.create(&topic.name, partitions).map(drop)
    };
    created.map_err(|err| Refusal {
        error: err.code(),
        message: err.to_string(),
    })?;
    if !topic.configs.is_empty() {
        let configs: Vec<_> = topic.configs.iter().map(|config| &*config.name).collect();
        warn!(topic = %*topic.name, ?configs, "a topic's configurations have no effect here");
    }
    Ok(partitions)
}

/// The number of partitions that the request comes to, if there can be as many replicas as it wants.
fn partitions(context: Context<'_>, topic: &CreatableTopic) -> Result<i32, Refusal> {
    let CreatableTopic {
        num_partitions,
        replication_factor,
        assignments,
        ..
    } = topic;
    if ![DEFAULT, REPLICATION_FACTOR].contains(replication_factor) {
        return Err(Refusal {
            error: ResponseError::InvalidReplicationFactor,
            message: format!(
                "replication factor is {replication_factor}, expected {REPLICATION_FACTOR} or {DEFAULT}"
            ),
        });
    }
    if assignments.is_empty() {
        let default = *num_partitions == i32::from(DEFAULT);
        return Ok(if default {
            context.cluster.partitions_default
        } else {
            *num_partitions
        });
    }
    if !assignments.iter().all(is_here) {
        return Err(Refusal {
            error: ResponseError::InvalidReplicaAssignment,
            message: format!("replicas are assigned to other nodes, expected node {NODE_ID} alone"),
        });
    }
    // An array of a request is short; see `ARRAY_LENGTH_MAX`.
    Ok(i32::try_from(assignments.len()).unwrap_or(i32::MAX))
}

fn is_here(assignment: &CreatableReplicaAssignment) -> bool {
    assignment.broker_ids == [BrokerId(NODE_ID)]
}

/// Leaves the choice to the broker.
const DEFAULT: i16 = -1;
/// There is one node.
const REPLICATION_FACTOR: i16 = 1;
