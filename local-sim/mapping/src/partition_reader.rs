//! Reads one partition from its leader.

use std::{error::Error, sync::Arc, time::Duration};

use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, FetchRequest, ListOffsetsRequest, TopicName,
        fetch_request::{FetchPartition, FetchTopic},
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    },
};
use tokio::time::sleep;
use tracing::warn;

use super::{
    batch::{self, Fetched, Skipped},
    broker_conn::BrokerConn,
    cluster::{Cluster, ClusterError, check, str_bytes},
    schedule::Want,
};

/// Reads one partition; finds the leader again after an error.
pub(super) struct PartitionReader {
    cluster: Arc<Cluster>,
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The connection to the leader; `None` after an error.
    connection: Option<BrokerConn>,
}

/// The start or the end of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// The oldest stored record.
    Earliest,
    /// The next new record.
    Latest,
}

impl PartitionReader {
    pub(super) fn new(cluster: Arc<Cluster>, topic: String, partition: i32) -> Self {
        Self {
            cluster,
            topic,
            partition,
            connection: None,
        }
    }

    /// Fetches records, retrying until the fetch succeeds.
    ///
    /// Returns no records if none arrive within [`FETCH_WAIT_MS`]. If the offset no longer exists
    /// (retention, or a recreated topic), continues at the oldest record.
    pub(super) async fn fetch(&mut self, want: Want) -> Fetched {
        let mut failures = 0_u32;
        loop {
            let error = match self.try_fetch(want).await {
                Ok(fetched) => {
                    self.log_fetched(&fetched, failures);
                    return fetched;
                }
                Err(error) if is_out_of_range(&error) => match self.end(End::Earliest).await {
                    Ok(next) if next != want.offset => {
                        self.warn_out_of_range(want.offset, next);
                        return Fetched {
                            next,
                            ..Fetched::default()
                        };
                    }
                    // The broker contradicts itself: retry after a delay.
                    Ok(_) => error,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.connection = None;
            failures += 1;
            if failures == FAILURES_BEFORE_WARNING {
                let (topic, partition) = (&self.topic, self.partition);
                warn!(
                    error = &error as &dyn Error,
                    topic, partition, "cannot fetch records: retrying"
                );
            }
            sleep(RETRY_DELAY).await;
        }
    }

    /// The first or the next offset of the partition.
    pub(super) async fn end(&mut self, end: End) -> Result<i64, ClusterError> {
        let requested = ListOffsetsPartition::default()
            .with_partition_index(self.partition)
            .with_timestamp(match end {
                End::Earliest => EARLIEST,
                End::Latest => LATEST,
            });
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(str_bytes(&self.topic)))
            .with_partitions(vec![requested]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(CONSUMER))
            .with_topics(vec![topic]);
        let connection = self.connection().await?;
        let response = connection
            .call(LIST_OFFSETS, &request, Duration::ZERO)
            .await?;
        let mut topics = response.topics.iter();
        let found = topics
            .find(|topic| topic.name.as_str() == self.topic)
            .and_then(|topic| {
                let mut partitions = topic.partitions.iter();
                partitions.find(|found| found.partition_index == self.partition)
            })
            .ok_or_else(|| ClusterError::Missing(self.name()))?;
        check(found.error_code, || self.name())?;
        if found.offset < 0 {
            return Err(ClusterError::Missing(format!("offset in {}", self.name())));
        }
        Ok(found.offset)
    }

    async fn try_fetch(&mut self, want: Want) -> Result<Fetched, ClusterError> {
        let bytes = i32::try_from(want.bytes).unwrap_or(i32::MAX);
        let bytes = bytes.min(FETCH_BYTES_MAX);
        let requested = FetchPartition::default()
            .with_partition(self.partition)
            .with_fetch_offset(want.offset)
            .with_partition_max_bytes(bytes);
        let topic = FetchTopic::default()
            .with_topic(TopicName(str_bytes(&self.topic)))
            .with_partitions(vec![requested]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(CONSUMER))
            .with_max_wait_ms(FETCH_WAIT_MS)
            .with_min_bytes(1)
            .with_max_bytes(bytes)
            .with_topics(vec![topic]);
        let wait = Duration::from_millis(FETCH_WAIT_MS.unsigned_abs().into());
        let connection = self.connection().await?;
        let response = connection.call(FETCH, &request, wait).await?;
        let mut topics = response.responses.into_iter();
        let found = topics
            .find(|topic| topic.topic.as_str() == self.topic)
            .and_then(|topic| {
                let mut partitions = topic.partitions.into_iter();
                partitions.find(|found| found.partition_index == self.partition)
            })
            .ok_or_else(|| ClusterError::Missing(self.name()))?;
        check(found.error_code, || self.name())?;
        let records = found.records.unwrap_or_default();
        let is_empty = records.is_empty();
        let fetched = batch::decode(records, want.offset, found.high_watermark);
        if !is_empty && fetched.next == want.offset {
            let what = format!("whole batch from offset {} in {}", want.offset, self.name());
            return Err(ClusterError::Missing(what));
        }
        Ok(fetched)
    }

    async fn connection(&mut self) -> Result<&mut BrokerConn, ClusterError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.cluster.leader(&self.topic, self.partition).await?,
        };
        Ok(self.connection.insert(connection))
    }

    fn log_fetched(&self, fetched: &Fetched, failures: u32) {
        let (topic, partition) = (&self.topic, self.partition);
        for skipped in &fetched.skipped {
            let Skipped {
                batches,
                offsets,
                reason,
            } = skipped;
            warn!(
                batches,
                ?offsets,
                reason,
                topic,
                partition,
                "skipped records that cannot be read"
            );
        }
        if failures >= FAILURES_BEFORE_WARNING {
            warn!(topic, partition, "fetching records succeeds again");
        }
    }

    fn warn_out_of_range(&self, offset: i64, next: i64) {
        let (topic, partition) = (&self.topic, self.partition);
        warn!(
            offset,
            next, topic, partition, "offset out of range: continuing at the oldest record"
        );
    }

    fn name(&self) -> String {
        format!("partition {} of topic {}", self.partition, self.topic)
    }
}

fn is_out_of_range(error: &ClusterError) -> bool {
    let out_of_range = ResponseError::OffsetOutOfRange;
    matches!(error, ClusterError::Code { error, .. } if *error == out_of_range)
}

/// Versions that Kafka 0.11 to 4 support.
const FETCH: i16 = 4;
const LIST_OFFSETS: i16 = 1;
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
/// The replica id of a consumer.
const CONSUMER: i32 = -1;
/// The maximum size of a fetch, unless a single batch is larger.
const FETCH_BYTES_MAX: i32 = 1024 * 1024;
/// The time that a fetch waits for the first record, in milliseconds.
const FETCH_WAIT_MS: i32 = 5_000;
/// The delay between attempts to fetch: well below a leader election's second.
const RETRY_DELAY: Duration = Duration::from_millis(250);
/// A leader election costs an attempt or two, which need no warning.
const FAILURES_BEFORE_WARNING: u32 = 4;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kafka_protocol::messages::{
        ApiKey, FetchResponse, ListOffsetsResponse,
        fetch_response::{FetchableTopicResponse, PartitionData},
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
    };
    use tokio::time::timeout;

    use super::{
        super::{
            sample::bare,
            scripted_broker::{ScriptRequest, ScriptedBroker},
        },
        *,
    };

    const WANT: Want = Want {
        offset: 0,
        bytes: 1024,
    };

    fn fetched(topic: &str, partition: PartitionData) -> FetchResponse {
        let topic = FetchableTopicResponse::default()
            .with_topic(TopicName(str_bytes(topic)))
            .with_partitions(vec![partition]);
        FetchResponse::default().with_responses(vec![topic])
    }

    fn listed(topic: &str, partition: i32, offset: i64) -> ListOffsetsResponse {
        let partition = ListOffsetsPartitionResponse::default()
            .with_partition_index(partition)
            .with_offset(offset);
        let topic = ListOffsetsTopicResponse::default()
            .with_name(TopicName(str_bytes(topic)))
            .with_partitions(vec![partition]);
        ListOffsetsResponse::default().with_topics(vec![topic])
    }

    /// A reader of partition 1 of topic `t`, whose leader responds with `respond`.
    async fn reader(
        respond: impl Fn(&ScriptRequest) -> Bytes + Send + Sync + 'static,
    ) -> (PartitionReader, ScriptedBroker) {
        let broker = ScriptedBroker::start(move |request| match request.api {
            ApiKey::Metadata => request.metadata(&[("t", 2, 0)]),
            _ => respond(request),
        })
        .await;
        let reader = PartitionReader::new(Arc::new(broker.cluster()), "t".to_owned(), 1);
        (reader, broker)
    }

    async fn check_fetch(response: FetchResponse) -> Result<(usize, i64), String> {
        let (mut reader, _broker) = reader(move |request| request.respond(&response)).await;
        let fetched = reader.try_fetch(WANT).await;
        fetched
            .map(|it| (it.records.len(), it.next))
            .map_err(|error| error.to_string())
    }

    async fn check_end(response: ListOffsetsResponse) -> Result<i64, String> {
        let (mut reader, _broker) = reader(move |request| request.respond(&response)).await;
        let end = reader.end(End::Latest).await;
        end.map_err(|error| error.to_string())
    }

    fn missing<T>(what: &str) -> Result<T, String> {
        Err(format!("the response has no {what}partition 1 of topic t"))
    }

    #[tokio::test]
    async fn a_fetch_response_without_the_partition_is_an_error() {
        let partition = |index| PartitionData::default().with_partition_index(index);
        assert_eq!(check_fetch(fetched("t", partition(1))).await, Ok((0, 0)));
        for response in [
            FetchResponse::default(),
            fetched("t", partition(0)),
            fetched("other", partition(1)),
        ] {
            assert_eq!(check_fetch(response).await, missing(""));
        }
    }

    #[tokio::test]
    async fn a_fetch_response_without_a_whole_batch_is_an_error() {
        let batch = bare(0, 0).to_batch().unwrap();
        let records = |records: &Bytes| {
            let partition = PartitionData::default()
                .with_partition_index(1)
                .with_high_watermark(1)
                .with_records(Some(records.clone()));
            fetched("t", partition)
        };
        assert_eq!(check_fetch(records(&batch)).await, Ok((1, 1)));
        let cut = batch.slice(..batch.len() - 1);
        let expected = missing("whole batch from offset 0 in ");
        assert_eq!(check_fetch(records(&cut)).await, expected);
    }

    #[tokio::test]
    async fn an_offset_missing_from_the_response_is_an_error() {
        assert_eq!(check_end(listed("t", 1, 7)).await, Ok(7));
        for response in [
            ListOffsetsResponse::default(),
            listed("t", 0, 7),
            listed("other", 1, 7),
        ] {
            assert_eq!(check_end(response).await, missing(""));
        }
        assert_eq!(check_end(listed("t", 1, -1)).await, missing("offset in "));
    }

    #[tokio::test]
    async fn an_offset_that_the_broker_calls_out_of_range_and_oldest_is_fetched_again_after_a_delay()
     {
        let out_of_range = PartitionData::default()
            .with_partition_index(1)
            .with_error_code(ResponseError::OffsetOutOfRange.code());
        let gone = fetched("t", out_of_range);
        let (mut reader, _broker) = reader(move |request| match request.api {
            ApiKey::Fetch => request.respond(&gone),
            _ => request.respond(&listed("t", 1, WANT.offset)),
        })
        .await;
        let fetched = timeout(RETRY_DELAY / 2, reader.fetch(WANT)).await;
        assert!(fetched.is_err(), "{fetched:?}");
    }
}
