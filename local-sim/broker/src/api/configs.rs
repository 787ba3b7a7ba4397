//! DescribeConfigs: the broker's read-only settings, under Kafka's names.

use kafka_protocol::{
    ResponseError,
    messages::{
        DescribeConfigsRequest, DescribeConfigsResponse,
        describe_configs_request::DescribeConfigsResource,
        describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
    },
};

use super::text;
use crate::{
    cluster::{Context, NODE_ID},
    limits::{CONNECTIONS_MAX, FETCH_BYTES_MAX, IDLE_MAX, MESSAGE_BYTES_MAX, REQUEST_BYTES_MAX},
};

/// Describes topics and the node. Each resource succeeds or fails on its own.
pub(crate) fn describe_configs(
    context: Context<'_>,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let results = request.resources.into_iter().map(|resource| {
        let result = match settings(context, &resource) {
            Ok(settings) => DescribeConfigsResult::default()
                .with_error_message(None)
                .with_configs(requested(&resource, settings)),
            Err((error, message)) => DescribeConfigsResult::default()
                .with_error_code(error.code())
                .with_error_message(Some(text(message))),
        };
        result
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

type Settings = Vec<(&'static str, String)>;

fn settings(
    context: Context<'_>,
    resource: &DescribeConfigsResource,
) -> Result<Settings, (ResponseError, &'static str)> {
    let name = &*resource.resource_name;
    match resource.resource_type {
        TOPIC if context.cluster.topics.find(name).is_some() => Ok(topic_settings()),
        TOPIC => Err((ResponseError::UnknownTopicOrPartition, "unknown topic")),
        BROKER if name.is_empty() || name == NODE_ID.to_string() => Ok(node_settings(context)),
        BROKER => Err((ResponseError::InvalidRequest, "unknown node")),
        _ => Err((
            ResponseError::InvalidRequest,
            "unsupported resource type, must be 2 (topic) or 4 (broker)",
        )),
    }
}

fn topic_settings() -> Settings {
    vec![
        ("cleanup.policy", "delete".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("max.message.bytes", MESSAGE_BYTES_MAX.to_string()),
        ("message.timestamp.type", "CreateTime".to_owned()),
        ("min.insync.replicas", "1".to_owned()),
        ("retention.ms", "-1".to_owned()),
    ]
}

fn node_settings(context: Context<'_>) -> Settings {
    vec![
        ("auto.create.topics.enable", "true".to_owned()),
        ("connections.max.idle.ms", IDLE_MAX.as_millis().to_string()),
        ("default.replication.factor", "1".to_owned()),
        ("fetch.max.bytes", FETCH_BYTES_MAX.to_string()),
        ("max.connections", CONNECTIONS_MAX.to_string()),
        ("message.max.bytes", MESSAGE_BYTES_MAX.to_string()),
        (
            "num.partitions",
            context.cluster.partitions_default.to_string(),
        ),
        ("socket.request.max.bytes", REQUEST_BYTES_MAX.to_string()),
    ]
}

/// Selects the settings that the client requests, or all if it requests none.
fn requested(
    resource: &DescribeConfigsResource,
    settings: Settings,
) -> Vec<DescribeConfigsResourceResult> {
    let is_requested = |name: &str| match &resource.configuration_keys {
        Some(keys) if !keys.is_empty() => keys.iter().any(|key| &**key == name),
        _ => true,
    };
    let results = settings
        .into_iter()
        .filter(|(name, _)| is_requested(name))
        .map(|(name, value)| {
            DescribeConfigsResourceResult::default()
                .with_name(text(name))
                .with_value(Some(text(&value)))
                .with_read_only(true)
                .with_config_source(DEFAULT_CONFIG)
        });
    results.collect()
}

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// The config source of a setting that was not changed.
const DEFAULT_CONFIG: i8 = 5;
