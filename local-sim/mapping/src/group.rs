//! The mapping's own group: how far it has come, for itself after a restart and for everybody's tools.
//!
//! It is a member of nothing: all partitions are its own.

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
    cluster::{Cluster, ClusterError, check, text},
};

/// Offsets by topic and partition.
pub(super) type Offsets = BTreeMap<(String, i32), i64>;

/// A group that only commits.
pub(super) struct Group {
    cluster: Arc<Cluster>,
    id: String,
    /// A connection with the coordinator, while it works.
    connection: Option<BrokerConn>,
    /// How often in a row nothing could be committed.
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

    /// Its name.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The offsets that are committed, of these places.
    pub(super) async fn committed(
        &mut self,
        places: &[(String, i32)],
    ) -> Result<Offsets, ClusterError> {
        let topics = places.chunk_by(|(one, _), (other, _)| one == other);
        let topics = topics.map(|places| {
            OffsetFetchRequestTopic::default()
                .with_name(TopicName(text(&places[0].0)))
                .with_partition_indexes(places.iter().map(|(_, partition)| *partition).collect())
        });
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(text(&self.id)))
            .with_topics(Some(topics.collect()));
        let connection = self.connection().await?;
        let answer = connection
            .call(OFFSET_FETCH, &request, Duration::ZERO)
            .await?;
        let what = || format!("the offsets of group {}", self.id);
        check(answer.error_code, what)?;
        let mut offsets = Offsets::new();
        for topic in answer.topics {
            for partition in topic.partitions {
                check(partition.error_code, what)?;
                let place = (topic.name.to_string(), partition.partition_index);
                offsets.insert(place, partition.committed_offset);
            }
        }
        if let Some((topic, partition)) = places.iter().find(|it| !offsets.contains_key(*it)) {
            let what = format!("offset of group {} in {topic}-{partition}", self.id);
            return Err(ClusterError::Missing(what));
        }
        // One that was never committed is negative.
        offsets.retain(|_, offset| *offset >= 0);
        Ok(offsets)
    }

    /// Commits offsets, and returns those that need not be committed again. Where some must be, it returns after a pause:
    /// by then there may be others to commit.
    ///
    /// What the cluster does not know, such as a topic that was deleted, need not be: it may never be known again.
    pub(super) async fn commit(&mut self, mut offsets: Offsets) -> Offsets {
        let unknown = ResponseError::UnknownTopicOrPartition;
        let mut failed = match self.try_commit(&offsets).await {
            Ok(failed) => failed,
            Err(error) => {
                offsets.clear();
                self.failed(&error).await;
                return offsets;
            }
        };
        failed.retain(
            |_, error| !matches!(error, ClusterError::Refused { error, .. } if *error == unknown),
        );
        offsets.retain(|place, _| !failed.contains_key(place));
        match failed.values().next() {
            Some(error) => self.failed(error).await,
            None => self.failures = 0,
        }
        offsets
    }

    /// Commits offsets, all of them.
    pub(super) async fn commit_all(&mut self, offsets: &Offsets) -> Result<(), ClusterError> {
        let failed = self.try_commit(offsets).await?;
        failed.into_values().next().map_or(Ok(()), Err)
    }

    /// Something could not be committed: connects again next time, and waits.
    async fn failed(&mut self, error: &ClusterError) {
        self.connection = None;
        self.failures = self.failures.saturating_add(1);
        if self.failures == FAILURES_UNTIL_SAID {
            let group = &self.id;
            warn!(
                error = error as &dyn Error,
                group, "cannot commit, trying on"
            );
        }
        sleep(PAUSE).await;
    }

    /// Commits offsets, and returns why some are not.
    async fn try_commit(
        &mut self,
        offsets: &Offsets,
    ) -> Result<BTreeMap<(String, i32), ClusterError>, ClusterError> {
        let all: Vec<_> = offsets.iter().collect();
        let topics = all.chunk_by(|((one, _), _), ((other, _), _)| one == other);
        let topics = topics.map(|places| {
            let partitions = places.iter().map(|((_, partition), offset)| {
                OffsetCommitRequestPartition::default()
                    .with_partition_index(*partition)
                    .with_committed_offset(**offset)
                    .with_committed_metadata(Some(text("")))
            });
            let ((topic, _), _) = places[0];
            OffsetCommitRequestTopic::default()
                .with_name(TopicName(text(topic)))
                .with_partitions(partitions.collect())
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(&self.id)))
            .with_generation_id_or_member_epoch(NO_GENERATION)
            .with_topics(topics.collect());
        let connection = self.connection().await?;
        let answer = connection
            .call(OFFSET_COMMIT, &request, Duration::ZERO)
            .await?;
        let mut codes = BTreeMap::new();
        for topic in answer.topics {
            for partition in topic.partitions {
                let place = (topic.name.to_string(), partition.partition_index);
                codes.insert(place, partition.error_code);
            }
        }
        let failed = offsets.keys().filter_map(|place| {
            let (topic, partition) = place;
            let what = || format!("group {} in {topic}-{partition}", self.id);
            let result = match codes.get(place) {
                Some(code) => check(*code, what),
                None => Err(ClusterError::Missing(what())),
            };
            Some((place.clone(), result.err()?))
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

/// Versions that Kafka has had since 0.11 and has in 4.
const OFFSET_FETCH: i16 = 2;
const OFFSET_COMMIT: i16 = 2;
/// Of who is no member.
const NO_GENERATION: i32 = -1;
/// Between two attempts to commit.
const PAUSE: Duration = Duration::from_millis(250);
/// A coordinator that moves costs an attempt or two, which nobody wants to read about.
const FAILURES_UNTIL_SAID: u32 = 4;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kafka_protocol::messages::{
        ApiKey, FindCoordinatorResponse, OffsetCommitResponse, OffsetFetchResponse,
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch_response::{OffsetFetchResponsePartition, OffsetFetchResponseTopic},
    };

    use super::{
        super::scripted_broker::{Asked, ScriptedBroker},
        *,
    };

    /// A group whose coordinator answers so.
    async fn group(
        answer: impl Fn(&Asked) -> Bytes + Send + Sync + 'static,
    ) -> (Group, ScriptedBroker) {
        let broker = ScriptedBroker::start(move |asked| match asked.api {
            ApiKey::FindCoordinator => asked.answer(
                &FindCoordinatorResponse::default()
                    .with_host(text(&asked.broker.ip().to_string()))
                    .with_port(asked.broker.port().into()),
            ),
            _ => answer(asked),
        })
        .await;
        let group = Group::new(Arc::new(broker.cluster()), "g".to_owned());
        (group, broker)
    }

    fn places(partitions: &[i32]) -> Vec<(String, i32)> {
        let places = partitions.iter().map(|index| ("t".to_owned(), *index));
        places.collect()
    }

    #[tokio::test]
    async fn an_offset_that_is_not_told_is_none_that_was_never_committed() {
        let fetched = |offsets: &[(i32, i64)]| {
            let partitions = offsets.iter().map(|(index, offset)| {
                OffsetFetchResponsePartition::default()
                    .with_partition_index(*index)
                    .with_committed_offset(*offset)
            });
            let topic = OffsetFetchResponseTopic::default()
                .with_name(TopicName(text("t")))
                .with_partitions(partitions.collect());
            OffsetFetchResponse::default().with_topics(vec![topic])
        };
        let check = async |answer: OffsetFetchResponse| {
            let (mut group, _broker) = group(move |asked| asked.answer(&answer)).await;
            let committed = group.committed(&places(&[0, 1])).await;
            committed
                .map(|offsets| offsets.into_values().collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        assert_eq!(check(fetched(&[(0, 5), (1, -1)])).await, Ok(vec![5]));
        let missing = |place: &str| Err(format!("the answer has no offset of group g in {place}"));
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
            .with_name(TopicName(text("t")))
            .with_partitions(partitions.collect());
        OffsetCommitResponse::default().with_topics(vec![topic])
    }

    /// The partitions, of 0 and 1, that need not be committed again, and whether all are committed.
    async fn check_commit(answer: OffsetCommitResponse) -> (Vec<i32>, bool) {
        let (mut group, _broker) = group(move |asked| asked.answer(&answer)).await;
        let offsets: Offsets = places(&[0, 1]).into_iter().zip(5..).collect();
        let all = group.commit_all(&offsets).await.is_ok();
        let done = group.commit(offsets).await;
        (done.into_keys().map(|(_, index)| index).collect(), all)
    }

    #[tokio::test]
    async fn an_offset_of_which_nothing_is_told_is_not_committed() {
        assert_eq!(
            check_commit(committed(&[(0, 0), (1, 0)])).await,
            (vec![0, 1], true)
        );
        assert_eq!(check_commit(committed(&[(0, 0)])).await, (vec![0], false));
        let nothing = OffsetCommitResponse::default();
        assert_eq!(check_commit(nothing).await, (vec![], false));
    }

    #[tokio::test]
    async fn an_offset_that_is_refused_holds_up_no_other() {
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        let forbidden = ResponseError::TopicAuthorizationFailed.code();
        assert_eq!(
            check_commit(committed(&[(0, 0), (1, forbidden)])).await,
            (vec![0], false)
        );
        assert_eq!(
            check_commit(committed(&[(0, unknown), (1, 0)])).await,
            (vec![0, 1], false)
        );
    }
}
