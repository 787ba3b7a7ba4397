//! Where the mapping begins: with what its group has committed, else where the contract says.

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
    /// Finds out where to go on, and commits where it begins what it has never read: from now on nothing is missed.
    ///
    /// # Errors
    /// For 20 s the cluster does not answer, or not as it should.
    pub async fn start(push: &Push, group: &str, settings: Settings) -> Result<Self, StartError> {
        let bootstrap_servers = settings.brokers.join(",");
        let cluster = Arc::new(Cluster::new(settings));
        let end = Instant::now() + START_MAX;
        loop {
            match Self::try_start(push, group, &cluster, &bootstrap_servers).await {
                // A new cluster takes a while until it has room for offsets.
                Err(_) if Instant::now() < end => sleep(START_PAUSE).await,
                joined => {
                    return joined.map_err(|source| StartError {
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
        let partitions = cluster.partitions(topics).await?.into_iter();
        let partitions = partitions
            .map(|(topic, count)| Ok((topic, count?)))
            .collect::<Result<BTreeMap<_, _>, ClusterError>>()?;
        let count = |topic: &String| partitions.get(topic).copied().unwrap_or_default();
        let places: Vec<(String, i32)> = push
            .topics
            .iter()
            .flat_map(|topic| (0..count(topic)).map(move |index| (topic.clone(), index)))
            .collect();
        let mut group = Group::new(Arc::clone(cluster), group.to_owned());
        let mut offsets = group.committed(&places).await?;
        let (mut starts, mut readers) = (Vec::new(), Vec::new());
        for place in &places {
            let (topic, partition) = place.clone();
            let mut reader = PartitionReader::new(Arc::clone(cluster), topic, partition);
            let start = match offsets.get(place) {
                Some(committed) => *committed,
                None => reader.end(first(push.starting_position)).await?,
            };
            offsets.insert(place.clone(), start);
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
            messages: places.iter().map(|_| None).collect(),
            places,
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

/// Why the mapping cannot begin.
#[derive(Debug, Error)]
#[error("push: cannot read its topics as group {group}")]
pub struct StartError {
    group: String,
    #[source]
    source: Box<ClusterError>,
}

fn first(position: StartingPosition) -> End {
    match position {
        StartingPosition::Latest => End::Latest,
        StartingPosition::TrimHorizon => End::Earliest,
    }
}

/// A cluster is joined in this time: a new one has to create the topic of offsets first.
const START_MAX: Duration = Duration::from_secs(20);
/// Between two attempts.
const START_PAUSE: Duration = Duration::from_millis(250);
