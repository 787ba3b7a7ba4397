//! Commits offsets as a consumer group.
//!
//! After a restart the mapping continues at the committed offsets, and Kafka tools can show its
//! lag. The group has no members, because the mapping reads all partitions itself.

use std::{collections::BTreeMap, error::Error, sync::Arc, time::Duration};

use kafka_protocol::{
    ResponseError,
    messages::{
        GroupId, OffsetCommitRequest, OffsetFetchRequest, TopicName,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch_request::OffsetFetchRequestTopic,
    },
};
use tokio::time::sleep;
use tracing::warn;

use super::{
    broker_conn::BrokerConn,
    cluster::{Cluster, ClusterError, check, str_bytes},
};

/// Offsets by topic and partition.
pub(super) type Offsets = BTreeMap<(String, i32), i64>;

/// A consumer group without members.
pub(super) struct Group {
    cluster: Arc<Cluster>,
    id: String,
    /// The connection to the coordinator; `None` after an error.
    connection: Option<BrokerConn>,
    /// The number of consecutive failed commits.
    failures: u32,
}

impl Group {
    pub(super) fn new(cluster: Arc<Cluster>, id: String) -> Self {
        Self {
            cluster,
            id,
            connection: None,
            failures: 0,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The committed offsets of these partitions. A partition without one is left out.
    pub(super) async fn committed(
        &mut self,
        partitions: &[(String, i32)],
    ) -> Result<Offsets, ClusterError> {
        let topics = partitions.chunk_by(|(one, _), (other, _)| one == other);
        let topics = topics.map(|partitions| {
            OffsetFetchRequestTopic::default()
                .with_name(TopicName(str_bytes(&partitions[0].0)))
                .with_partition_indexes(partitions.iter().map(|(_, index)| *index).collect())
        });
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(str_bytes(&self.id)))
            .with_topics(Some(topics.collect()));
        let connection = self.connection().await?;
        let response = connection
            .call(OFFSET_FETCH, &request, Duration::ZERO)
            .await?;
        let what = || format!("offsets of group {}", self.id);
        check(response.error_code, what)?;
        let mut offsets = Offsets::new();
        for topic in response.topics {
            for partition in topic.partitions {
                check(partition.error_code, what)?;
                let key = (topic.name.to_string(), partition.partition_index);
                offsets.insert(key, partition.committed_offset);
            }
        }
        if let Some((topic, partition)) = partitions.iter().find(|it| !offsets.contains_key(*it)) {
            let what = format!("offset of group {} in {topic}-{partition}", self.id);
            return Err(ClusterError::Missing(what));
        }
        // A negative offset means that none was committed.
        offsets.retain(|_, offset| *offset >= 0);
        Ok(offsets)
    }

    /// Commits offsets, and returns those that need not be committed again.
    ///
    /// If some must be retried, returns after a delay. Unknown partitions, such as those of a
    /// deleted topic, and errors that Kafka calls not retriable are not retried.
    pub(super) async fn commit(&mut self, mut offsets: Offsets) -> Offsets {
        let unknown = ResponseError::UnknownTopicOrPartition;
        let mut failed = match self.try_commit(&offsets).await {
            Ok(failed) => failed,
            Err(error) => {
                offsets.clear();
                self.back_off(&error).await;
                return offsets;
            }
        };
        failed.retain(|_, error| match error {
            ClusterError::Code { error, .. } if *error == unknown => false,
            error if error.is_final() => {
                let error = error as &dyn Error;
                warn!(
                    error,
                    "cannot commit an offset: its records will be redelivered"
                );
                false
            }
            _ => true,
        });
        offsets.retain(|partition, _| !failed.contains_key(partition));
        match failed.values().next() {
            Some(error) => self.back_off(error).await,
            None => self.failures = 0,
        }
        offsets
    }

    /// Commits offsets; fails if any of them fails.
    pub(super) async fn commit_all(&mut self, offsets: &Offsets) -> Result<(), ClusterError> {
        let failed = self.try_commit(offsets).await?;
        failed.into_values().next().map_or(Ok(()), Err)
    }

    /// Drops the connection after a failed commit and waits before the retry.
    async fn back_off(&mut self, error: &ClusterError) {
        self.connection = None;
        self.failures = self.failures.saturating_add(1);
        if self.failures == FAILURES_BEFORE_WARNING {
            let group = &self.id;
            warn!(
                error = error as &dyn Error,
                group, "cannot commit offsets: retrying"
            );
        }
        sleep(RETRY_DELAY).await;
    }

    /// Commits offsets, and returns the errors of the partitions that failed.
    async fn try_commit(
        &mut self,
        offsets: &Offsets,
    ) -> Result<BTreeMap<(String, i32), ClusterError>, ClusterError> {
        let all: Vec<_> = offsets.iter().collect();
        let topics = all.chunk_by(|((one, _), _), ((other, _), _)| one == other);
        let topics = topics.map(|entries| {
            let partitions = entries.iter().map(|((_, partition), offset)| {
                OffsetCommitRequestPartition::default()
                    .with_partition_index(*partition)
                    .with_committed_offset(**offset)
                    .with_committed_metadata(Some(str_bytes("")))
            });
            let ((topic, _), _) = entries[0];
            OffsetCommitRequestTopic::default()
                .with_name(TopicName(str_bytes(topic)))
                .with_partitions(partitions.collect())
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(str_bytes(&self.id)))
            .with_generation_id_or_member_epoch(NO_GENERATION)
            .with_topics(topics.collect());
        let connection = self.connection().await?;
        let response = connection
            .call(OFFSET_COMMIT, &request, Duration::ZERO)
            .await?;
        let mut codes = BTreeMap::new();
        for topic in response.topics {
            for partition in topic.partitions {
                let key = (topic.name.to_string(), partition.partition_index);
                codes.insert(key, partition.error_code);
            }
        }
        let failed = offsets.keys().filter_map(|key| {
            let (topic, partition) = key;
            let what = || format!("group {} in {topic}-{partition}", self.id);
            let result = match codes.get(key) {
                Some(code) => check(*code, what),
                None => Err(ClusterError::Missing(what())),
            };
            Some((key.clone(), result.err()?))
        });
        Ok(failed.collect())
    }

    async fn connection(&mut self) -> Result<&mut BrokerConn, ClusterError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.cluster.coordinator(&self.id).await?,
        };
        Ok(self.connection.insert(connection))
    }
}

/// Versions that Kafka 0.11 to 4 support.
const OFFSET_FETCH: i16 = 2;
const OFFSET_COMMIT: i16 = 2;
/// The generation of a client that is not a member.
const NO_GENERATION: i32 = -1;
/// The delay between attempts to commit.
const RETRY_DELAY: Duration = Duration::from_millis(250);
/// A change of coordinator costs an attempt or two, which need no warning.
const FAILURES_BEFORE_WARNING: u32 = 4;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kafka_protocol::messages::{
        ApiKey, FindCoordinatorResponse, OffsetCommitResponse, OffsetFetchResponse,
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch_response::{OffsetFetchResponsePartition, OffsetFetchResponseTopic},
    };

    use super::{
        super::scripted_broker::{ScriptRequest, ScriptedBroker},
        *,
    };

    /// A group whose coordinator responds with `respond`.
    async fn group(
        respond: impl Fn(&ScriptRequest) -> Bytes + Send + Sync + 'static,
    ) -> (Group, ScriptedBroker) {
        let broker = ScriptedBroker::start(move |request| match request.api {
            ApiKey::FindCoordinator => request.respond(
                &FindCoordinatorResponse::default()
                    .with_host(str_bytes(&request.broker.ip().to_string()))
                    .with_port(request.broker.port().into()),
            ),
            _ => respond(request),
        })
        .await;
        let group = Group::new(Arc::new(broker.cluster()), "g".to_owned());
        (group, broker)
    }

    fn partitions(indexes: &[i32]) -> Vec<(String, i32)> {
        let partitions = indexes.iter().map(|index| ("t".to_owned(), *index));
        partitions.collect()
    }

    #[tokio::test]
    async fn an_offset_missing_from_the_response_is_an_error() {
        let fetched = |offsets: &[(i32, i64)]| {
            let partitions = offsets.iter().map(|(index, offset)| {
                OffsetFetchResponsePartition::default()
                    .with_partition_index(*index)
                    .with_committed_offset(*offset)
            });
            let topic = OffsetFetchResponseTopic::default()
                .with_name(TopicName(str_bytes("t")))
                .with_partitions(partitions.collect());
            OffsetFetchResponse::default().with_topics(vec![topic])
        };
        let check = async |response: OffsetFetchResponse| {
            let (mut group, _broker) = group(move |request| request.respond(&response)).await;
            let committed = group.committed(&partitions(&[0, 1])).await;
            committed
                .map(|offsets| offsets.into_values().collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        assert_eq!(check(fetched(&[(0, 5), (1, -1)])).await, Ok(vec![5]));
        let missing = |partition: &str| {
            Err(format!(
                "the response has no offset of group g in {partition}"
            ))
        };
        assert_eq!(check(fetched(&[(0, 5)])).await, missing("t-1"));
        assert_eq!(check(OffsetFetchResponse::default()).await, missing("t-0"));
    }

    fn committed(codes: &[(i32, i16)]) -> OffsetCommitResponse {
        let partitions = codes.iter().map(|(index, code)| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(*index)
                .with_error_code(*code)
        });
        let topic = OffsetCommitResponseTopic::default()
            .with_name(TopicName(str_bytes("t")))
            .with_partitions(partitions.collect());
        OffsetCommitResponse::default().with_topics(vec![topic])
    }

    /// Commits partitions 0 and 1. Returns those that need no retry, and whether both succeeded.
    async fn check_commit(response: OffsetCommitResponse) -> (Vec<i32>, bool) {
        let (mut group, _broker) = group(move |request| request.respond(&response)).await;
        let offsets: Offsets = partitions(&[0, 1]).into_iter().zip(5..).collect();
        let all = group.commit_all(&offsets).await.is_ok();
        let done = group.commit(offsets).await;
        (done.into_keys().map(|(_, index)| index).collect(), all)
    }

    #[tokio::test]
    async fn an_offset_missing_from_the_response_counts_as_not_committed() {
        assert_eq!(
            check_commit(committed(&[(0, 0), (1, 0)])).await,
            (vec![0, 1], true)
        );
        assert_eq!(check_commit(committed(&[(0, 0)])).await, (vec![0], false));
        let nothing = OffsetCommitResponse::default();
        assert_eq!(check_commit(nothing).await, (vec![], false));
    }

    #[tokio::test]
    async fn a_failed_offset_does_not_affect_the_others() {
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        let forbidden = ResponseError::TopicAuthorizationFailed.code();
        let retriable = ResponseError::CoordinatorLoadInProgress.code();
        for (code, done) in [
            (unknown, vec![0, 1]),
            (forbidden, vec![0, 1]),
            (retriable, vec![0]),
        ] {
            let response = committed(&[(0, 0), (1, code)]);
            assert_eq!(check_commit(response).await, (done, false), "{code}");
        }
    }
}
