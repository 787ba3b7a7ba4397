//! The topics of the broker, and retention over all of them.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use kafka_protocol::ResponseError;
use parking_lot::{Mutex, RwLock};
use thiserror::Error;

use super::{
    partition::Partition,
    recent::{Recent, TopicPartition},
    retention::Retention,
};
use crate::limits::{PARTITIONS_MAX, TOPIC_NAME_LENGTH_MAX, TOPICS_MAX};

/// All topics, with a limit on the memory that their records take together.
#[derive(Debug)]
pub(crate) struct Topics {
    by_name: RwLock<BTreeMap<String, Arc<Topic>>>,
    retention: Arc<Retention>,
    recent: Arc<Recent>,
    /// Held by the task that enforces retention. Other tasks do not wait for it.
    enforcing: Mutex<()>,
}

/// A named list of partitions.
#[derive(Debug)]
pub(crate) struct Topic {
    /// The validated name.
    pub(crate) name: String,
    /// The partitions, in the order of their index.
    pub(crate) partitions: Vec<Arc<Partition>>,
}

/// Why a topic cannot be created.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TopicError {
    /// Both topics would have the same name in Kafka's metrics.
    #[error(
        "topic name {name:?} collides with existing topic {existing:?} ('.' and '_' count as equal)"
    )]
    Collision {
        /// The name of the new topic.
        name: String,
        /// The existing topic with the same name in metrics.
        existing: String,
    },
    /// The topic already exists.
    #[error("topic {0:?} already exists")]
    Exists(String),
    /// Kafka does not allow the name.
    #[error(
        "invalid topic name \"{0}\", must be 1 to {TOPIC_NAME_LENGTH_MAX} ASCII letters, digits, '.', '_' or '-', \
         and not \".\" or \"..\""
    )]
    Name(String),
    /// The number of partitions is not positive.
    #[error("invalid number of partitions {0}, must be at least 1")]
    Partitions(i32),
    /// The partitions would exceed the broker's limit.
    #[error("cannot create {0} partitions: the limit is {PARTITIONS_MAX} over all topics")]
    TooManyPartitions(usize),
    /// The topic would exceed the broker's limit.
    #[error("cannot create the topic: the limit is {TOPICS_MAX} topics")]
    TooManyTopics,
}

impl Topics {
    /// Starts without topics. Their records may take `retention_bytes` of memory.
    pub(crate) fn new(retention_bytes: usize) -> Self {
        Self {
            by_name: RwLock::default(),
            retention: Arc::new(Retention::new(retention_bytes)),
            recent: Arc::default(),
            enforcing: Mutex::default(),
        }
    }

    /// Finds a topic by name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.read().get(name).cloned()
    }

    /// Finds a partition by topic name and index.
    pub(crate) fn partition(&self, name: &str, index: i32) -> Option<Arc<Partition>> {
        let index = usize::try_from(index).ok()?;
        self.by_name
            .read()
            .get(name)?
            .partitions
            .get(index)
            .cloned()
    }

    /// Lists all topics in the order of their names.
    pub(crate) fn list(&self) -> Vec<Arc<Topic>> {
        self.by_name.read().values().cloned().collect()
    }

    /// Creates a topic.
    pub(crate) fn create(&self, name: &str, partitions: i32) -> Result<Arc<Topic>, TopicError> {
        let mut by_name = self.by_name.write();
        let count = validate(&by_name, name, partitions)?;
        let partition = |id| {
            let (retention, recent) = (Arc::clone(&self.retention), Arc::clone(&self.recent));
            Arc::new(Partition::new(id, retention, recent))
        };
        let topic = Arc::new(Topic {
            name: name.to_owned(),
            partitions: TopicPartition::of_topic(name)
                .take(count)
                .map(partition)
                .collect(),
        });
        by_name.insert(name.to_owned(), Arc::clone(&topic));
        Ok(topic)
    }

    /// Checks whether [`Topics::create`] would succeed.
    pub(crate) fn validate(&self, name: &str, partitions: i32) -> Result<(), TopicError> {
        validate(&self.by_name.read(), name, partitions).map(drop)
    }

    /// Finds a topic by name, and creates it if it does not exist.
    pub(crate) fn find_or_create(
        &self,
        name: &str,
        partitions: i32,
    ) -> Result<Arc<Topic>, TopicError> {
        if let Some(topic) = self.find(name) {
            return Ok(topic);
        }
        match self.create(name, partitions) {
            // Another connection created the topic in between.
            Err(TopicError::Exists(_)) if let Some(topic) = self.find(name) => Ok(topic),
            created => created,
        }
    }

    /// Deletes a topic with its records. Returns whether it existed.
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

    /// Drops the oldest batches of the largest partitions until the limit is met.
    ///
    /// If another task is already enforcing retention, this returns at once. Requests in flight can
    /// therefore exceed the limit by their batches.
    pub(crate) fn enforce_retention(&self) {
        if !self.retention.is_exceeded() {
            return;
        }
        let Some(_enforcing) = self.enforcing.try_lock() else {
            return;
        };
        while self.retention.is_exceeded() {
            let before = self.retention.bytes_to_free();
            self.drop_oldest();
            if self.retention.bytes_to_free() >= before {
                // Nothing was freed: leave batches appended meanwhile to the next caller.
                break;
            }
        }
    }

    /// Drops old batches of one partition after another, largest first, until enough is freed.
    ///
    /// Each pass drops about half of a partition at most, so that a busy topic does not evict the
    /// last records of a quiet one.
    fn drop_oldest(&self) {
        let mut partitions: Vec<_> = self
            .list()
            .iter()
            .flat_map(|topic| &topic.partitions)
            .map(|partition| (partition.cost(), Arc::clone(partition)))
            .collect();
        partitions.sort_unstable_by_key(|(cost, _)| Reverse(*cost));
        for (cost, partition) in partitions {
            let to_free = self.retention.bytes_to_free();
            if to_free == 0 {
                break;
            }
            partition.drop_oldest(to_free.min(cost / 2).max(1));
        }
    }
}

impl TopicError {
    /// The matching error of Kafka's protocol.
    pub(crate) fn code(&self) -> ResponseError {
        match self {
            Self::Collision { .. } | Self::Name(_) => ResponseError::InvalidTopicException,
            Self::Exists(_) => ResponseError::TopicAlreadyExists,
            Self::Partitions(_) => ResponseError::InvalidPartitions,
            Self::TooManyPartitions(_) | Self::TooManyTopics => ResponseError::PolicyViolation,
        }
    }
}

/// Checks a new topic and returns its number of partitions.
fn validate(
    topics: &BTreeMap<String, Arc<Topic>>,
    name: &str,
    partitions: i32,
) -> Result<usize, TopicError> {
    if !is_valid_name(name) {
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

fn is_valid_name(name: &str) -> bool {
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
        let header = records(1).bytes().len() - records(1).payload_len;
        let payload_len = kib * KIB - header - BATCH_OVERHEAD_BYTES;
        partition
            .append(
                &Sample {
                    payload_len,
                    ..records(1)
                }
                .batch(),
            )
            .unwrap();
        topics.enforce_retention();
    }

    #[test]
    fn names_follow_kafkas_rules() {
        let check = |name: &str| topics(0).create(name, 1).map(|topic| topic.name.clone());
        let invalid = |name: &str| Err(TopicError::Name(name.to_owned()));
        assert_eq!(check("a"), Ok("a".to_owned()));
        assert_eq!(check("ws.Messages_2-x"), Ok("ws.Messages_2-x".to_owned()));
        assert_eq!(check("..."), Ok("...".to_owned()));
        assert_eq!(check(&"a".repeat(249)), Ok("a".repeat(249)));
        assert_eq!(check(&"a".repeat(250)), invalid(&"a".repeat(249)));
        assert_eq!(check(""), invalid(""));
        assert_eq!(check("."), invalid("."));
        assert_eq!(check(".."), invalid(".."));
        assert_eq!(check("a b"), invalid("a b"));
        assert_eq!(check("a/b"), invalid("a/b"));
        assert_eq!(check("é"), invalid("é"));
        assert_eq!(check("a\nb"), invalid("a\\nb"));
    }

    #[test]
    fn a_topic_with_an_existing_or_colliding_name_is_rejected() {
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
        assert_eq!(topics.validate("a_b", 1), Err(collision));
        assert!(Arc::ptr_eq(
            &topics.find_or_create("a.b", 5).unwrap(),
            &created
        ));
        assert!(topics.delete("a.b"));
        assert!(!topics.delete("a.b"));
        assert!(topics.partition("a.b", 0).is_none());
    }

    #[test]
    fn partitions_are_found_by_index() {
        let topics = topics(0);
        topics.create("a", 2).unwrap();
        assert!(topics.partition("a", 0).is_some());
        assert!(topics.partition("a", 1).is_some());
        assert!(topics.partition("a", 2).is_none());
        assert!(topics.partition("a", -1).is_none());
        assert!(topics.partition("b", 0).is_none());
    }

    #[test]
    fn the_numbers_of_topics_and_partitions_are_limited() {
        let count = |partitions| topics(0).validate("a", partitions);
        assert_eq!(count(0), Err(TopicError::Partitions(0)));
        assert_eq!(count(-1), Err(TopicError::Partitions(-1)));
        assert_eq!(count(10_000), Ok(()));
        assert_eq!(count(10_001), Err(TopicError::TooManyPartitions(10_001)));
        let topics = topics(0);
        for index in 0..TOPICS_MAX {
            topics.create(&format!("topic{index}"), 1).unwrap();
        }
        assert_eq!(
            topics.validate("another", 1),
            Err(TopicError::TooManyTopics)
        );
        topics.delete("topic0");
        assert_eq!(topics.validate("another", 9_001), Ok(()));
        assert_eq!(
            topics.validate("another", 9_002),
            Err(TopicError::TooManyPartitions(9_002))
        );
    }

    #[test]
    fn retention_drops_the_oldest_batches_of_the_largest_partition() {
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
    fn retention_keeps_the_newest_batch_of_each_of_several_equal_partitions() {
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
    fn a_deleted_topic_no_longer_counts_against_retention() {
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
    fn enforcing_retention_stops_if_nothing_can_be_freed() {
        let topics = topics(KIB);
        topics.create("a", 1).unwrap();
        topics.retention.update(0, 2 * KIB);
        topics.enforce_retention();
        assert!(topics.retention.is_exceeded());
    }

    #[test]
    fn a_batch_larger_than_the_retention_limit_is_dropped() {
        let topics = topics(KIB);
        let topic = topics.create("a", 1).unwrap();
        append(&topics, &topic.partitions[0], 2);
        assert_eq!(topic.partitions[0].offsets(), 1..1);
        assert_eq!(topic.partitions[0].cost(), 0);
    }
}
