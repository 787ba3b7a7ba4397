//! Which topics there are, and how many partitions they have.

use std::{
    collections::HashMap,
    num::NonZeroI32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use sluice_kafka::Connection;
use tokio::{task::JoinSet, time::timeout};

use super::{
    clock::has_passed,
    error::{AttemptError, Step},
};

/// A topic's partition count is looked up again after this time, as Kafka's own
/// clients do (`metadata.max.age.ms`): until then keys go to the partitions
/// that were there before.
const REFRESH_AFTER: Duration = Duration::from_mins(5);

/// A list of topics may take this long to come: as long as an attempt.
const LIST_MAX: Duration = Duration::from_secs(2);

/// The topics of a session.
#[derive(Debug)]
pub(super) struct Topics {
    connection: Arc<Connection>,
    known: Arc<Known>,
    /// The one refresh that may be under way.
    refreshing: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Known {
    counts: Mutex<Counts>,
    is_outdated: AtomicBool,
}

#[derive(Debug)]
struct Counts {
    of: HashMap<String, PartitionCount>,
    /// By the wall clock, which goes on while a function is frozen.
    asked: SystemTime,
}

/// How many partitions a topic has; none while it is being created.
type PartitionCount = Option<NonZeroI32>;

impl Topics {
    /// Looks which topics there are.
    pub(super) async fn look(connection: Arc<Connection>) -> Result<Self, AttemptError> {
        let known = Known {
            counts: Mutex::new(list(&connection).await?),
            is_outdated: AtomicBool::new(false),
        };
        Ok(Self {
            connection,
            known: Arc::new(known),
            refreshing: Mutex::default(),
        })
    }

    /// How many partitions a topic has. A topic that was not there before is
    /// looked for again: it may be new.
    pub(super) async fn partition_count(
        &self,
        topic: &str,
        now: SystemTime,
    ) -> Result<NonZeroI32, AttemptError> {
        let (known, asked) = {
            let counts = self.known.counts.lock();
            (counts.of.get(topic).copied().flatten(), counts.asked)
        };
        if let Some(count) = known {
            if has_passed(REFRESH_AFTER, asked, now) {
                self.refresh();
            }
            return Ok(count);
        }
        let counts = list(&self.connection).await?;
        let found = counts.of.get(topic).copied();
        *self.known.counts.lock() = counts;
        found
            .ok_or_else(|| AttemptError::NoTopic(topic.to_owned()))?
            .ok_or_else(|| AttemptError::NoPartitions(topic.to_owned()))
    }

    /// Whether the last look failed, so that what is known is too old.
    pub(super) fn are_outdated(&self) -> bool {
        self.known.is_outdated.load(Ordering::Relaxed)
    }

    /// Looks again, beside the records: none of them waits for it.
    fn refresh(&self) {
        let mut refreshing = self.refreshing.lock();
        while refreshing.try_join_next().is_some() {}
        if !refreshing.is_empty() {
            return;
        }
        let (connection, known) = (Arc::clone(&self.connection), Arc::clone(&self.known));
        refreshing.spawn(async move {
            match list(&connection).await {
                Ok(counts) => *known.counts.lock() = counts,
                Err(_) => known.is_outdated.store(true, Ordering::Relaxed),
            }
        });
    }
}

/// The topics that we may see.
///
/// All of them rather than one by name, because that is what the client can
/// do; and it shows whether a topic exists without touching it.
async fn list(connection: &Connection) -> Result<Counts, AttemptError> {
    let asked = SystemTime::now();
    let topics = timeout(LIST_MAX, connection.list_topics())
        .await
        .map_err(|_| AttemptError::Late(Step::Connecting, connection.troubles()))?
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
    use sluice_kafka::{BROKERS, Settings};
    use tokio::time::sleep;

    use super::*;
    use crate::kafka::tests::broker::Broker;

    async fn topics(broker: &Broker) -> Topics {
        let brokers = broker.address();
        let settings = Settings::from_lookup(|name| (name == BROKERS).then(|| brokers.clone()));
        let connecting = settings.expect("settings");
        let connecting = connecting.connect_once("test", LIST_MAX);
        let connection = connecting.await.expect("connected");
        Topics::look(Arc::new(connection)).await.expect("topics")
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
        assert!(topics.refreshing.lock().is_empty());
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
}
