//! The cluster: which topics have which partitions, and who is responsible for what.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use kafka_protocol::{
    ResponseError,
    messages::{
        FindCoordinatorRequest, MetadataRequest, MetadataResponse, TopicName,
        metadata_request::MetadataRequestTopic, metadata_response::MetadataResponseTopic,
    },
    protocol::{Request, StrBytes},
};
use parking_lot::Mutex;
use sluice_kafka::Settings;
use thiserror::Error;

use super::broker_conn::{BrokerConn, BrokerConnError};

/// A cluster that is connected with by some settings.
#[derive(Debug)]
pub(super) struct Cluster {
    settings: Settings,
    /// The brokers of the settings, then those that the cluster has named since.
    known: Mutex<Vec<String>>,
    /// Which of them is asked first, counted without end.
    turn: AtomicUsize,
}

impl Cluster {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            known: Mutex::new(settings.brokers.clone()),
            turn: AtomicUsize::new(0),
            settings,
        }
    }

    /// The number of partitions of each of these topics, or why there is none.
    pub(super) async fn partitions<'a>(
        &self,
        topics: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, Result<i32, ClusterError>>, ClusterError> {
        let names: Vec<&str> = topics.into_iter().collect();
        let metadata = self.metadata(&names).await?;
        let count = |name: &str| {
            let partitions = &topic(&metadata, name)?.partitions;
            if partitions.is_empty() {
                return Err(ClusterError::Missing(format!("partition of topic {name}")));
            }
            Ok(i32::try_from(partitions.len()).unwrap_or(i32::MAX))
        };
        let counts = names.iter().map(|name| ((*name).to_owned(), count(name)));
        Ok(counts.collect())
    }

    /// Connects with the broker that leads a partition.
    pub(super) async fn leader(&self, name: &str, index: i32) -> Result<BrokerConn, ClusterError> {
        let what = || format!("partition {index} of topic {name}");
        let metadata = self.metadata(&[name]).await?;
        let mut partitions = topic(&metadata, name)?.partitions.iter();
        let partition = partitions
            .find(|partition| partition.partition_index == index)
            .ok_or_else(|| ClusterError::Missing(what()))?;
        check(partition.error_code, what)?;
        let mut brokers = metadata.brokers.iter();
        let leader = brokers
            .find(|broker| broker.node_id == partition.leader_id)
            .ok_or_else(|| ClusterError::Missing(format!("leader of {}", what())))?;
        self.connect(&address(&leader.host, leader.port)).await
    }

    /// Connects with the broker that keeps the offsets of a group.
    pub(super) async fn coordinator(&self, group: &str) -> Result<BrokerConn, ClusterError> {
        let request = FindCoordinatorRequest::default().with_key(text(group));
        let found = self.ask(FIND_COORDINATOR, &request).await?;
        check(found.error_code, || format!("the coordinator of {group}"))?;
        self.connect(&address(&found.host, found.port)).await
    }

    async fn metadata(&self, topics: &[&str]) -> Result<MetadataResponse, ClusterError> {
        let topics = topics
            .iter()
            .map(|name| MetadataRequestTopic::default().with_name(Some(TopicName(text(name)))));
        let request = MetadataRequest::default()
            .with_topics(Some(topics.collect()))
            .with_allow_auto_topic_creation(false);
        let metadata = self.ask(METADATA, &request).await?;
        let named = metadata.brokers.iter();
        self.learn(named.map(|broker| address(&broker.host, broker.port)));
        Ok(metadata)
    }

    /// Takes note of the brokers that there are now. Those of the settings stay: they may be names for whoever is up.
    fn learn(&self, named: impl Iterator<Item = String>) {
        let mut brokers = self.settings.brokers.clone();
        brokers.extend(named.filter(|broker| !self.settings.brokers.contains(broker)));
        *self.known.lock() = brokers;
    }

    /// Asks one broker after the other until one answers, beginning with another one each time: who accepts a
    /// connection need not answer, and who answers may be behind the others.
    async fn ask<R: Request>(
        &self,
        version: i16,
        request: &R,
    ) -> Result<R::Response, ClusterError> {
        let mut brokers = self.known.lock().clone();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = brokers.len().max(1);
        brokers.rotate_left(turn % count);
        let mut last = None;
        for broker in &brokers {
            match self.ask_broker(broker, version, request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| ClusterError::Missing("broker".to_owned())))
    }

    async fn ask_broker<R: Request>(
        &self,
        broker: &str,
        version: i16,
        request: &R,
    ) -> Result<R::Response, ClusterError> {
        let mut connection = self.connect(broker).await?;
        Ok(connection.call(version, request, Duration::ZERO).await?)
    }

    async fn connect(&self, broker: &str) -> Result<BrokerConn, ClusterError> {
        Ok(BrokerConn::connect(&self.settings, broker).await?)
    }
}

/// What an answer tells of a topic.
fn topic<'a>(
    metadata: &'a MetadataResponse,
    name: &str,
) -> Result<&'a MetadataResponseTopic, ClusterError> {
    let what = || format!("topic {name}");
    let is_named = |topic: &&MetadataResponseTopic| {
        let found = topic.name.as_ref();
        found.is_some_and(|found| found.as_str() == name)
    };
    let topic = metadata.topics.iter().find(is_named);
    let topic = topic.ok_or_else(|| ClusterError::Missing(what()))?;
    check(topic.error_code, what)?;
    Ok(topic)
}

fn address(host: &str, port: i32) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Why something of a cluster cannot be had. Most of it passes.
#[derive(Debug, Error)]
pub(super) enum ClusterError {
    /// A broker answers, but not what was asked.
    #[error("the answer has no {0}")]
    Missing(String),
    /// A broker says so.
    #[error("{what}: {error:?}")]
    Refused { what: String, error: ResponseError },
    /// A broker does not say anything of use.
    #[error(transparent)]
    Connection(#[from] BrokerConnError),
}

/// Makes an error of an error code.
pub(super) fn check<T: Display>(code: i16, what: impl FnOnce() -> T) -> Result<(), ClusterError> {
    if code == 0 {
        return Ok(());
    }
    Err(ClusterError::Refused {
        what: what().to_string(),
        error: ResponseError::try_from_code(code).unwrap_or(ResponseError::UnknownServerError),
    })
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Versions that Kafka has had since 0.11 and has in 4; nobody creates a topic by asking about it.
const METADATA: i16 = 4;
const FIND_COORDINATOR: i16 = 1;

#[cfg(test)]
mod tests {
    use super::{super::scripted_broker::ScriptedBroker, *};

    #[tokio::test]
    async fn each_topic_is_told_of_for_itself() {
        let gone = ResponseError::UnknownTopicOrPartition.code();
        let topics = [("a", 2, 0), ("empty", 0, 0), ("gone", 0, gone)];
        let broker = ScriptedBroker::start(move |asked| asked.metadata(&topics)).await;
        let asked = ["a", "empty", "gone", "untold"];
        let found = broker.cluster().partitions(asked).await.unwrap();
        let found = found
            .into_values()
            .map(|it| it.map_err(|error| error.to_string()));
        let expected = [
            Ok(2),
            Err("the answer has no partition of topic empty".to_owned()),
            Err("topic gone: UnknownTopicOrPartition".to_owned()),
            Err("the answer has no topic untold".to_owned()),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[tokio::test]
    async fn the_reason_why_a_partition_has_no_leader_is_the_brokers() {
        let forbidden = ResponseError::TopicAuthorizationFailed.code();
        let topics = [("a", 1, 0), ("secret", 0, forbidden)];
        let broker = ScriptedBroker::start(move |asked| asked.metadata(&topics)).await;
        let cluster = broker.cluster();
        let check = async |topic, partition| {
            let found = cluster.leader(topic, partition).await;
            found.map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(check("a", 0).await, Ok(()));
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(
            check("a", 1).await,
            error("the answer has no partition 1 of topic a")
        );
        assert_eq!(
            check("secret", 0).await,
            error("topic secret: TopicAuthorizationFailed")
        );
    }
}
