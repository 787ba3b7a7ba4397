//! What an operator does to a cluster, in Kafka's own requests.

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

/// A broker that is well answers at once; one that is stopped never does.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// What brokers are told about that, where they ask.
const ANSWER_MAX_MS: i32 = 2_000;

/// Longer than any answer about a handful of topics.
const ANSWER_BYTES_MAX: u32 = 1024 * 1024;

/// A version of each request that Kafka 4 knows, and the last without topic ids.
const METADATA: i16 = 9;
const CREATE_PARTITIONS: i16 = 2;
const DELETE_TOPICS: i16 = 5;
const QUOTAS: i16 = 1;
const CONFIGS: i16 = 1;

/// A setting is about a topic (`ConfigResource.Type`), and replaces what was set before or lets
/// go of it (`AlterConfigOp.OpType`).
const OF_TOPIC: i8 = 2;
const SET: i8 = 0;
const DELETE: i8 = 1;

/// Speaks to whichever broker answers; all hand on to the controller.
#[derive(Debug)]
pub struct Admin {
    brokers: Vec<u16>,
}

/// A partition as one broker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number.
    pub index: i32,
    /// The broker that leads it, if one does.
    pub leader: Option<i32>,
    /// How many replicas are in sync.
    pub in_sync: usize,
}

impl Admin {
    /// An operator of the brokers that listen at these ports of loopback.
    pub fn new(ports: impl IntoIterator<Item = u16>) -> Self {
        Self {
            brokers: ports.into_iter().collect(),
        }
    }

    /// The partitions of a topic; none where it does not exist.
    pub async fn partitions(&self, topic: &str) -> Vec<Partition> {
        let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![asked]))
            .with_allow_auto_topic_creation(false);
        let answer = self.ask(&request, METADATA, |_| true).await;
        answer.topics.iter().flat_map(partitions).collect()
    }

    /// Whether each broker sees all of them, and `replicas` in sync of every partition.
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

    /// Gives a topic more partitions, `count` in all.
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

    /// Lets a client send so many bytes a second to each broker, or as many as it likes.
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

    /// Sets one of a topic's settings, or lets it be the broker's again.
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

    /// Asks one broker after the other until one gives a good answer.
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

/// What a broker answers; nothing where it is away, silent or not understood.
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

/// A request with its length before it.
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
