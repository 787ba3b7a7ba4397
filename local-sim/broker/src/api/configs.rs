//! DescribeConfigs: the settings that hold here, in Kafka's names. None can be changed.

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

/// Describes topics and the one node, each resource for itself.
pub(crate) fn describe_configs(
    context: Context<'_>,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let results = request.resources.into_iter().map(|resource| {
        let result = match settings(context, &resource) {
            Ok(settings) => DescribeConfigsResult::default()
                .with_error_message(None)
                .with_configs(wanted(&resource, settings)),
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
        TOPIC if context.cluster.topics.find(name).is_some() => Ok(of_topics()),
        TOPIC => Err((
            ResponseError::UnknownTopicOrPartition,
            "this broker has no such topic",
        )),
        BROKER if name.is_empty() || name == NODE_ID.to_string() => Ok(of_the_node(context)),
        BROKER => Err((
            ResponseError::InvalidRequest,
            "the cluster has no such node",
        )),
        _ => Err((
            ResponseError::InvalidRequest,
            "the resource type is neither 2 (topic) nor 4 (broker)",
        )),
    }
}

fn of_topics() -> Settings {
    vec![
        ("cleanup.policy", "delete".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("max.message.bytes", MESSAGE_BYTES_MAX.to_string()),
        ("message.timestamp.type", "CreateTime".to_owned()),
        ("min.insync.replicas", "1".to_owned()),
        ("retention.ms", "-1".to_owned()),
    ]
}

fn of_the_node(context: Context<'_>) -> Settings {
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

/// The settings that the client names; all where it names none.
fn wanted(
    resource: &DescribeConfigsResource,
    settings: Settings,
) -> Vec<DescribeConfigsResourceResult> {
    let is_wanted = |name: &str| match &resource.configuration_keys {
        Some(keys) if !keys.is_empty() => keys.iter().any(|key| &**key == name),
        _ => true,
    };
    let wanted = settings
        .into_iter()
        .filter(|(name, _)| is_wanted(name))
        .map(|(name, value)| {
            DescribeConfigsResourceResult::default()
                .with_name(text(name))
                .with_value(Some(text(&value)))
                .with_read_only(true)
                .with_config_source(DEFAULT_CONFIG)
        });
    wanted.collect()
}

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// A value that nobody has set.
const DEFAULT_CONFIG: i8 = 5;
