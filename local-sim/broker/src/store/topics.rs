//! The topics of the broker, by name.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use kafka_protocol::ResponseError;
use parking_lot::{Mutex, RwLock};
use thiserror::Error;

use super::{
    partition::Partition,
    recent::{Home, Recent},
    retention::Retention,
};
use crate::limits::{PARTITIONS_MAX, TOPIC_NAME_LENGTH_MAX, TOPICS_MAX};

/// All topics, and the memory that they may take together.
#[derive(Debug)]
pub(crate) struct Topics {
    by_name: RwLock<BTreeMap<String, Arc<Topic>>>,
    retention: Arc<Retention>,
    recent: Arc<Recent>,
    /// Held by the one that makes room, while others go on.
    making_room: Mutex<()>,
}

/// A named list of partitions.
#[derive(Debug)]
pub(crate) struct Topic {
    /// The name, a valid one.
    pub(crate) name: String,
    /// The partitions, by their index.
    pub(crate) partitions: Vec<Arc<Partition>>,
}

/// Why a topic cannot be created.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TopicError {
    /// The names of Kafka's metrics would be the same.
    #[error(
        "topic name {name:?} collides with the existing topic {existing:?}: '.' and '_' count as equal"
    )]
    Collision {
        /// The name of the new topic.
        name: String,
        /// The topic that has the same name to metrics.
        existing: String,
    },
    /// The topic is there already.
    #[error("topic {0:?} exists already")]
    Exists(String),
    /// Kafka allows no such name.
    #[error(
        "topic name \"{0}\" is invalid, expected 1 to {TOPIC_NAME_LENGTH_MAX} ASCII letters, digits, '.', '_' and '-', \
         and neither \".\" nor \"..\""
    )]
    Name(String),
    /// A topic has partitions.
    #[error("number of partitions is {0}, expected 1 or more")]
    Partitions(i32),
    /// The broker's bound.
    #[error("{0} more partitions are too many, this broker holds at most {PARTITIONS_MAX} in all")]
    TooManyPartitions(usize),
    /// The broker's bound.
    #[error("one more topic is too many, this broker holds at most {TOPICS_MAX}")]
    TooManyTopics,
}

impl Topics {
    /// No topics yet; their records may take `retention_bytes` of memory.
    pub(crate) fn new(retention_bytes: usize) -> Self {
        Self {
            by_name: RwLock::default(),
            retention: Arc::new(Retention::new(retention_bytes)),
            recent: Arc::default(),
            making_room: Mutex::default(),
        }
    }

    /// The topic of this name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.read().get(name).cloned()
    }

    /// The partition of a topic.
    pub(crate) fn partition(&self, name: &str, index: i32) -> Option<Arc<Partition>> {
        let index = usize::try_from(index).ok()?;
        self.by_name
            .read()
            .get(name)?
            .partitions
            .get(index)
            .cloned()
    }

    /// All topics, by name.
    pub(crate) fn list(&self) -> Vec<Arc<Topic>> {
        self.by_name.read().values().cloned().collect()
    }

    /// Creates a topic.
    pub(crate) fn create(&self, name: &str, partitions: i32) -> Result<Arc<Topic>, TopicError> {
        let mut by_name = self.by_name.write();
        let count = vet(&by_name, name, partitions)?;
        let partition = |home| {
            let (retention, recent) = (Arc::clone(&self.retention), Arc::clone(&self.recent));
            Arc::new(Partition::new(home, retention, recent))
        };
        let topic = Arc::new(Topic {
            name: name.to_owned(),
            partitions: Home::of_topic(name).take(count).map(partition).collect(),
        });
        by_name.insert(name.to_owned(), Arc::clone(&topic));
        Ok(topic)
    }

    /// Whether [`Topics::create`] would succeed.
    pub(crate) fn vet(&self, name: &str, partitions: i32) -> Result<(), TopicError> {
        vet(&self.by_name.read(), name, partitions).map(drop)
    }

    /// The topic of this name, created if it does not exist.
    pub(crate) fn find_or_create(
        &self,
        name: &str,
        partitions: i32,
    ) -> Result<Arc<Topic>, TopicError> {
        if let Some(topic) = self.find(name) {
            return Ok(topic);
        }
        match self.create(name, partitions) {
            // Another connection was quicker, and nobody has deleted it since.
            Err(TopicError::Exists(_)) if let Some(topic) = self.find(name) => Ok(topic),
            created => created,
        }
    }

    /// Deletes a topic with its records; `false` where there is none.
    pub(crate) fn delete(&self, name: &str) -> bool {
        let Some(topic) = self.by_name.write().remove(name) else {
            return false;
        };
        topic.partitions.iter().for_each(|it| it.delete());
        true
    }

    /// The newest batches of all topics.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Drops the oldest batches of the largest partitions until the records are within their bound.
    ///
    /// One caller does it for all. The others go on, so the bound can be passed by the batches of the requests that
    /// are under way.
    pub(crate) fn enforce_retention(&self) {
        if !self.retention.is_exceeded() {
            return;
        }
        let Some(_making_room) = self.making_room.try_lock() else {
            return;
        };
        while self.retention.is_exceeded() {
            let before = self.retention.excess();
            self.make_room();
            if self.retention.excess() >= before {
                // Nothing could be freed: what was appended meanwhile is the next caller's.
                break;
            }
        }
    }

    /// Takes from the largest partitions first, and from each at most half, so that a busy topic does not cost a quiet
    /// one its last records.
    fn make_room(&self) {
        let mut partitions: Vec<_> = self
            .list()
            .iter()
            .flat_map(|topic| &topic.partitions)
            .map(|partition| (partition.cost(), Arc::clone(partition)))
            .collect();
        partitions.sort_unstable_by_key(|(cost, _)| Reverse(*cost));
        for (cost, partition) in partitions {
            let excess = self.retention.excess();
            if excess == 0 {
                break;
            }
            partition.drop_oldest(excess.min(cost / 2).max(1));
        }
    }
}

impl TopicError {
    /// The error of Kafka's protocol that says so.
    pub(crate) fn code(&self) -> ResponseError {
        match self {
            Self::Collision { .. } | Self::Name(_) => ResponseError::InvalidTopicException,
            Self::Exists(_) => ResponseError::TopicAlreadyExists,
            Self::Partitions(_) => ResponseError::InvalidPartitions,
            Self::TooManyPartitions(_) | Self::TooManyTopics => ResponseError::PolicyViolation,
        }
    }
}

/// Checks a new topic against Kafka's rules and the broker's bounds, and returns its number of partitions.
fn vet(
    topics: &BTreeMap<String, Arc<Topic>>,
    name: &str,
    partitions: i32,
) -> Result<usize, TopicError> {
    if !is_valid(name) {
        return Err(TopicError::Name(
            name.escape_debug().take(TOPIC_NAME_LENGTH_MAX).collect(),
        ));
    }
    if topics.contains_key(name) {
        return Err(TopicError::Exists(name.to_owned()));
    }
    if let Some(existing) = topics.keys().find(|existing| collide(existing, name)) {
        return Err(TopicError::Collision {
            name: name.to_owned(),
            existing: existing.clone(),
        });
    }
    let count = match usize::try_from(partitions) {
        Ok(count) if count > 0 => count,
        _ => return Err(TopicError::Partitions(partitions)),
    };
    if topics.len() >= TOPICS_MAX {
        return Err(TopicError::TooManyTopics);
    }
    let present: usize = topics.values().map(|topic| topic.partitions.len()).sum();
    if present + count > PARTITIONS_MAX {
        return Err(TopicError::TooManyPartitions(count));
    }
    Ok(count)
}

fn is_valid(name: &str) -> bool {
    (1..=TOPIC_NAME_LENGTH_MAX).contains(&name.len())
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn collide(left: &str, right: &str) -> bool {
    let plain = |name: &str| name.replace('.', "_");
    plain(left) == plain(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        limits::BATCH_OVERHEAD_BYTES,
        store::sample::{Sample, records},
    };

    const KIB: usize = 1024;

    fn topics(retention_bytes: usize) -> Topics {
        Topics::new(retention_bytes)
    }

    fn append(topics: &Topics, partition: &Partition, kib: usize) {
        let header = records(1).bytes().len() - records(1).filling;
        let filling = kib * KIB - header - BATCH_OVERHEAD_BYTES;
        partition
            .append(
                &Sample {
                    filling,
                    ..records(1)
                }
                .batch(),
            )
            .unwrap();
        topics.enforce_retention();
    }

    #[test]
    fn names_are_kafkas() {
        let check = |name: &str| topics(0).create(name, 1).map(|topic| topic.name.clone());
        let refused = |name: &str| Err(TopicError::Name(name.to_owned()));
        assert_eq!(check("a"), Ok("a".to_owned()));
        assert_eq!(check("ws.Messages_2-x"), Ok("ws.Messages_2-x".to_owned()));
        assert_eq!(check("..."), Ok("...".to_owned()));
        assert_eq!(check(&"a".repeat(249)), Ok("a".repeat(249)));
        assert_eq!(check(&"a".repeat(250)), refused(&"a".repeat(249)));
        assert_eq!(check(""), refused(""));
        assert_eq!(check("."), refused("."));
        assert_eq!(check(".."), refused(".."));
        assert_eq!(check("a b"), refused("a b"));
        assert_eq!(check("a/b"), refused("a/b"));
        assert_eq!(check("é"), refused("é"));
        assert_eq!(check("a\nb"), refused("a\\nb"));
    }

    #[test]
    fn a_topic_is_created_once() {
        let topics = topics(0);
        let created = topics.create("a.b", 2).unwrap();
        assert_eq!(created.partitions.len(), 2);
        assert_eq!(
            topics.create("a.b", 1).map(drop),
            Err(TopicError::Exists("a.b".to_owned()))
        );
        let collision = TopicError::Collision {
            name: "a_b".to_owned(),
            existing: "a.b".to_owned(),
        };
        assert_eq!(topics.vet("a_b", 1), Err(collision));
        assert!(Arc::ptr_eq(
            &topics.find_or_create("a.b", 5).unwrap(),
            &created
        ));
        assert!(topics.delete("a.b"));
        assert!(!topics.delete("a.b"));
        assert!(topics.partition("a.b", 0).is_none());
    }

    #[test]
    fn partitions_are_found_by_their_index() {
        let topics = topics(0);
        topics.create("a", 2).unwrap();
        assert!(topics.partition("a", 0).is_some());
        assert!(topics.partition("a", 1).is_some());
        assert!(topics.partition("a", 2).is_none());
        assert!(topics.partition("a", -1).is_none());
        assert!(topics.partition("b", 0).is_none());
    }

    #[test]
    fn the_numbers_of_topics_and_partitions_are_bounded() {
        let count = |partitions| topics(0).vet("a", partitions);
        assert_eq!(count(0), Err(TopicError::Partitions(0)));
        assert_eq!(count(-1), Err(TopicError::Partitions(-1)));
        assert_eq!(count(10_000), Ok(()));
        assert_eq!(count(10_001), Err(TopicError::TooManyPartitions(10_001)));
        let topics = topics(0);
        for index in 0..TOPICS_MAX {
            topics.create(&format!("topic{index}"), 1).unwrap();
        }
        assert_eq!(topics.vet("another", 1), Err(TopicError::TooManyTopics));
        topics.delete("topic0");
        assert_eq!(topics.vet("another", 9_001), Ok(()));
        assert_eq!(
            topics.vet("another", 9_002),
            Err(TopicError::TooManyPartitions(9_002))
        );
    }

    #[test]
    fn retention_takes_the_oldest_of_the_largest() {
        let topics = topics(64 * KIB);
        let busy = Arc::clone(&topics.create("busy", 1).unwrap().partitions[0]);
        let quiet = Arc::clone(&topics.create("quiet", 1).unwrap().partitions[0]);
        append(&topics, &quiet, 1);
        for _ in 0..1000 {
            append(&topics, &busy, 1);
            assert!(busy.cost() + quiet.cost() <= 64 * KIB);
        }
        assert_eq!(quiet.offsets(), 0..1);
        assert_eq!(busy.offsets().end, 1000);
        assert!(
            (940..=950).contains(&busy.offsets().start),
            "{:?}",
            busy.offsets()
        );
        assert!(busy.read(0, usize::MAX, true).is_err());
    }

    #[test]
    fn retention_spreads_over_equal_partitions_and_keeps_their_latest() {
        let topics = topics(64 * KIB);
        let topic = topics.create("a", 8).unwrap();
        for _ in 0..100 {
            for partition in &topic.partitions {
                append(&topics, partition, 1);
            }
        }
        for partition in &topic.partitions {
            assert_eq!(partition.offsets().end, 100);
            assert!(partition.cost() >= KIB);
        }
    }

    #[test]
    fn a_deleted_topic_frees_its_memory() {
        let topics = topics(64 * KIB);
        let topic = topics.create("a", 1).unwrap();
        append(&topics, &topic.partitions[0], 60);
        topics.delete("a");
        topic.partitions.iter().for_each(|it| it.delete());
        let kept = topics.create("b", 1).unwrap();
        append(&topics, &kept.partitions[0], 30);
        append(&topics, &kept.partitions[0], 30);
        assert_eq!(kept.partitions[0].offsets(), 0..2);
    }

    #[test]
    fn a_deleted_topic_that_a_request_still_holds_counts_no_more() {
        let topics = topics(64 * KIB);
        let held = topics.create("a", 1).unwrap();
        append(&topics, &held.partitions[0], 60);
        topics.delete("a");
        append(&topics, &held.partitions[0], 60);
        let kept = topics.create("b", 1).unwrap();
        append(&topics, &kept.partitions[0], 30);
        append(&topics, &kept.partitions[0], 30);
        drop(held);
        append(&topics, &kept.partitions[0], 2);
        assert_eq!(kept.partitions[0].offsets(), 0..3);
    }

    #[test]
    fn where_nothing_can_be_freed_retention_is_left_exceeded() {
        let topics = topics(KIB);
        topics.create("a", 1).unwrap();
        topics.retention.follow(0, 2 * KIB);
        topics.enforce_retention();
        assert!(topics.retention.is_exceeded());
    }

    #[test]
    fn a_batch_larger_than_the_whole_bound_does_not_stay() {
        let topics = topics(KIB);
        let topic = topics.create("a", 1).unwrap();
        append(&topics, &topic.partitions[0], 2);
        assert_eq!(topic.partitions[0].offsets(), 1..1);
        assert_eq!(topic.partitions[0].cost(), 0);
    }
}
