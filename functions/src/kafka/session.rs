//! Connections to the cluster, from a connect until one of them fails.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use rskafka::{
    client::partition::{Compression, PartitionClient, UnknownTopicHandling},
    record::Record as KafkaRecord,
};
use sluice_kafka::{Connection, Settings};
use tokio::time::timeout;

use super::{
    clock::has_passed,
    current_session::IDLE_MAX,
    error::{AttemptError, Step},
    shared_init::SharedInit,
    topics::Topics,
};
use crate::{partition::partition, record::Record, sink::Receipt};

/// A cluster may take this long to be connected with, or a partition's leader:
/// TLS and SASL on a slow processor fit, and there is time for another attempt.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// So many records may wait for their confirmation at once: as many as one
/// processor of a Managed Instance takes events. Each holds a few copies of
/// its value.
pub(super) const IN_FLIGHT_MAX: usize = 64;

/// A session keeps connections with so many partitions. Each takes three file
/// descriptors of the 1,024 that Lambda gives to a process, where two sessions
/// have to fit, the one that is over and the next, and what is in flight.
pub(super) const PARTITIONS_MAX: usize = 128;

const _: () = assert!(3 * (2 * (1 + PARTITIONS_MAX) + IN_FLIGHT_MAX) < 1_024);

/// A client, the topics it saw, and a connection for each partition that was
/// written to.
///
/// A session is thrown away whole: the client underneath keeps a connection
/// that fell silent and would wait on it again.
#[derive(Debug)]
pub(super) struct Session {
    topics: Topics,
    partitions: Mutex<HashMap<Key, Slot>>,
    /// Last, since it closes the sockets of all others.
    connection: Arc<Connection>,
}

/// A topic and a partition of it.
type Key = (String, i32);

/// A connection with the leader of a partition.
type Leader = Arc<SharedInit<PartitionClient>>;

/// A partition's connection, and when it was used last by the wall clock.
#[derive(Debug)]
struct Slot {
    leader: Leader,
    used: SystemTime,
}

/// A record's place: its partition, with the connection to it.
pub(super) struct Place {
    partition: i32,
    client: Arc<PartitionClient>,
}

impl Session {
    /// Connects, which tells which topics there are.
    pub(super) async fn connect(
        settings: &Settings,
        client_id: &str,
    ) -> Result<Self, AttemptError> {
        let asked = SystemTime::now();
        let mut connection = settings.connect_once(client_id, CONNECT_MAX).await?;
        let told = connection.take_topics();
        let connection = Arc::new(connection);
        Ok(Self {
            topics: Topics::new(Arc::clone(&connection), told, asked),
            partitions: Mutex::default(),
            connection,
        })
    }

    /// Looks whether these topics are there, and connects with one partition,
    /// since the others, from every instance of a function, would be many for a
    /// cluster, and would keep a function from its first event.
    pub(super) async fn warm_up(
        &self,
        topics: &BTreeSet<String>,
        now: SystemTime,
    ) -> Result<(), AttemptError> {
        let mut result = Ok(());
        let mut first = None;
        for topic in topics {
            match self.topics.partition_count(topic, now).await {
                Ok(_) => first = first.or(Some(topic)),
                // The others are none the worse for it.
                Err(error) => result = result.and(Err(error)),
            }
        }
        if let Some(topic) = first {
            result = result.and(self.leader(topic, 0, now).outcome().await.map(drop));
        }
        result
    }

    /// Finds where a record goes, and connects with it.
    pub(super) async fn find(
        &self,
        record: &Record,
        now: SystemTime,
    ) -> Result<Place, AttemptError> {
        let count = self.topics.partition_count(&record.topic, now).await?;
        let partition = partition(record.key.as_bytes(), count);
        let leader = self.leader(&record.topic, partition, now);
        let client = leader.outcome().await;
        if client.is_err() {
            // Where the session goes on, as with a topic that is forbidden,
            // the next record asks again.
            self.forget(&record.topic, partition, &leader);
        }
        Ok(Place {
            partition,
            client: client?,
        })
    }

    /// Sends a record, and returns when all in-sync replicas have it.
    pub(super) async fn produce(
        &self,
        record: &Record,
        place: &Place,
    ) -> Result<Receipt, AttemptError> {
        let records = vec![kafka_record(record)];
        // Boxed, since the client may connect again in it: it is large, and more
        // deeply nested than the compiler likes.
        let producing = Box::pin(place.client.produce(records, Compression::NoCompression));
        let offsets = producing.await.map_err(|source| AttemptError::Produce {
            brokers: self.connection.broker_errors(),
            source,
        })?;
        match offsets[..] {
            [offset] => Ok(Receipt {
                partition: place.partition,
                offset,
            }),
            _ => Err(AttemptError::Unconfirmed(offsets.len())),
        }
    }

    /// Until when brokers asked for no more records, where one did.
    pub(super) fn throttled_until(&self) -> Option<Instant> {
        self.connection.throttled_until()
    }

    /// Whether a record that is sent `now` is likely to be lost: a broker has
    /// ended its connection, or soon will.
    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        self.connection.is_over(now)
    }

    /// Whether the next record had better begin another session.
    pub(super) fn is_outdated(&self) -> bool {
        self.topics.are_outdated()
    }

    /// That an answer did not come.
    pub(super) fn late(&self, step: Step) -> AttemptError {
        AttemptError::Late(step, self.connection.broker_errors())
    }

    /// The connection with a partition, begun by the first who needs it, and
    /// begun again after a failure or where it was idle for too long, as it is
    /// closed then. Records that wait in it may still be confirmed.
    fn leader(&self, topic: &str, partition: i32, now: SystemTime) -> Leader {
        let key = (topic.to_owned(), partition);
        let mut partitions = self.partitions.lock();
        partitions.retain(|_, slot| !has_passed(IDLE_MAX, slot.used, now));
        let trusted = partitions
            .remove(&key)
            .filter(|slot| !slot.leader.has_failed());
        if partitions.len() >= PARTITIONS_MAX
            && let Some(oldest) = least_recently_used(&partitions)
        {
            partitions.remove(&oldest);
        }
        let leader = trusted.map_or_else(
            || {
                let work = open(Arc::clone(&self.connection), topic.to_owned(), partition);
                Arc::new(SharedInit::start(work))
            },
            |slot| slot.leader,
        );
        let slot = Slot {
            leader: Arc::clone(&leader),
            used: now,
        };
        partitions.insert(key, slot);
        leader
    }

    fn forget(&self, topic: &str, partition: i32, failed: &Leader) {
        let key = (topic.to_owned(), partition);
        let mut partitions = self.partitions.lock();
        if partitions
            .get(&key)
            .is_some_and(|slot| Arc::ptr_eq(&slot.leader, failed))
        {
            partitions.remove(&key);
        }
    }
}

fn least_recently_used(partitions: &HashMap<Key, Slot>) -> Option<Key> {
    let oldest = partitions.iter().min_by_key(|(_, slot)| slot.used);
    oldest.map(|(key, _)| key.clone())
}

async fn open(
    connection: Arc<Connection>,
    topic: String,
    partition: i32,
) -> Result<PartitionClient, AttemptError> {
    let connecting = connection.partition_client(topic, partition, UnknownTopicHandling::Error);
    // Boxed: it is large, and `timeout` would be as large.
    timeout(CONNECT_MAX, Box::pin(connecting))
        .await
        .map_err(|_| AttemptError::Late(Step::Connecting, connection.broker_errors()))?
        .map_err(|source| AttemptError::lookup(&connection, source))
}

fn kafka_record(record: &Record) -> KafkaRecord {
    KafkaRecord {
        key: Some(record.key.clone().into_bytes()),
        value: record.value.clone(),
        headers: record
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes()))
            .collect(),
        timestamp: record.timestamp,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::kafka::producer::tests::broker::Broker;

    async fn connect(broker: &Broker) -> Session {
        let connected = Session::connect(&broker.settings(), "test").await;
        connected.expect("connected")
    }

    #[tokio::test]
    async fn a_connection_that_could_not_be_opened_is_opened_anew() {
        let broker = Broker::start(1, &[]).await;
        let session = connect(&broker).await;
        let leader = || Arc::clone(&session.partitions.lock()[&("new".to_owned(), 0)].leader);
        let first = session.leader("new", 0, SystemTime::now());
        let failing = async {
            while first.is_under_way() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(CONNECT_MAX * 2, failing).await.expect("an outcome");
        assert!(first.has_failed(), "there is no such topic yet");

        broker.state.topics.lock().insert("new".to_owned(), 1);
        let second = session.leader("new", 0, SystemTime::now());

        assert!(second.outcome().await.is_ok());
        assert!(Arc::ptr_eq(&second, &leader()));
    }
}
