//! The main loop: fetches, invokes, settles and commits concurrently, until it is stopped.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::pending,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use local_sim_lambda::{InvokeError, Lambda};
use local_sim_records::Record;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    batch::Fetched,
    catch_panic::catch_panic,
    cluster::Cluster,
    dead_letter::{DeadLetter, Failure},
    event::{self, partition_key},
    group::{Group, Offsets},
    partition_reader::PartitionReader,
    report,
    schedule::{Batch, Due, Entry, GiveUp, Outcome, Part, Schedule},
};

/// An event source mapping, ready to run.
pub struct Mapping {
    pub(super) function: String,
    pub(super) bootstrap_servers: String,
    pub(super) cluster: Arc<Cluster>,
    pub(super) schedule: Schedule,
    /// By lane; `None` while a fetch is under way.
    pub(super) readers: Vec<Option<PartitionReader>>,
    /// By lane: topic and partition.
    pub(super) partitions: Vec<(String, i32)>,
    /// By lane: the message of the last failure.
    pub(super) messages: Vec<Option<String>>,
    pub(super) group_id: String,
    /// `None` while a commit is under way.
    pub(super) group: Option<Group>,
    pub(super) committed: Offsets,
    pub(super) dead_letter: Option<Arc<DeadLetter>>,
    pub(super) work: Work,
}

/// The tasks under way. A task that panics yields `None` and does not affect the others.
#[derive(Default)]
pub(super) struct Work {
    fetches: JoinSet<(usize, Option<(PartitionReader, Fetched)>)>,
    invocations: JoinSet<(Batch, Option<Result<Bytes, InvokeError>>)>,
    dead_letters: JoinSet<Part>,
    commits: JoinSet<Option<(Group, Offsets)>>,
    /// Looks for new partitions.
    discovery: JoinSet<Option<BTreeMap<String, i32>>>,
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("function", &self.function)
            .field("group_id", &self.group_id)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

impl Mapping {
    /// Invokes the function with records until `stop`; then waits for work under way, and commits.
    pub async fn serve(mut self, lambda: Arc<Lambda>, stop: CancellationToken) {
        loop {
            self.discover();
            self.fetch();
            let next = self.dispatch(&lambda);
            self.commit();
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.progress() => {}
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
        self.work.fetches.abort_all();
        self.work.discovery.abort_all();
        while !self.work.invocations.is_empty() || !self.work.dead_letters.is_empty() {
            self.progress().await;
        }
        while self.commit() || !self.work.commits.is_empty() {
            self.progress().await;
        }
    }

    /// Counts the partitions again after [`DISCOVERY_INTERVAL`].
    fn discover(&mut self) {
        if !self.work.discovery.is_empty() {
            return;
        }
        let topics: BTreeSet<String> = self.partitions.iter().map(|(it, _)| it.clone()).collect();
        let cluster = Arc::clone(&self.cluster);
        let discover = async move {
            sleep(DISCOVERY_INTERVAL).await;
            counts(&cluster, &topics).await
        };
        self.work
            .discovery
            .spawn(catch_panic("discovering partitions", discover));
    }

    /// Adds a lane for each new partition, starting at its first record.
    fn add_partitions(&mut self, partitions: BTreeMap<String, i32>) {
        for (topic, count) in partitions {
            let known = self
                .partitions
                .iter()
                .filter(|(it, _)| *it == topic)
                .count();
            for partition in i32::try_from(known).unwrap_or(i32::MAX)..count {
                self.partitions.push((topic.clone(), partition));
                let reader = self.reader(self.partitions.len() - 1);
                self.schedule.add_lane(0);
                self.readers.push(Some(reader));
                self.messages.push(None);
            }
        }
    }

    /// A new reader for a lane.
    fn reader(&self, lane: usize) -> PartitionReader {
        let (topic, partition) = self.partitions[lane].clone();
        PartitionReader::new(Arc::clone(&self.cluster), topic, partition)
    }

    /// Starts a fetch for each lane with room for more records.
    fn fetch(&mut self) {
        for lane in 0..self.readers.len() {
            if let Some(want) = self.schedule.wants(lane)
                && let Some(mut reader) = self.readers[lane].take()
            {
                let fetch = async move {
                    let fetched = reader.fetch(want).await;
                    (reader, fetched)
                };
                let fetch = catch_panic("fetching records", fetch);
                self.work.fetches.spawn(async move { (lane, fetch.await) });
            }
        }
    }

    /// Starts everything that is due, and returns the time when more will be.
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
        let invoke = async move { lambda.invoke(&function, event).await.outcome };
        let invoke = catch_panic("invoking the function", invoke);
        self.work
            .invocations
            .spawn(async move { (batch, invoke.await) });
    }

    fn give_up(&mut self, give_up: &GiveUp) {
        let GiveUp {
            part,
            condition,
            attempts,
        } = *give_up;
        let (topic, partition) = self.partitions[part.lane].clone();
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
        let store = async move {
            if let Some(dead_letter) = dead_letter {
                dead_letter.store(records, &failure).await;
            }
        };
        let store = catch_panic("storing dead letters", store);
        self.work.dead_letters.spawn(async move {
            store.await;
            part
        });
    }

    /// Starts a commit of the offsets that have moved, unless one is under way.
    ///
    /// Returns whether it started one.
    fn commit(&mut self) -> bool {
        let lanes = self.partitions.iter().enumerate();
        let moved: Offsets = lanes
            .map(|(lane, partition)| (partition, self.schedule.position(lane)))
            .filter(|(partition, position)| self.committed.get(partition) != Some(position))
            .map(|(partition, position)| (partition.clone(), position))
            .collect();
        if moved.is_empty() {
            return false;
        }
        let Some(mut group) = self.group.take() else {
            return false;
        };
        let commit = async move {
            let committed = group.commit(moved).await;
            (group, committed)
        };
        self.work
            .commits
            .spawn(catch_panic("committing offsets", commit));
        true
    }

    /// Waits until a task ends, and handles its result.
    ///
    /// Cancel safe: a cancelled call loses no result.
    async fn progress(&mut self) {
        let Work {
            fetches,
            invocations,
            dead_letters,
            commits,
            discovery,
        } = &mut self.work;
        tokio::select! {
            Some(Ok((lane, result))) = fetches.join_next() => self.fetched(lane, result),
            Some(Ok((batch, response))) = invocations.join_next() => self.settle(&batch, response),
            Some(Ok(part)) = dead_letters.join_next() => self.schedule.given_up(part),
            Some(Ok(committed)) = commits.join_next() => self.committed(committed),
            Some(Ok(partitions)) = discovery.join_next() => self.add_partitions(partitions.unwrap_or_default()),
            // No task is under way: a retry that becomes due or `stop` continues the loop.
            else => pending().await,
        }
    }

    fn fetched(&mut self, lane: usize, result: Option<(PartitionReader, Fetched)>) {
        let Some((reader, fetched)) = result else {
            self.readers[lane] = Some(self.reader(lane));
            return;
        };
        let entry = |record: Record| Entry {
            json: event::record(&reader.topic, reader.partition, &record),
            record,
        };
        let entries = fetched.records.into_iter().map(entry).collect();
        self.schedule
            .add(lane, Instant::now(), entries, fetched.next);
        self.readers[lane] = Some(reader);
    }

    fn committed(&mut self, committed: Option<(Group, Offsets)>) {
        let (group, offsets) = committed.unwrap_or_else(|| {
            let group = Group::new(Arc::clone(&self.cluster), self.group_id.clone());
            (group, Offsets::new())
        });
        self.group = Some(group);
        self.committed.extend(offsets);
    }

    fn settle(&mut self, batch: &Batch, response: Option<Result<Bytes, InvokeError>>) {
        let now = Instant::now();
        let (outcomes, message) = match self.outcomes(batch, response) {
            Ok(outcomes) => (outcomes, REPORTED.to_owned()),
            Err((outcome, message)) => (vec![outcome; batch.parts.len()], message),
        };
        for (part, outcome) in batch.parts.iter().zip(outcomes) {
            let has_failed = outcome != Outcome::Done;
            self.messages[part.lane] = has_failed.then(|| message.clone());
            self.schedule.settle(*part, outcome, now);
        }
    }

    /// The outcome of each part, or one outcome and message for all of them.
    fn outcomes(
        &self,
        batch: &Batch,
        response: Option<Result<Bytes, InvokeError>>,
    ) -> Result<Vec<Outcome>, (Outcome, String)> {
        let function = &self.function;
        let response = response.ok_or_else(|| (Outcome::Failed, PANICKED.to_owned()))?;
        let response = response.map_err(|error| {
            let message = error.to_string();
            match error {
                // Lambda has logged this already.
                InvokeError::Throttled => return (Outcome::Throttled, message),
                InvokeError::Function { .. }
                | InvokeError::NotFound
                | InvokeError::TooLarge { .. } => {}
            }
            warn!("{function}: batch failed: {message}");
            (Outcome::Failed, message)
        })?;
        let offsets = batch.parts.iter().filter_map(|part| {
            let mut offsets = self.schedule.entries(*part).map(|it| it.record.offset);
            let first = offsets.next()?;
            Some((self.key(part.lane), first..=offsets.last().unwrap_or(first)))
        });
        let failures = report::failures(&response, &offsets.collect()).map_err(|reason| {
            warn!("{function}: invalid response, the batch counts as failed: {reason}");
            (Outcome::Failed, reason)
        })?;
        let outcome = |part: &Part| {
            let failed = failures.get(&self.key(part.lane));
            failed.map_or(Outcome::Done, |offset| Outcome::FailedAt(*offset))
        };
        Ok(batch.parts.iter().map(outcome).collect())
    }

    fn key(&self, lane: usize) -> String {
        let (topic, partition) = &self.partitions[lane];
        partition_key(topic, *partition)
    }
}

/// The number of partitions of each topic that has partitions.
///
/// Ignores errors: the readers of a missing topic log them.
async fn counts(cluster: &Cluster, topics: &BTreeSet<String>) -> BTreeMap<String, i32> {
    let found = cluster.partitions(topics.iter().map(String::as_str)).await;
    let found = found.unwrap_or_default().into_iter();
    found
        .filter_map(|(topic, count)| Some((topic, count.ok()?)))
        .collect()
}

/// Wall-clock time, as in the timestamps of records.
fn millis_since_epoch() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |it| i64::try_from(it.as_millis()).unwrap_or(i64::MAX))
}

/// The failure message for a record that the function has reported, which gives no reason itself.
const REPORTED: &str = "the function reported it in batchItemFailures";
/// The failure message if the invocation task panicked, so that the result is unknown.
const PANICKED: &str = "local-sim panicked while invoking the function";
/// The interval for finding new partitions, which are rare and start empty.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use kafka_protocol::ResponseError;

    use super::{super::scripted_broker::ScriptedBroker, *};

    #[tokio::test]
    async fn partitions_are_counted_although_another_topic_is_missing() {
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        let topics = [("a", 3, 0), ("gone", 0, unknown)];
        let broker = ScriptedBroker::start(move |request| request.metadata(&topics)).await;
        let topics = ["a", "gone", "unlisted"].map(str::to_owned);
        let found = counts(&broker.cluster(), &BTreeSet::from(topics)).await;
        assert_eq!(found, BTreeMap::from([("a".to_owned(), 3)]));
    }
}
