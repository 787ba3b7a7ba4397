//! The on-failure destination: a topic of the same cluster that gets the records which were given up.

use std::{error::Error, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{
        ProduceRequest, TopicName,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::StrBytes,
    records::{
        Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
        Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    },
};
use tokio::time::sleep;
use tracing::warn;

use super::{
    cluster::{Cluster, ClusterError, check, text},
    wire::Wire,
};

/// Where records are left.
pub(super) struct DeadLetter {
    cluster: Arc<Cluster>,
    topic: String,
    partitions: i32,
}

/// What is told of a failure, beside the record.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) condition: &'static str,
    pub(super) function: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) attempts: u32,
    /// In the function's words, where it has failed.
    pub(super) message: Option<String>,
}

impl DeadLetter {
    pub(super) fn new(cluster: Arc<Cluster>, topic: String, partitions: i32) -> Self {
        Self {
            cluster,
            topic,
            partitions,
        }
    }

    /// Stores records in the order in which they come, and tries on until they are stored.
    ///
    /// One that the cluster will never take is left out, and said to be.
    pub(super) async fn store(&self, records: Vec<Record>, failure: &Failure) {
        // Records of one partition stay in one, in their order.
        let partition = failure.partition % self.partitions.max(1);
        let mut wire = None;
        for record in records {
            let offset = record.offset;
            let batch = match encode(record, failure) {
                Ok(batch) => batch,
                Err(reason) => {
                    self.say_lost(failure, offset, &reason);
                    continue;
                }
            };
            let mut failures = 0_u32;
            while let Err(error) = self.produce(&mut wire, partition, &batch).await {
                wire = None;
                if is_final(&error) {
                    self.say_lost(failure, offset, &error.to_string());
                    break;
                }
                failures += 1;
                if failures == FAILURES_UNTIL_SAID {
                    let topic = &self.topic;
                    warn!(
                        error = &error as &dyn Error,
                        topic, "cannot store a dead letter, trying on"
                    );
                }
                sleep(PAUSE).await;
            }
        }
    }

    async fn produce(
        &self,
        wire: &mut Option<Wire>,
        partition: i32,
        batch: &Bytes,
    ) -> Result<(), ClusterError> {
        let data = PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(batch.clone()));
        let topic = TopicProduceData::default()
            .with_name(TopicName(text(&self.topic)))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(ALL_IN_SYNC)
            .with_timeout_ms(PRODUCE_MS_MAX)
            .with_topic_data(vec![topic]);
        let found = match wire.take() {
            Some(wire) => wire,
            None => self.cluster.leader(&self.topic, partition).await?,
        };
        let answer = wire
            .insert(found)
            .call(PRODUCE, &request, Duration::ZERO)
            .await?;
        let mut results = answer
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses);
        results.try_for_each(|it| check(it.error_code, || format!("topic {}", self.topic)))
    }

    fn say_lost(&self, failure: &Failure, offset: i64, reason: &str) {
        let destination = &self.topic;
        let Failure {
            topic, partition, ..
        } = failure;
        warn!(
            reason,
            destination, topic, partition, offset, "a dead letter cannot be stored, and is lost"
        );
    }
}

/// A batch with the record as it was, and the failure in further headers.
fn encode(mut record: Record, failure: &Failure) -> Result<Bytes, String> {
    let headers = [
        ("failure.condition", Some(failure.condition.to_owned())),
        ("failure.function", Some(failure.function.clone())),
        ("failure.topic", Some(failure.topic.clone())),
        ("failure.partition", Some(failure.partition.to_string())),
        ("failure.offset", Some(record.offset.to_string())),
        ("failure.attempts", Some(failure.attempts.to_string())),
        ("failure.message", failure.message.clone()),
    ];
    for (name, value) in headers {
        if let Some(value) = value {
            record
                .headers
                .insert(StrBytes::from_static_str(name), Some(value.into()));
        }
    }
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        sequence: NO_SEQUENCE,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        ..record
    };
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    let mut batch = BytesMut::new();
    RecordBatchEncoder::encode(&mut batch, [&record], &options)
        .map_err(|error| format!("{error:#}"))?;
    Ok(batch.freeze())
}

/// Whether the cluster would say so again, however often it is asked.
fn is_final(error: &ClusterError) -> bool {
    matches!(
        error,
        ClusterError::Refused {
            error: ResponseError::MessageTooLarge
                | ResponseError::RecordListTooLarge
                | ResponseError::InvalidRecord
                | ResponseError::InvalidTimestamp,
            ..
        }
    )
}

/// A version that Kafka has had since 0.11 and has in 4.
const PRODUCE: i16 = 3;
const ALL_IN_SYNC: i16 = -1;
/// What the cluster is told about how long replicas may take.
const PRODUCE_MS_MAX: i32 = 4_000;
/// Between two attempts to store.
const PAUSE: Duration = Duration::from_millis(250);
/// A leader that moves costs an attempt or two, which nobody wants to read about.
const FAILURES_UNTIL_SAID: u32 = 4;
