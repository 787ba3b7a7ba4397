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

/// The time to connect to the cluster or to a partition's leader: enough for TLS and SASL on a slow
/// processor, with time left for another attempt.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// The maximum of records in flight: as many as one vCPU of a Managed Instance handles events. Each
/// holds a few copies of its value.
pub(super) const IN_FLIGHT_MAX: usize = 64;

/// The maximum of partitions with a connection. Each takes three of the 1,024 file descriptors that
/// Lambda allows, and two sessions must fit: the old one and its replacement.
pub(super) const PARTITIONS_MAX: usize = 128;

const _: () = assert!(3 * (2 * (1 + PARTITIONS_MAX) + IN_FLIGHT_MAX) < 1_024);

/// A client, the topics that it has seen, and a connection for each partition that was written to.
///
/// A session is discarded as a whole, since the client would wait again on a connection that has
/// gone silent.
#[derive(Debug)]
pub(super) struct Session {
    topics: Topics,
    partitions: Mutex<HashMap<Key, Slot>>,
    /// Last, since dropping it closes the sockets of all others.
    connection: Arc<Connection>,
}

/// A topic and the index of a partition.
type Key = (String, i32);

/// A connection to the leader of a partition.
type Leader = Arc<SharedInit<PartitionClient>>;

/// A partition's connection, and when it was last used by the wall clock.
#[derive(Debug)]
struct Slot {
    leader: Leader,
    used: SystemTime,
}

/// A record's partition, with the connection to its leader.
pub(super) struct Place {
    partition: i32,
    client: Arc<PartitionClient>,
}

impl Session {
    /// Connects, and learns the topics.
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

    /// Checks that these topics exist, and connects to one partition of one of them. All partitions,
    /// from every environment, would be too many connections for a cluster and would delay the first
    /// event.
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
                // The other topics are not affected.
                Err(error) => result = result.and(Err(error)),
            }
        }
        if let Some(topic) = first {
            result = result.and(self.leader(topic, 0, now).outcome().await.map(drop));
        }
        result
    }

    /// Finds the partition of a record, and connects to its leader.
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
            // If the session continues, as after a forbidden topic, the next record tries again.
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
        // Boxed, since the client may reconnect in it: it is large and deeply nested.
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

    /// When the current throttling ends, if there is one.
    pub(super) fn throttled_until(&self) -> Option<Instant> {
        self.connection.throttled_until()
    }

    /// Whether a record sent `now` is likely to be lost, because a broker has closed its connection
    /// or soon will.
    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        self.connection.is_over(now)
    }

    /// Whether the next record should start a new session.
    pub(super) fn is_outdated(&self) -> bool {
        self.topics.are_outdated()
    }

    /// The error of a missing response.
    pub(super) fn late(&self, step: Step) -> AttemptError {
        AttemptError::Late(step, self.connection.broker_errors())
    }

    /// The connection to a partition's leader, started by the first record that needs it. It is
    /// replaced after a failure, and if it was idle for too long. Records in flight on the old one
    /// may still be confirmed.
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
    // Boxed, since it is large, and `timeout` would be as large.
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
