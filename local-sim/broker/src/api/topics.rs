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

/// Creates topics. Each creation succeeds or fails on its own.
///
/// Topic configurations are ignored: records are kept until memory is short, and never compacted.
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
                Err(CreateTopicError { error, message }) => CreatableTopicResult::default()
                    .with_name(topic.name)
                    .with_error_code(error.code())
                    .with_error_message(Some(text(&message))),
            });
    CreateTopicsResponse::default().with_topics(results.collect())
}

/// Deletes topics and their committed offsets. Each deletion succeeds or fails on its own.
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

struct CreateTopicError {
    error: ResponseError,
    message: String,
}

/// Creates one topic and returns its number of partitions.
fn create(
    context: Context<'_>,
    topic: &CreatableTopic,
    only_validate: bool,
) -> Result<i32, CreateTopicError> {
    let partitions = partitions(context, topic)?;
    let topics = &context.cluster.topics;
    let created = if only_validate {
        topics.validate(&topic.name, partitions)
    } else {
        topics.create(&topic.name, partitions).map(drop)
    };
    created.map_err(|err| CreateTopicError {
        error: err.code(),
        message: err.to_string(),
    })?;
    if !topic.configs.is_empty() {
        let configs: Vec<_> = topic.configs.iter().map(|config| &*config.name).collect();
        warn!(topic = %*topic.name, ?configs, "topic configurations are ignored");
    }
    Ok(partitions)
}

/// Returns the requested number of partitions, after checking the requested replicas.
fn partitions(context: Context<'_>, topic: &CreatableTopic) -> Result<i32, CreateTopicError> {
    let CreatableTopic {
        num_partitions,
        replication_factor,
        assignments,
        ..
    } = topic;
    if ![DEFAULT, REPLICATION_FACTOR].contains(replication_factor) {
        return Err(CreateTopicError {
            error: ResponseError::InvalidReplicationFactor,
            message: format!(
                "invalid replication factor {replication_factor}, must be {REPLICATION_FACTOR} or {DEFAULT}"
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
    if !assignments.iter().all(is_on_this_node) {
        return Err(CreateTopicError {
            error: ResponseError::InvalidReplicaAssignment,
            message: format!("invalid replica assignment, must name only node {NODE_ID}"),
        });
    }
    // Never overflows: `ARRAY_LENGTH_MAX` limits the assignments.
    Ok(i32::try_from(assignments.len()).unwrap_or(i32::MAX))
}

fn is_on_this_node(assignment: &CreatableReplicaAssignment) -> bool {
    assignment.broker_ids == [BrokerId(NODE_ID)]
}

/// Requests the broker's default.
const DEFAULT: i16 = -1;
const REPLICATION_FACTOR: i16 = 1;
