//! Administers a cluster with Kafka protocol requests.

pub mod acls;
mod scram;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, CreatePartitionsRequest, DeleteTopicsRequest,
    IncrementalAlterConfigsRequest, MetadataRequest, MetadataResponse, RequestHeader,
    ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{
    Decodable, HeaderVersion, Request, StrBytes, encode_request_header_into_buffer,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::wait::eventually;

/// The timeout of a request. A healthy broker responds at once; a paused one never does.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The same timeout as requests carry it.
const ANSWER_MAX_MS: i32 = 2_000;

/// The most bytes of a response, more than any about a few topics has.
const ANSWER_BYTES_MAX: u32 = 1024 * 1024;

/// Request versions that Kafka 4 supports, before topic ids were introduced.
const METADATA: i16 = 9;
const CREATE_PARTITIONS: i16 = 2;
const DELETE_TOPICS: i16 = 5;
const QUOTAS: i16 = 1;
const CONFIGS: i16 = 1;

/// The resource type of a topic (`ConfigResource.Type`), and the operations that set or remove
/// one of its settings (`AlterConfigOp.OpType`).
const OF_TOPIC: i8 = 2;
const SET: i8 = 0;
const DELETE: i8 = 1;

/// An admin client. It uses any broker that responds, since all forward to the controller.
#[derive(Debug)]
pub struct Admin {
    brokers: Vec<u16>,
}

/// A partition's state as reported by one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The partition number.
    pub index: i32,
    /// The node id of the leader, if there is one.
    pub leader: Option<i32>,
    /// Number of in-sync replicas.
    pub in_sync: usize,
}

impl Admin {
    /// A client for the brokers on these loopback ports.
    pub fn new(ports: impl IntoIterator<Item = u16>) -> Self {
        Self {
            brokers: ports.into_iter().collect(),
        }
    }

    /// The partitions of a topic. Empty if the topic does not exist.
    pub async fn partitions(&self, topic: &str) -> Vec<Partition> {
        let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![asked]))
            .with_allow_auto_topic_creation(false);
        let answer = self.ask(&request, METADATA, |_| true).await;
        answer.topics.iter().flat_map(partitions).collect()
    }

    /// Whether every broker sees all brokers, and `replicas` in-sync replicas of each partition.
    pub async fn in_sync(&self, replicas: usize) -> bool {
        let request = MetadataRequest::default().with_topics(None);
        for &port in &self.brokers {
            let answer: Option<MetadataResponse> = ask_one(port, &request, METADATA).await;
            let is_whole = answer.is_some_and(|answer| {
                let mut partitions = answer.topics.iter().flat_map(partitions);
                answer.brokers.len() == self.brokers.len()
                    && partitions.all(|it| it.leader.is_some() && it.in_sync == replicas)
            });
            if !is_whole {
                return false;
            }
        }
        true
    }

    /// Increases a topic's number of partitions to `count`.
    pub async fn add_partitions(&self, topic: &str, count: i32) {
        let wanted = CreatePartitionsTopic::default()
            .with_name(name(topic))
            .with_count(count)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![wanted])
            .with_timeout_ms(ANSWER_MAX_MS);
        self.ask(&request, CREATE_PARTITIONS, |answer| {
            answer.results.iter().all(|it| it.error_code == 0)
        })
        .await;
    }

    /// Deletes a topic.
    pub async fn delete_topic(&self, topic: &str) {
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![name(topic)])
            .with_timeout_ms(ANSWER_MAX_MS);
        self.ask(&request, DELETE_TOPICS, |answer| {
            answer.responses.iter().all(|it| it.error_code == 0)
        })
        .await;
        eventually("the end of a topic", async || {
            self.partitions(topic).await.is_empty().then_some(())
        })
        .await;
    }

    /// Sets a client's produce quota in bytes per second and broker, or removes it.
    pub async fn produce_quota(&self, client_id: &str, bytes: Option<u32>) {
        let client = EntityData::default()
            .with_entity_type(StrBytes::from_static_str("client-id"))
            .with_entity_name(Some(text(client_id)));
        let operation = OpData::default()
            .with_key(StrBytes::from_static_str("producer_byte_rate"))
            .with_value(bytes.unwrap_or(0).into())
            .with_remove(bytes.is_none());
        let entry = EntryData::default()
            .with_entity(vec![client])
            .with_ops(vec![operation]);
        let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
        self.ask(&request, QUOTAS, |answer| {
            answer.entries.iter().all(|it| it.error_code == 0)
        })
        .await;
    }

    /// Sets one of a topic's settings, or resets it to the broker's default.
    pub async fn set(&self, topic: &str, setting: &str, value: Option<&str>) {
        let operation = if value.is_some() { SET } else { DELETE };
        let change = AlterableConfig::default()
            .with_name(text(setting))
            .with_config_operation(operation)
            .with_value(value.map(text));
        let resource = AlterConfigsResource::default()
            .with_resource_type(OF_TOPIC)
            .with_resource_name(text(topic))
            .with_configs(vec![change]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        self.ask(&request, CONFIGS, |answer| {
            answer.responses.iter().all(|it| it.error_code == 0)
        })
        .await;
    }

    /// Sends a request to one broker after the other until a response passes `is_good`.
    async fn ask<R: Request>(
        &self,
        request: &R,
        version: i16,
        is_good: impl Fn(&R::Response) -> bool,
    ) -> R::Response {
        let what = format!("an answer to request {} of the Kafka protocol", R::KEY);
        eventually(&what, async || {
            for &port in &self.brokers {
                let answer = ask_one(port, request, version).await;
                if let Some(answer) = answer.filter(&is_good) {
                    return Some(answer);
                }
            }
            None
        })
        .await
    }
}

/// Sends a request to one broker. `None` on connection failure, timeout or invalid response.
pub(crate) async fn ask_one<R: Request>(
    port: u16,
    request: &R,
    version: i16,
) -> Option<R::Response> {
    let frame = encode(request, version);
    let exchange = async {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        socket.write_all(&frame).await.ok()?;
        let length = socket.read_u32().await.ok()?;
        assert!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
        let mut answer = vec![0; length as usize];
        socket.read_exact(&mut answer).await.ok()?;
        Some(Bytes::from(answer))
    };
    let mut answer = timeout(ANSWER_MAX, exchange).await.ok()??;
    ResponseHeader::decode(&mut answer, R::Response::header_version(version)).ok()?;
    R::Response::decode(&mut answer, version).ok()
}

/// Encodes a request with its length prefix.
fn encode<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("admin")));
    let mut body = BytesMut::new();
    encode_request_header_into_buffer(&mut body, &header).unwrap();
    request.encode(&mut body, version).unwrap();
    let length = u32::try_from(body.len()).unwrap();
    [&length.to_be_bytes(), &body[..]].concat()
}

fn partitions(topic: &MetadataResponseTopic) -> impl Iterator<Item = Partition> {
    topic.partitions.iter().map(|partition| Partition {
        index: partition.partition_index,
        leader: Some(partition.leader_id.0).filter(|&id| id >= 0),
        in_sync: partition.isr_nodes.iter().collect::<BTreeSet<_>>().len(),
    })
}

fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
