//! The mapping as a whole: reads, invokes, settles and commits, all at once, until it is told to stop.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use kafka_protocol::records::Record;
use sluice_contract::{Push, StartingPosition};
use sluice_kafka::Settings;
use thiserror::Error;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    batch::Fetched,
    cluster::{Cluster, ClusterError},
    dead_letter::{DeadLetter, Failure},
    event::{self, partition_key},
    group::{Group, Offsets},
    report,
    schedule::{Batch, Due, Entry, GiveUp, Outcome, Part, Policy, Schedule},
    source::{End, Source},
};
use crate::lambda::{InvokeError, Lambda};

/// An event source mapping that knows where to begin.
pub(crate) struct Mapping {
    function: String,
    bootstrap_servers: String,
    schedule: Schedule,
    /// By lane. One that is missing is reading.
    sources: Vec<Option<Source>>,
    /// By lane: topic and partition.
    places: Vec<(String, i32)>,
    /// By lane: what the function last said about a failure.
    messages: Vec<Option<String>>,
    /// Missing while it commits.
    group: Option<Group>,
    committed: Offsets,
    dead_letter: Option<Arc<DeadLetter>>,
    work: Work,
}

/// What is under way.
#[derive(Default)]
struct Work {
    reading: JoinSet<(usize, Source, Fetched)>,
    invoking: JoinSet<(Batch, Result<Bytes, InvokeError>)>,
    giving_up: JoinSet<Part>,
    committing: JoinSet<(Group, Offsets)>,
}

/// Why the mapping cannot begin.
#[derive(Debug, Error)]
#[error("push: cannot read its topics as group {group}")]
pub(crate) struct JoinError {
    group: String,
    #[source]
    source: Box<ClusterError>,
}

impl Mapping {
    /// Finds out where to go on, and commits where it begins what it has never read: from now on nothing is missed.
    ///
    /// # Errors
    /// The cluster does not answer as it should, for longer than [`JOIN_MAX`].
    pub(crate) async fn join(
        push: &Push,
        group: &str,
        settings: Settings,
    ) -> Result<Self, JoinError> {
        let bootstrap_servers = settings.brokers.join(",");
        let cluster = Arc::new(Cluster::new(settings));
        let end = Instant::now() + JOIN_MAX;
        loop {
            match Self::try_join(push, group, &cluster, &bootstrap_servers).await {
                // A new cluster takes a while until it has room for offsets.
                Err(_) if Instant::now() < end => sleep(JOIN_PAUSE).await,
                joined => {
                    return joined.map_err(|source| JoinError {
                        group: group.to_owned(),
                        source: Box::new(source),
                    });
                }
            }
        }
    }

    async fn try_join(
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
        let partitions = cluster.partitions(topics).await?;
        let count = |topic: &String| partitions.get(topic).copied().unwrap_or_default();
        let places: Vec<(String, i32)> = push
            .topics
            .iter()
            .flat_map(|topic| (0..count(topic)).map(move |index| (topic.clone(), index)))
            .collect();
        let mut group = Group::new(Arc::clone(cluster), group.to_owned());
        let mut offsets = group.committed(&places).await?;
        let (mut starts, mut sources) = (Vec::new(), Vec::new());
        for place in &places {
            let (topic, partition) = place.clone();
            let mut source = Source::new(Arc::clone(cluster), topic, partition);
            let start = match offsets.get(place) {
                Some(committed) => *committed,
                None => source.end(first(push.starting_position)).await?,
            };
            offsets.insert(place.clone(), start);
            starts.push(start);
            sources.push(Some(source));
        }
        group.try_commit(&offsets).await?;
        let dead_letter = push.dead_letter.clone();
        Ok(Self {
            function: push.function.clone(),
            bootstrap_servers: bootstrap_servers.to_owned(),
            schedule: Schedule::new(Policy::from(push), &starts),
            sources,
            messages: places.iter().map(|_| None).collect(),
            places,
            group: Some(group),
            committed: offsets,
            dead_letter: dead_letter.map(|topic| {
                let partitions = count(&topic);
                Arc::new(DeadLetter::new(Arc::clone(cluster), topic, partitions))
            }),
            work: Work::default(),
        })
    }

    /// Hands records to the function until `stop`; then lets what is under way end, and commits.
    pub(crate) async fn serve(mut self, lambda: Arc<Lambda>, stop: CancellationToken) {
        loop {
            self.read();
            let next = self.dispatch(&lambda);
            self.commit();
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.progress() => {}
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
        self.work.reading.abort_all();
        while !self.work.invoking.is_empty() || !self.work.giving_up.is_empty() {
            self.progress().await;
        }
        while self.commit() || !self.work.committing.is_empty() {
            self.progress().await;
        }
    }

    /// Reads where there is room for more.
    fn read(&mut self) {
        for lane in 0..self.sources.len() {
            if let Some(offset) = self.schedule.wants(lane)
                && let Some(mut source) = self.sources[lane].take()
            {
                self.work.reading.spawn(async move {
                    let fetched = source.fetch(offset).await;
                    (lane, source, fetched)
                });
            }
        }
    }

    /// Begins everything that is due, and returns when more will be.
    fn dispatch(&mut self, lambda: &Arc<Lambda>) -> Option<Instant> {
        loop {
            match self.schedule.due(Instant::now(), millis_since_epoch()) {
                Due::Batch(batch) => self.invoke(batch, Arc::clone(lambda)),
                Due::GiveUp(give_up) => self.give_up(&give_up),
                Due::Nothing(next) => return next,
            }
        }
    }

    fn invoke(&mut self, batch: Batch, lambda: Arc<Lambda>) {
        let mut records = BTreeMap::new();
        for part in &batch.parts {
            let entries = self.schedule.entries(*part);
            records.insert(
                self.key(part.lane),
                entries.map(|entry| &*entry.json).collect(),
            );
        }
        let event = event::event(&self.bootstrap_servers, records);
        let function = self.function.clone();
        self.work.invoking.spawn(async move {
            let answer = lambda.invoke(&function, event).await;
            (batch, answer)
        });
    }

    fn give_up(&mut self, give_up: &GiveUp) {
        let GiveUp {
            part,
            condition,
            attempts,
        } = *give_up;
        let (topic, partition) = self.places[part.lane].clone();
        let records: Vec<Record> = self
            .schedule
            .entries(part)
            .map(|entry| entry.record.clone())
            .collect();
        let (first, count) = (self.schedule.position(part.lane), part.count);
        let failure = Failure {
            condition: condition.name(),
            function: self.function.clone(),
            topic,
            partition,
            attempts,
            message: self.messages[part.lane].take(),
        };
        let Failure {
            condition,
            topic,
            message,
            ..
        } = &failure;
        let reason = message.as_deref().unwrap_or_default();
        warn!(
            condition,
            attempts, reason, topic, partition, first, count, "records given up"
        );
        let dead_letter = self.dead_letter.clone();
        self.work.giving_up.spawn(async move {
            if let Some(dead_letter) = dead_letter {
                dead_letter.store(records, &failure).await;
            }
            part
        });
    }

    /// Commits how far it has come, unless that is known or another commit is under way. Returns whether it does.
    fn commit(&mut self) -> bool {
        let lanes = self.places.iter().enumerate();
        let moved: Offsets = lanes
            .map(|(lane, place)| (place.clone(), self.schedule.position(lane)))
            .filter(|(place, position)| self.committed.get(place) != Some(position))
            .collect();
        if moved.is_empty() {
            return false;
        }
        let Some(mut group) = self.group.take() else {
            return false;
        };
        self.work.committing.spawn(async move {
            group.commit(&moved).await;
            (group, moved)
        });
        true
    }

    /// Waits until something that is under way has ended, and takes its result.
    ///
    /// Can be dropped at any time: nothing is taken before it is there.
    async fn progress(&mut self) {
        let Work {
            reading,
            invoking,
            giving_up,
            committing,
        } = &mut self.work;
        tokio::select! {
            Some(Ok((lane, source, fetched))) = reading.join_next() => {
                self.arrived(lane, source, fetched);
            }
            Some(Ok((batch, answer))) = invoking.join_next() => self.settle(&batch, answer),
            Some(Ok(part)) = giving_up.join_next() => self.schedule.given_up(part),
            Some(Ok((group, offsets))) = committing.join_next() => {
                self.group = Some(group);
                self.committed.extend(offsets);
            }
            // Nothing is under way: what comes next is a retry that is due, or the end.
            else => pending().await,
        }
    }

    fn arrived(&mut self, lane: usize, source: Source, fetched: Fetched) {
        let entry = |record: Record| Entry {
            json: event::record(&source.topic, source.partition, &record),
            record,
        };
        let entries = fetched.records.into_iter().map(entry).collect();
        self.schedule
            .add(lane, Instant::now(), entries, fetched.next);
        self.sources[lane] = Some(source);
    }

    fn settle(&mut self, batch: &Batch, answer: Result<Bytes, InvokeError>) {
        let now = Instant::now();
        match self.outcomes(batch, answer) {
            Ok(outcomes) => {
                for (part, outcome) in batch.parts.iter().zip(outcomes) {
                    self.schedule.settle(*part, outcome, now);
                }
            }
            Err((outcome, message)) => {
                for part in &batch.parts {
                    self.messages[part.lane] = Some(message.clone());
                    self.schedule.settle(*part, outcome, now);
                }
            }
        }
    }

    /// What became of each part, or of all of them alike.
    fn outcomes(
        &mut self,
        batch: &Batch,
        answer: Result<Bytes, InvokeError>,
    ) -> Result<Vec<Outcome>, (Outcome, String)> {
        let function = &self.function;
        let answer = answer.map_err(|error| {
            let message = error.to_string();
            match error {
                // Lambda itself has said so.
                InvokeError::Throttled => return (Outcome::Throttled, message),
                InvokeError::Function { .. } | InvokeError::NotFound => {}
            }
            warn!("{function}: a batch has failed: {message}");
            (Outcome::Failed, message)
        })?;
        let offsets = batch.parts.iter().filter_map(|part| {
            let mut offsets = self.schedule.entries(*part).map(|it| it.record.offset);
            let first = offsets.next()?;
            Some((self.key(part.lane), first..=offsets.last().unwrap_or(first)))
        });
        let failures = report::failures(&answer, &offsets.collect()).map_err(|reason| {
            warn!("{function}: a batch counts as failed: {reason}");
            (Outcome::Failed, reason)
        })?;
        let outcome = |part: &Part| {
            let failed = failures.get(&self.key(part.lane));
            failed.map_or(Outcome::Done, |offset| Outcome::FailedAt(*offset))
        };
        Ok(batch.parts.iter().map(outcome).collect())
    }

    fn key(&self, lane: usize) -> String {
        let (topic, partition) = &self.places[lane];
        partition_key(topic, *partition)
    }
}

fn first(position: StartingPosition) -> End {
    match position {
        StartingPosition::Latest => End::Latest,
        StartingPosition::TrimHorizon => End::Earliest,
    }
}

/// By the clock on the wall, as records are stamped.
fn millis_since_epoch() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |it| i64::try_from(it.as_millis()).unwrap_or(i64::MAX))
}

/// A cluster is joined in this time: a new one has to create the topic of offsets first.
const JOIN_MAX: Duration = Duration::from_secs(20);
/// Between two attempts.
const JOIN_PAUSE: Duration = Duration::from_millis(250);
