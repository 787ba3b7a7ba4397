//! One partition, read from its leader, wherever that is.

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
    cluster::{Cluster, ClusterError, check, text},
    schedule::Want,
};

/// A reader of one partition.
pub(super) struct PartitionReader {
    cluster: Arc<Cluster>,
    pub(super) topic: String,
    pub(super) partition: i32,
    /// A connection with the leader, while it works.
    connection: Option<BrokerConn>,
}

/// An end of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// The oldest record there is.
    Earliest,
    /// The next record that is stored.
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

    /// Waits for the records that are wanted, for as long as it takes to get at some, or a while where there are none.
    ///
    /// Where the offset is gone, with a topic or by retention, it goes on with the oldest record there is.
    pub(super) async fn fetch(&mut self, want: Want) -> Fetched {
        let mut failures = 0_u32;
        loop {
            let error = match self.try_fetch(want).await {
                Ok(fetched) => {
                    self.report(&fetched, failures);
                    return fetched;
                }
                Err(error) if is_out_of_range(&error) => match self.end(End::Earliest).await {
                    Ok(next) if next != want.offset => {
                        self.say_gone(want.offset, next);
                        return Fetched {
                            next,
                            ..Fetched::default()
                        };
                    }
                    // The broker contradicts itself; that is not worth asking without a pause.
                    Ok(_) => error,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.connection = None;
            failures += 1;
            if failures == FAILURES_UNTIL_SAID {
                let (topic, partition) = (&self.topic, self.partition);
                warn!(
                    error = &error as &dyn Error,
                    topic, partition, "cannot read, trying on"
                );
            }
            sleep(PAUSE).await;
        }
    }

    /// Where the partition begins or ends.
    pub(super) async fn end(&mut self, end: End) -> Result<i64, ClusterError> {
        let asked = ListOffsetsPartition::default()
            .with_partition_index(self.partition)
            .with_timestamp(match end {
                End::Earliest => EARLIEST,
                End::Latest => LATEST,
            });
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(text(&self.topic)))
            .with_partitions(vec![asked]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(CONSUMER))
            .with_topics(vec![topic]);
        let connection = self.connection().await?;
        let answer = connection
            .call(LIST_OFFSETS, &request, Duration::ZERO)
            .await?;
        let mut topics = answer.topics.iter();
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
        let asked = FetchPartition::default()
            .with_partition(self.partition)
            .with_fetch_offset(want.offset)
            .with_partition_max_bytes(bytes);
        let topic = FetchTopic::default()
            .with_topic(TopicName(text(&self.topic)))
            .with_partitions(vec![asked]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(CONSUMER))
            .with_max_wait_ms(FETCH_WAIT_MS)
            .with_min_bytes(1)
            .with_max_bytes(bytes)
            .with_topics(vec![topic]);
        let wait = Duration::from_millis(FETCH_WAIT_MS.unsigned_abs().into());
        let connection = self.connection().await?;
        let answer = connection.call(FETCH, &request, wait).await?;
        let mut topics = answer.responses.into_iter();
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

    fn report(&self, fetched: &Fetched, failures: u32) {
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
                "records cannot be read, and are skipped"
            );
        }
        if failures >= FAILURES_UNTIL_SAID {
            warn!(topic, partition, "can be read again");
        }
    }

    fn say_gone(&self, offset: i64, next: i64) {
        let (topic, partition) = (&self.topic, self.partition);
        warn!(
            offset,
            next, topic, partition, "the offset is gone, going on from the next"
        );
    }

    fn name(&self) -> String {
        format!("partition {} of topic {}", self.partition, self.topic)
    }
}

fn is_out_of_range(error: &ClusterError) -> bool {
    let out_of_range = ResponseError::OffsetOutOfRange;
    matches!(error, ClusterError::Refused { error, .. } if *error == out_of_range)
}

/// Versions that Kafka has had since 0.11 and has in 4.
const FETCH: i16 = 4;
const LIST_OFFSETS: i16 = 1;
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
/// The replica id of who is none.
const CONSUMER: i32 = -1;
/// A fetch brings this many bytes at most, or one batch.
const FETCH_BYTES_MAX: i32 = 1024 * 1024;
/// A fetch waits this long for the first record.
const FETCH_WAIT_MS: i32 = 5_000;
/// Between two attempts to read: an election takes about a second, and its end should not be slept through.
const PAUSE: Duration = Duration::from_millis(250);
/// A leader that moves costs an attempt or two, which nobody wants to read about.
const FAILURES_UNTIL_SAID: u32 = 4;

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
            scripted_broker::{Asked, ScriptedBroker},
        },
        *,
    };

    const WANT: Want = Want {
        offset: 0,
        bytes: 1024,
    };

    fn fetched(topic: &str, partition: PartitionData) -> FetchResponse {
        let topic = FetchableTopicResponse::default()
            .with_topic(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        FetchResponse::default().with_responses(vec![topic])
    }

    fn listed(topic: &str, partition: i32, offset: i64) -> ListOffsetsResponse {
        let partition = ListOffsetsPartitionResponse::default()
            .with_partition_index(partition)
            .with_offset(offset);
        let topic = ListOffsetsTopicResponse::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        ListOffsetsResponse::default().with_topics(vec![topic])
    }

    /// A reader of partition 1 of topic `t`, whose leader answers so.
    async fn reader(
        answer: impl Fn(&Asked) -> Bytes + Send + Sync + 'static,
    ) -> (PartitionReader, ScriptedBroker) {
        let broker = ScriptedBroker::start(move |asked| match asked.api {
            ApiKey::Metadata => asked.metadata(&[("t", 2, 0)]),
            _ => answer(asked),
        })
        .await;
        let reader = PartitionReader::new(Arc::new(broker.cluster()), "t".to_owned(), 1);
        (reader, broker)
    }

    async fn check_fetch(answer: FetchResponse) -> Result<(usize, i64), String> {
        let (mut reader, _broker) = reader(move |asked| asked.answer(&answer)).await;
        let fetched = reader.try_fetch(WANT).await;
        fetched
            .map(|it| (it.records.len(), it.next))
            .map_err(|error| error.to_string())
    }

    async fn check_end(answer: ListOffsetsResponse) -> Result<i64, String> {
        let (mut reader, _broker) = reader(move |asked| asked.answer(&answer)).await;
        let end = reader.end(End::Latest).await;
        end.map_err(|error| error.to_string())
    }

    fn missing<T>(what: &str) -> Result<T, String> {
        Err(format!("the answer has no {what}partition 1 of topic t"))
    }

    #[tokio::test]
    async fn a_fetch_without_the_partition_has_failed() {
        let partition = |index| PartitionData::default().with_partition_index(index);
        assert_eq!(check_fetch(fetched("t", partition(1))).await, Ok((0, 0)));
        for answer in [
            FetchResponse::default(),
            fetched("t", partition(0)),
            fetched("other", partition(1)),
        ] {
            assert_eq!(check_fetch(answer).await, missing(""));
        }
    }

    #[tokio::test]
    async fn a_fetch_that_leads_no_further_has_failed() {
        let batch = bare(0, 0).to_batch().unwrap();
        let records = |records: &Bytes| {
            let partition = PartitionData::default()
                .with_partition_index(1)
                .with_records(Some(records.clone()));
            fetched("t", partition)
        };
        assert_eq!(check_fetch(records(&batch)).await, Ok((1, 1)));
        let cut = batch.slice(..batch.len() - 1);
        let expected = missing("whole batch from offset 0 in ");
        assert_eq!(check_fetch(records(&cut)).await, expected);
    }

    #[tokio::test]
    async fn an_end_that_is_not_told_is_no_offset() {
        assert_eq!(check_end(listed("t", 1, 7)).await, Ok(7));
        for answer in [
            ListOffsetsResponse::default(),
            listed("t", 0, 7),
            listed("other", 1, 7),
        ] {
            assert_eq!(check_end(answer).await, missing(""));
        }
        assert_eq!(check_end(listed("t", 1, -1)).await, missing("offset in "));
    }

    #[tokio::test]
    async fn an_offset_that_is_gone_and_still_there_is_asked_for_after_a_pause() {
        let out_of_range = PartitionData::default()
            .with_partition_index(1)
            .with_error_code(ResponseError::OffsetOutOfRange.code());
        let gone = fetched("t", out_of_range);
        let (mut reader, _broker) = reader(move |asked| match asked.api {
            ApiKey::Fetch => asked.answer(&gone),
            _ => asked.answer(&listed("t", 1, WANT.offset)),
        })
        .await;
        let fetched = timeout(PAUSE / 2, reader.fetch(WANT)).await;
        assert!(fetched.is_err(), "{fetched:?}");
    }
}
