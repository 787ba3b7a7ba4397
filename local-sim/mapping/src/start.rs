//! Finds the offsets to start at: the committed ones, or the contract's starting position.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sluice_contract::{Push, StartingPosition};
use sluice_kafka::Settings;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use super::{
    cluster::{Cluster, ClusterError},
    dead_letter::DeadLetter,
    group::Group,
    partition_reader::{End, PartitionReader},
    poller::{Mapping, Work},
    schedule::{Policy, Schedule},
};

impl Mapping {
    /// Finds the start offset of each partition, and commits it.
    ///
    /// From then on no record is missed, even before the first fetch.
    ///
    /// # Errors
    /// If the cluster still fails after retries for 20 s.
    pub async fn start(push: &Push, group: &str, settings: Settings) -> Result<Self, StartError> {
        let bootstrap_servers = settings.brokers.join(",");
        let cluster = Arc::new(Cluster::new(settings));
        let end = Instant::now() + START_TIMEOUT;
        loop {
            match Self::try_start(push, group, &cluster, &bootstrap_servers).await {
                // A new cluster has to create its offsets topic first.
                Err(_) if Instant::now() < end => sleep(RETRY_DELAY).await,
                result => {
                    return result.map_err(|source| StartError {
                        group: group.to_owned(),
                        source: Box::new(source),
                    });
                }
            }
        }
    }

    async fn try_start(
        push: &Push,
        group: &str,
        cluster: &Arc<Cluster>,
        bootstrap_servers: &str,
    ) -> Result<Self, ClusterError> {
        let topics = push
            .topics
            .iter()
            .chain(&push.dead_letter)
            .map(String::as_str);
        let counts = cluster.partitions(topics).await?.into_iter();
        let counts = counts
            .map(|(topic, count)| Ok((topic, count?)))
            .collect::<Result<BTreeMap<_, _>, ClusterError>>()?;
        let count = |topic: &String| counts.get(topic).copied().unwrap_or_default();
        let topic_partitions: Vec<(String, i32)> = push
            .topics
            .iter()
            .flat_map(|topic| (0..count(topic)).map(move |index| (topic.clone(), index)))
            .collect();
        let mut group = Group::new(Arc::clone(cluster), group.to_owned());
        let mut offsets = group.committed(&topic_partitions).await?;
        let (mut starts, mut readers) = (Vec::new(), Vec::new());
        for topic_partition in &topic_partitions {
            let (topic, partition) = topic_partition.clone();
            let mut reader = PartitionReader::new(Arc::clone(cluster), topic, partition);
            let start = match offsets.get(topic_partition) {
                Some(committed) => *committed,
                None => reader.end(end_for(push.starting_position)).await?,
            };
            offsets.insert(topic_partition.clone(), start);
            starts.push(start);
            readers.push(Some(reader));
        }
        group.commit_all(&offsets).await?;
        let dead_letter = push.dead_letter.clone();
        Ok(Self {
            function: push.function.clone(),
            bootstrap_servers: bootstrap_servers.to_owned(),
            cluster: Arc::clone(cluster),
            schedule: Schedule::new(Policy::from(push), &starts),
            readers,
            messages: topic_partitions.iter().map(|_| None).collect(),
            partitions: topic_partitions,
            group_id: group.id().to_owned(),
            group: Some(group),
            committed: offsets,
            dead_letter: dead_letter.map(|topic| {
                let partitions = count(&topic);
                Arc::new(DeadLetter::new(Arc::clone(cluster), topic, partitions))
            }),
            work: Work::default(),
        })
    }
}

/// Why the mapping cannot start.
#[derive(Debug, Error)]
#[error("push: cannot read the topics with consumer group {group:?}")]
pub struct StartError {
    group: String,
    #[source]
    source: Box<ClusterError>,
}

fn end_for(position: StartingPosition) -> End {
    match position {
        StartingPosition::Latest => End::Latest,
        StartingPosition::TrimHorizon => End::Earliest,
    }
}

/// The time for retries at the start: a new cluster has to create its offsets topic first.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// The delay between attempts to start.
const RETRY_DELAY: Duration = Duration::from_millis(250);
