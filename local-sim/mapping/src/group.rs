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
    cluster::{Cluster, ClusterError, check, text},
    wire::Wire,
};

/// Offsets by topic and partition.
pub(super) type Offsets = BTreeMap<(String, i32), i64>;

/// A group that only commits.
pub(super) struct Group {
    cluster: Arc<Cluster>,
    id: String,
    /// A connection with the coordinator, while it works.
    wire: Option<Wire>,
    /// How often in a row nothing could be committed.
    failures: u32,
}

impl Group {
    pub(super) fn new(cluster: Arc<Cluster>, id: String) -> Self {
        Self {
            cluster,
            id,
            wire: None,
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
        let wire = self.wire().await?;
        let answer = wire.call(OFFSET_FETCH, &request, Duration::ZERO).await?;
        let what = || format!("the offsets of group {}", self.id);
        check(answer.error_code, what)?;
        let mut offsets = Offsets::new();
        for topic in answer.topics {
            for partition in topic.partitions {
                check(partition.error_code, what)?;
                if partition.committed_offset >= 0 {
                    let place = (topic.name.to_string(), partition.partition_index);
                    offsets.insert(place, partition.committed_offset);
                }
            }
        }
        Ok(offsets)
    }

    /// Commits offsets, if that can be done now, and returns those that need not be committed again. Where it cannot, it
    /// returns none after a pause: by then there may be others to commit.
    ///
    /// What the cluster does not know, such as a topic that was deleted, keeps nobody else from being committed.
    pub(super) async fn commit(&mut self, offsets: Offsets) -> Offsets {
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        let mut codes = self.try_commit(&offsets).await;
        if let Ok(codes) = &mut codes {
            codes.retain(|code| *code != unknown);
        }
        let Err(error) = codes.and_then(|codes| self.check(codes)) else {
            self.failures = 0;
            return offsets;
        };
        self.wire = None;
        self.failures = self.failures.saturating_add(1);
        if self.failures == FAILURES_UNTIL_SAID {
            let group = &self.id;
            warn!(
                error = &error as &dyn Error,
                group, "cannot commit, trying on"
            );
        }
        sleep(PAUSE).await;
        Offsets::new()
    }

    /// Commits offsets, all of them.
    pub(super) async fn commit_all(&mut self, offsets: &Offsets) -> Result<(), ClusterError> {
        let codes = self.try_commit(offsets).await?;
        self.check(codes)
    }

    /// Commits offsets, and returns what became of each as an error code.
    async fn try_commit(&mut self, offsets: &Offsets) -> Result<Vec<i16>, ClusterError> {
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
        let wire = self.wire().await?;
        let answer = wire.call(OFFSET_COMMIT, &request, Duration::ZERO).await?;
        let results = answer.topics.iter().flat_map(|topic| &topic.partitions);
        Ok(results.map(|partition| partition.error_code).collect())
    }

    fn check(&self, codes: Vec<i16>) -> Result<(), ClusterError> {
        let mut codes = codes.into_iter();
        codes.try_for_each(|code| check(code, || format!("group {}", self.id)))
    }

    async fn wire(&mut self) -> Result<&mut Wire, ClusterError> {
        let wire = match self.wire.take() {
            Some(wire) => wire,
            None => self.cluster.coordinator(&self.id).await?,
        };
        Ok(self.wire.insert(wire))
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
