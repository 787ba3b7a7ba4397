//! The on-failure destination: a topic of the same cluster that stores the records given up.

use std::{error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::messages::{
    ProduceRequest, TopicName,
    produce_request::{PartitionProduceData, TopicProduceData},
};
use local_sim_records::Record;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::{
    broker_conn::BrokerConn,
    cluster::{Cluster, ClusterError, check, str_bytes},
};

/// The dead-letter topic.
pub(super) struct DeadLetter {
    cluster: Arc<Cluster>,
    topic: String,
    partitions: i32,
}

/// The failure that is stored with a record.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) condition: &'static str,
    pub(super) function: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) attempts: u32,
    /// The function's error message, if the function failed.
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

    /// Stores records in order, retrying for up to [`STORE_TIMEOUT`].
    ///
    /// Logs a warning and drops a record if the cluster rejects it for good or the time is up.
    pub(super) async fn store(&self, records: Vec<Record>, failure: &Failure) {
        // Records of one partition go to one partition, so they stay in order.
        let partition = failure.partition % self.partitions.max(1);
        let end = Instant::now() + STORE_TIMEOUT;
        let mut connection = None;
        for record in records {
            let offset = record.offset;
            let stored = match with_failure(record, failure).to_batch() {
                Ok(batch) => {
                    self.produce_with_retry(&mut connection, partition, &batch, end)
                        .await
                }
                Err(error) => Err(error.to_string()),
            };
            if let Err(reason) = stored {
                self.warn_lost(failure, offset, &reason);
            }
        }
    }

    async fn produce_with_retry(
        &self,
        connection: &mut Option<BrokerConn>,
        partition: i32,
        batch: &Bytes,
        end: Instant,
    ) -> Result<(), String> {
        let mut failures = 0_u32;
        while let Err(error) = self.produce(connection, partition, batch).await {
            *connection = None;
            if error.is_final() || Instant::now() >= end {
                return Err(error.to_string());
            }
            failures += 1;
            if failures == FAILURES_BEFORE_WARNING {
                let topic = &self.topic;
                warn!(
                    error = &error as &dyn Error,
                    topic, "cannot store a dead letter: retrying"
                );
            }
            sleep(RETRY_DELAY).await;
        }
        Ok(())
    }

    async fn produce(
        &self,
        connection: &mut Option<BrokerConn>,
        partition: i32,
        batch: &Bytes,
    ) -> Result<(), ClusterError> {
        let data = PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(batch.clone()));
        let topic = TopicProduceData::default()
            .with_name(TopicName(str_bytes(&self.topic)))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(ALL_IN_SYNC)
            .with_timeout_ms(PRODUCE_MS_MAX)
            .with_topic_data(vec![topic]);
        let found = match connection.take() {
            Some(connection) => connection,
            None => self.cluster.leader(&self.topic, partition).await?,
        };
        let response = connection
            .insert(found)
            .call(PRODUCE, &request, Duration::ZERO)
            .await?;
        let what = || format!("partition {partition} of topic {}", self.topic);
        let mut topics = response.responses.iter();
        let found = topics
            .find(|topic| topic.name.as_str() == self.topic)
            .and_then(|topic| {
                let mut partitions = topic.partition_responses.iter();
                partitions.find(|found| found.index == partition)
            })
            .ok_or_else(|| ClusterError::Missing(what()))?;
        check(found.error_code, what)
    }

    fn warn_lost(&self, failure: &Failure, offset: i64, reason: &str) {
        let destination = &self.topic;
        let Failure {
            topic, partition, ..
        } = failure;
        warn!(
            reason,
            destination, topic, partition, offset, "cannot store a dead letter: the record is lost"
        );
    }
}

/// Appends headers that describe the failure to the record's own headers.
fn with_failure(mut record: Record, failure: &Failure) -> Record {
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
            let header = (Bytes::from_static(name.as_bytes()), Some(value.into()));
            record.headers.push(header);
        }
    }
    record
}

/// A version that Kafka 0.11 to 4 support.
const PRODUCE: i16 = 3;
const ALL_IN_SYNC: i16 = -1;
/// The time that the leader may wait for its replicas, in milliseconds.
const PRODUCE_MS_MAX: i32 = 4_000;
/// The time to store records before they are lost; their partition waits meanwhile.
///
/// Longer than a broker upgrade or a restart of a local Kafka takes.
const STORE_TIMEOUT: Duration = Duration::from_mins(5);
/// The delay between attempts to store.
const RETRY_DELAY: Duration = Duration::from_millis(250);
/// A leader election costs an attempt or two, which need no warning.
const FAILURES_BEFORE_WARNING: u32 = 4;

#[cfg(test)]
mod tests {
    use kafka_protocol::{
        ResponseError,
        messages::{
            ApiKey, ProduceResponse,
            produce_response::{PartitionProduceResponse, TopicProduceResponse},
        },
    };

    use super::{
        super::{
            sample::{bare, header},
            scripted_broker::ScriptedBroker,
        },
        *,
    };

    #[test]
    fn failure_headers_follow_the_records_own_headers() {
        let record = Record {
            headers: vec![
                header("a", Some("1")),
                header("failure.topic", Some("first")),
                header("a", None),
            ],
            ..bare(7, 5)
        };
        let failure = Failure {
            condition: "RecordAgeExceeded",
            function: "push".to_owned(),
            topic: "t".to_owned(),
            partition: 2,
            attempts: 0,
            message: None,
        };
        let stored = with_failure(record.clone(), &failure);
        let (own, added) = stored.headers.split_at(3);
        assert_eq!(own, record.headers);
        let expected = [
            ("condition", "RecordAgeExceeded"),
            ("function", "push"),
            ("topic", "t"),
            ("partition", "2"),
            ("offset", "7"),
            ("attempts", "0"),
        ];
        let expected =
            expected.map(|(name, value)| header(&format!("failure.{name}"), Some(value)));
        assert_eq!(added, expected);
    }

    #[tokio::test]
    async fn a_record_missing_from_the_response_counts_as_not_stored() {
        let check = async |stored: &[(&str, i32, i16)]| {
            let topics = stored.iter().map(|(topic, index, code)| {
                let partition = PartitionProduceResponse::default()
                    .with_index(*index)
                    .with_error_code(*code);
                TopicProduceResponse::default()
                    .with_name(TopicName(str_bytes(topic)))
                    .with_partition_responses(vec![partition])
            });
            let response = ProduceResponse::default().with_responses(topics.collect());
            let broker = ScriptedBroker::start(move |request| match request.api {
                ApiKey::Metadata => request.metadata(&[("dead", 2, 0)]),
                _ => request.respond(&response),
            })
            .await;
            let dead_letter = DeadLetter::new(Arc::new(broker.cluster()), "dead".to_owned(), 2);
            let batch = bare(0, 0).to_batch().unwrap();
            let produced = dead_letter.produce(&mut None, 1, &batch).await;
            produced.map_err(|error| (error.is_final(), error.to_string()))
        };
        assert_eq!(check(&[("dead", 1, 0)]).await, Ok(()));
        let too_large = ResponseError::MessageTooLarge;
        let code = format!("partition 1 of topic dead: {too_large:?}");
        assert_eq!(
            check(&[("dead", 1, too_large.code())]).await,
            Err((true, code))
        );
        for stored in [&[][..], &[("dead", 0, 0)], &[("other", 1, 0)]] {
            let missing = "the response has no partition 1 of topic dead".to_owned();
            assert_eq!(check(stored).await, Err((false, missing)));
        }
    }

    #[test]
    fn an_error_that_is_not_retriable_is_final() {
        let check = |error| {
            ClusterError::Code {
                what: String::new(),
                error,
            }
            .is_final()
        };
        for error in [
            ResponseError::MessageTooLarge,
            ResponseError::RecordListTooLarge,
            ResponseError::InvalidRecord,
            ResponseError::InvalidTimestamp,
            ResponseError::TopicAuthorizationFailed,
            ResponseError::PolicyViolation,
        ] {
            assert!(check(error), "{error}");
        }
        for error in [
            ResponseError::NotLeaderOrFollower,
            ResponseError::NotEnoughReplicas,
            ResponseError::UnknownTopicOrPartition,
            ResponseError::KafkaStorageError,
            ResponseError::RequestTimedOut,
        ] {
            assert!(!check(error), "{error}");
        }
    }
}
