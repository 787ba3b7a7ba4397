//! Metadata: the node, the topics, and the leaders of their partitions.

use std::{collections::BTreeSet, sync::Arc};

use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, MetadataRequest, MetadataResponse,
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
};
use tracing::debug;

use super::{text, topic_name};
use crate::{
    cluster::{CLUSTER_ID, Context, NODE_ID},
    store::{batch::LEADER_EPOCH, topics::Topic},
};

/// Describes each requested topic once, and creates missing ones if the client allows it.
pub(crate) fn metadata(context: Context<'_>, request: &MetadataRequest) -> MetadataResponse {
    let requested: BTreeSet<_> = request
        .topics
        .iter()
        .flatten()
        .filter_map(|topic| topic.name.as_deref())
        .collect();
    let all = match &request.topics {
        None => true,
        // Version 0 has no null: an empty array requests all topics.
        Some(topics) => topics.is_empty() && context.version == 0,
    };
    let topics = if all {
        context
            .cluster
            .topics
            .list()
            .iter()
            .map(|topic| describe(context, topic))
            .collect()
    } else {
        requested
            .into_iter()
            .map(|name| find(context, name, request.allow_auto_topic_creation))
            .collect()
    };
    let node = MetadataResponseBroker::default()
        .with_node_id(BrokerId(NODE_ID))
        .with_host(text(&context.endpoints.advertised.ip().to_canonical()))
        .with_port(context.endpoints.advertised.port().into());
    MetadataResponse::default()
        .with_brokers(vec![node])
        .with_cluster_id(Some(text(CLUSTER_ID)))
        .with_controller_id(BrokerId(NODE_ID))
        .with_topics(topics)
}

fn find(context: Context<'_>, name: &str, create: bool) -> MetadataResponseTopic {
    let topics = &context.cluster.topics;
    let found = if create {
        topics
            .find_or_create(name, context.cluster.partitions_default)
            .map_err(|err| {
                debug!(%err, "topic not created");
                err.code()
            })
    } else {
        topics
            .find(name)
            .ok_or(ResponseError::UnknownTopicOrPartition)
    };
    match found {
        Ok(topic) => describe(context, &topic),
        Err(error) => MetadataResponseTopic::default()
            .with_name(Some(topic_name(name)))
            .with_error_code(error.code()),
    }
}

fn describe(context: Context<'_>, topic: &Arc<Topic>) -> MetadataResponseTopic {
    let partitions = (0..).zip(&topic.partitions).map(|(index, _)| {
        let partition = MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(NODE_ID))
            .with_replica_nodes(vec![BrokerId(NODE_ID)])
            .with_isr_nodes(vec![BrokerId(NODE_ID)]);
        let partition = if context.leaderless {
            partition
                .with_leader_id(BrokerId(NO_NODE))
                .with_error_code(ResponseError::LeaderNotAvailable.code())
        } else {
            partition
        };
        if context.version < 7 {
            partition
        } else {
            partition.with_leader_epoch(LEADER_EPOCH)
        }
    });
    MetadataResponseTopic::default()
        .with_name(Some(topic_name(&topic.name)))
        .with_partitions(partitions.collect())
}

const NO_NODE: i32 = -1;
