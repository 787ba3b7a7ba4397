//! The mapping as a whole: reads, invokes, settles and commits, all at once, until it is told to stop.

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

/// An event source mapping that knows where to begin.
pub struct Mapping {
    pub(super) function: String,
    pub(super) bootstrap_servers: String,
    pub(super) cluster: Arc<Cluster>,
    pub(super) schedule: Schedule,
    /// By lane. One that is missing is reading.
    pub(super) readers: Vec<Option<PartitionReader>>,
    /// By lane: topic and partition.
    pub(super) places: Vec<(String, i32)>,
    /// By lane: what the function last said about a failure.
    pub(super) messages: Vec<Option<String>>,
    pub(super) group_id: String,
    /// Missing while it commits.
    pub(super) group: Option<Group>,
    pub(super) committed: Offsets,
    pub(super) dead_letter: Option<Arc<DeadLetter>>,
    pub(super) work: Work,
}

/// The tasks under way. A task that panics yields `None` and does not affect the others.
#[derive(Default)]
pub(super) struct Work {
    reading: JoinSet<(usize, Option<(PartitionReader, Fetched)>)>,
    invoking: JoinSet<(Batch, Option<Result<Bytes, InvokeError>>)>,
    giving_up: JoinSet<Part>,
    committing: JoinSet<Option<(Group, Offsets)>>,
    /// For partitions that were not there before.
    looking: JoinSet<Option<BTreeMap<String, i32>>>,
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("function", &self.function)
            .field("group_id", &self.group_id)
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

impl Mapping {
    /// Hands records to the function until `stop`; then lets what is under way end, and commits.
    pub async fn serve(mut self, lambda: Arc<Lambda>, stop: CancellationToken) {
        loop {
            self.look();
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
        self.work.looking.abort_all();
        while !self.work.invoking.is_empty() || !self.work.giving_up.is_empty() {
            self.progress().await;
        }
        while self.commit() || !self.work.committing.is_empty() {
            self.progress().await;
        }
    }

    /// Looks, after a while, how many partitions there are.
    fn look(&mut self) {
        if !self.work.looking.is_empty() {
            return;
        }
        let topics: BTreeSet<String> = self.places.iter().map(|(it, _)| it.clone()).collect();
        let cluster = Arc::clone(&self.cluster);
        let look = async move {
            sleep(LOOK_PAUSE).await;
            counts(&cluster, &topics).await
        };
        self.work
            .looking
            .spawn(catch_panic("looks at topics", look));
    }

    /// Adds a lane for each partition that is new, from its first record on.
    fn grow(&mut self, partitions: BTreeMap<String, i32>) {
        for (topic, count) in partitions {
            let known = self.places.iter().filter(|(it, _)| *it == topic).count();
            for partition in i32::try_from(known).unwrap_or(i32::MAX)..count {
                self.places.push((topic.clone(), partition));
                let reader = self.reader(self.places.len() - 1);
                self.schedule.add_lane(0);
                self.readers.push(Some(reader));
                self.messages.push(None);
            }
        }
    }

    /// Who reads for a lane.
    fn reader(&self, lane: usize) -> PartitionReader {
        let (topic, partition) = self.places[lane].clone();
        PartitionReader::new(Arc::clone(&self.cluster), topic, partition)
    }

    /// Reads where there is room for more.
    fn read(&mut self) {
        for lane in 0..self.readers.len() {
            if let Some(want) = self.schedule.wants(lane)
                && let Some(mut reader) = self.readers[lane].take()
            {
                let read = async move {
                    let fetched = reader.fetch(want).await;
                    (reader, fetched)
                };
                let read = catch_panic("reads", read);
                self.work.reading.spawn(async move { (lane, read.await) });
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
        let invoke = async move { lambda.invoke(&function, event).await.outcome };
        let invoke = catch_panic("invokes", invoke);
        self.work
            .invoking
            .spawn(async move { (batch, invoke.await) });
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
        let store = async move {
            if let Some(dead_letter) = dead_letter {
                dead_letter.store(records, &failure).await;
            }
        };
        let store = catch_panic("leaves dead letters, which are lost", store);
        self.work.giving_up.spawn(async move {
            store.await;
            part
        });
    }

    /// Commits how far it has come, unless that is known or another commit is under way. Returns whether it does.
    fn commit(&mut self) -> bool {
        let lanes = self.places.iter().enumerate();
        let moved: Offsets = lanes
            .map(|(lane, place)| (place, self.schedule.position(lane)))
            .filter(|(place, position)| self.committed.get(place) != Some(position))
            .map(|(place, position)| (place.clone(), position))
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
        self.work.committing.spawn(catch_panic("commits", commit));
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
            looking,
        } = &mut self.work;
        tokio::select! {
            Some(Ok((lane, read))) = reading.join_next() => self.arrived(lane, read),
            Some(Ok((batch, answer))) = invoking.join_next() => self.settle(&batch, answer),
            Some(Ok(part)) = giving_up.join_next() => self.schedule.given_up(part),
            Some(Ok(committed)) = committing.join_next() => self.committed(committed),
            Some(Ok(partitions)) = looking.join_next() => self.grow(partitions.unwrap_or_default()),
            // Nothing is under way: what comes next is a retry that is due, or the end.
            else => pending().await,
        }
    }

    fn arrived(&mut self, lane: usize, read: Option<(PartitionReader, Fetched)>) {
        let Some((reader, fetched)) = read else {
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

    fn settle(&mut self, batch: &Batch, answer: Option<Result<Bytes, InvokeError>>) {
        let now = Instant::now();
        let (outcomes, message) = match self.outcomes(batch, answer) {
            Ok(outcomes) => (outcomes, REPORTED.to_owned()),
            Err((outcome, message)) => (vec![outcome; batch.parts.len()], message),
        };
        for (part, outcome) in batch.parts.iter().zip(outcomes) {
            let has_failed = outcome != Outcome::Done;
            self.messages[part.lane] = has_failed.then(|| message.clone());
            self.schedule.settle(*part, outcome, now);
        }
    }

    /// What became of each part, or of all of them alike.
    fn outcomes(
        &self,
        batch: &Batch,
        answer: Option<Result<Bytes, InvokeError>>,
    ) -> Result<Vec<Outcome>, (Outcome, String)> {
        let function = &self.function;
        let answer = answer.ok_or_else(|| (Outcome::Failed, FAULT.to_owned()))?;
        let answer = answer.map_err(|error| {
            let message = error.to_string();
            match error {
                // Lambda itself has said so.
                InvokeError::Throttled => return (Outcome::Throttled, message),
                InvokeError::Function { .. }
                | InvokeError::NotFound
                | InvokeError::TooLarge { .. } => {}
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

/// The number of partitions of each topic that has some.
///
/// Where there is no answer, or a topic is missing, those that read it say so.
async fn counts(cluster: &Cluster, topics: &BTreeSet<String>) -> BTreeMap<String, i32> {
    let found = cluster.partitions(topics.iter().map(String::as_str)).await;
    let found = found.unwrap_or_default().into_iter();
    found
        .filter_map(|(topic, count)| Some((topic, count.ok()?)))
        .collect()
}

/// By the clock on the wall, as records are stamped.
fn millis_since_epoch() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |it| i64::try_from(it.as_millis()).unwrap_or(i64::MAX))
}

/// What is said of a record that the function has named, since it says no more itself.
const REPORTED: &str = "the function reported it in batchItemFailures";
/// What is said where nobody knows what the function did.
const FAULT: &str = "a fault of local-sim";
/// Between two looks at the partitions: new ones are rare, and have no records at first.
const LOOK_PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use kafka_protocol::ResponseError;

    use super::{super::scripted_broker::ScriptedBroker, *};

    #[tokio::test]
    async fn partitions_are_found_while_another_topic_is_missing() {
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        let topics = [("a", 3, 0), ("gone", 0, unknown)];
        let broker = ScriptedBroker::start(move |asked| asked.metadata(&topics)).await;
        let topics = ["a", "gone", "untold"].map(str::to_owned);
        let found = counts(&broker.cluster(), &BTreeSet::from(topics)).await;
        assert_eq!(found, BTreeMap::from([("a".to_owned(), 3)]));
    }
}
