//! The cluster's topics, and their numbers of partitions.

use std::{
    num::NonZeroI32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use sluice_kafka::{Connection, PartitionCounts};
use tokio::time::timeout;

use super::{
    clock::has_passed,
    error::{AttemptError, Step},
    shared_init::SharedInit,
};

/// The age at which partition counts are refreshed, as by Kafka's own clients
/// (`metadata.max.age.ms`). Until then keys go to the old partitions.
const REFRESH_AFTER: Duration = Duration::from_mins(5);

/// The time before a missing topic is looked up again, however many records it gets: clients
/// resend, and each look-up is for all topics.
pub(super) const ABSENT_FOR: Duration = Duration::from_millis(250);

/// The timeout of a list of topics: as long as an attempt.
const LIST_MAX: Duration = Duration::from_secs(2);

/// The topics of a session.
#[derive(Debug)]
pub(super) struct Topics {
    connection: Arc<Connection>,
    known: Arc<Known>,
    /// The last look-up, shared by all that need one while it is in progress.
    looking: Mutex<Option<Arc<SharedInit<()>>>>,
}

#[derive(Debug)]
struct Known {
    counts: Mutex<Counts>,
    is_outdated: AtomicBool,
}

#[derive(Debug)]
struct Counts {
    of: PartitionCounts,
    /// By the wall clock, which continues while a function is frozen.
    asked: SystemTime,
}

impl Topics {
    /// The topics that the cluster listed while the client connected, and when it was `asked`.
    pub(super) fn new(
        connection: Arc<Connection>,
        told: PartitionCounts,
        asked: SystemTime,
    ) -> Self {
        let counts = Counts { of: told, asked };
        Self {
            connection,
            known: Arc::new(Known {
                counts: Mutex::new(counts),
                is_outdated: AtomicBool::new(false),
            }),
            looking: Mutex::default(),
        }
    }

    /// The number of partitions of a topic. A missing topic is looked up again, since it may be
    /// new.
    pub(super) async fn partition_count(
        &self,
        topic: &str,
        now: SystemTime,
    ) -> Result<NonZeroI32, AttemptError> {
        let (count, asked) = self.known.partition_count(topic);
        if count.is_ok() {
            // No record waits for the refresh.
            if has_passed(REFRESH_AFTER, asked, now) {
                self.look_again();
            }
            return count;
        }
        if !has_passed(ABSENT_FOR, asked, now) {
            return count;
        }
        self.look_again().outcome().await?;
        self.known.partition_count(topic).0
    }

    /// Whether the last look-up failed, so that the counts are too old.
    pub(super) fn are_outdated(&self) -> bool {
        self.known.is_outdated.load(Ordering::Relaxed)
    }

    /// Starts a look-up, or joins the one in progress.
    fn look_again(&self) -> Arc<SharedInit<()>> {
        let mut looking = self.looking.lock();
        let under_way = looking.take().filter(|look| look.is_under_way());
        let look = under_way.unwrap_or_else(|| Arc::new(self.look()));
        *looking = Some(Arc::clone(&look));
        look
    }

    /// Starts a look-up, which continues if no task waits for it.
    fn look(&self) -> SharedInit<()> {
        let (connection, known) = (Arc::clone(&self.connection), Arc::clone(&self.known));
        SharedInit::start(async move {
            let counts = list(&connection).await;
            known.is_outdated.store(counts.is_err(), Ordering::Relaxed);
            *known.counts.lock() = counts?;
            Ok(())
        })
    }
}

impl Known {
    /// The number of partitions of a topic, and when it was asked for.
    fn partition_count(&self, topic: &str) -> (Result<NonZeroI32, AttemptError>, SystemTime) {
        let counts = self.counts.lock();
        let count = match counts.of.get(topic) {
            None => Err(AttemptError::NoTopic(topic.to_owned())),
            Some(None) => Err(AttemptError::NoPartitions(topic.to_owned())),
            Some(Some(count)) => Ok(*count),
        };
        (count, counts.asked)
    }
}

/// Lists all topics that the client is authorized to see.
///
/// The client cannot ask for one by name. A list shows whether a topic exists without creating it.
async fn list(connection: &Connection) -> Result<Counts, AttemptError> {
    let asked = SystemTime::now();
    let topics = timeout(LIST_MAX, connection.list_topics())
        .await
        .map_err(|_| AttemptError::Late(Step::Connecting, connection.broker_errors()))?
        .map_err(|source| AttemptError::lookup(connection, source))?;
    let of = topics
        .into_iter()
        .map(|topic| {
            let count = i32::try_from(topic.partitions.len()).ok();
            (topic.name, count.and_then(NonZeroI32::new))
        })
        .collect();
    Ok(Counts { of, asked })
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::time::sleep;

    use super::*;
    use crate::kafka::producer::tests::broker::Broker;

    async fn topics(broker: &Broker) -> Topics {
        let connected = broker.settings().connect_once("test", LIST_MAX).await;
        let mut connection = connected.expect("connected");
        let told = connection.take_topics();
        assert!(connection.take_topics().is_empty(), "they were given away");
        let topics = Topics::new(Arc::new(connection), told, SystemTime::now());
        assert_eq!(check(&topics, Duration::ZERO).await, 1);
        topics
    }

    /// The partitions of the topic `t` so long after it was looked for.
    async fn check(topics: &Topics, after: Duration) -> i32 {
        let now = SystemTime::now() + after;
        let counting = topics.partition_count("t", now);
        counting.await.expect("a count").get()
    }

    /// Waits until it is so, since refreshing goes on beside the records.
    async fn until(mut what: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !what().await {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LIST_MAX * 2, waiting)
            .await
            .expect("it came to be so");
    }

    #[tokio::test]
    async fn new_partitions_are_used_after_five_minutes_and_no_record_waits_for_that() {
        let broker = Broker::start(1, &[]).await;
        let topics = topics(&broker).await;
        broker.state.topics.lock().insert("t".to_owned(), 7);
        let minute = Duration::from_mins(1);

        assert_eq!(check(&topics, minute * 4).await, 1);
        assert!(topics.looking.lock().is_none());
        assert_eq!(check(&topics, minute * 6).await, 1);
        until(async || check(&topics, Duration::ZERO).await == 7).await;
        assert!(!topics.are_outdated());
    }

    #[tokio::test]
    async fn topics_that_cannot_be_looked_for_again_are_outdated() {
        let broker = Broker::start(1, &[]).await;
        let topics = topics(&broker).await;
        broker.cut().await;

        assert_eq!(check(&topics, REFRESH_AFTER * 2).await, 1);

        until(async || topics.are_outdated()).await;
    }

    #[tokio::test]
    async fn a_missing_topic_is_looked_for_once_by_all_and_then_not_for_a_moment() {
        let broker = Broker::start(1, &[]).await;
        let topics = topics(&broker).await;
        let looks = || broker.state.auto_creations.lock().len();
        let count = |after| topics.partition_count("missing", SystemTime::now() + after);
        let before = looks();

        let now = topics.known.counts.lock().asked;
        assert!(topics.partition_count("missing", now).await.is_err());
        assert_eq!(looks(), before, "it was not there a moment ago");
        let counts = join_all((0..300).map(|_| count(ABSENT_FOR * 2))).await;
        assert_eq!(looks(), before + 1);
        for count in counts {
            assert!(matches!(count, Err(AttemptError::NoTopic(_))), "{count:?}");
        }

        broker.state.topics.lock().insert("missing".to_owned(), 3);
        let found = count(ABSENT_FOR * 2).await;
        assert_eq!(found.expect("a count").get(), 3);
        assert_eq!(looks(), before + 2);
    }
}
