//! What was delivered behind a record that failed.
//!
//! A mapping goes on at the first record that failed, and sends all behind it
//! again. Without this memory, one connection that takes nothing for a while
//! would have all others of its partition get the same messages over and over.
//! It is the process's, and lost with it: a duplicate is then possible.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    address::ConnectionId,
    batch::{Batch, Record},
    report::Report,
};

/// This many deliveries are kept at most, about 100 bytes each; where more
/// would have to be, all are forgotten.
pub const DELIVERIES_MAX: usize = 50_000;

/// The deliveries that may be asked for again, by partition.
#[derive(Debug, Default)]
pub struct Memory(BTreeMap<String, BTreeSet<Delivery>>);

/// The record's offset and time, and the connection.
type Delivery = (i64, i64, ConnectionId);

impl Memory {
    /// Whether the record was delivered to the connection.
    pub fn has(&self, partition: &str, record: &Record, connection: &ConnectionId) -> bool {
        self.0
            .get(partition)
            .is_some_and(|deliveries| deliveries.contains(&delivery(record, connection)))
    }

    /// Keeps of a report what may be asked for again, and forgets what will not be.
    pub fn learn(&mut self, batch: &Batch, report: &Report<'_>) {
        for failure in &report.failures {
            let deliveries = self.0.entry(failure.partition.to_owned()).or_default();
            let behind = report.delivered.iter().filter(|(partition, record, _)| {
                *partition == failure.partition && record.offset >= failure.offset
            });
            deliveries.extend(behind.map(|(_, record, connection)| delivery(record, connection)));
        }
        for partition in &batch.partitions {
            let failure = report
                .failures
                .iter()
                .find(|failure| failure.partition == partition.name);
            let last = partition.records.last();
            // A mapping may have halved the batch: what is behind it counts still.
            let next = match failure {
                Some(failure) => failure.offset,
                None => last.map_or(0, |record| record.offset.saturating_add(1)),
            };
            if let Some(deliveries) = self.0.get_mut(&partition.name) {
                deliveries.retain(|(offset, ..)| *offset >= next);
                if deliveries.is_empty() {
                    self.0.remove(&partition.name);
                }
            }
        }
        if self.0.values().map(BTreeSet::len).sum::<usize>() > DELIVERIES_MAX {
            self.0.clear();
        }
    }
}

fn delivery(record: &Record, connection: &ConnectionId) -> Delivery {
    (record.offset, record.timestamp, connection.clone())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        batch::{Action, Order, Partition},
        connections::Refusal,
        work::Work,
    };

    /// A batch of one partition: offset and connection of each record.
    fn batch(records: &[(i64, &str)]) -> Batch {
        let record = |(offset, to): &(i64, &str)| Record {
            offset: *offset,
            timestamp: 5,
            order: Ok(Order {
                to: vec![ConnectionId::parse(to).expect("an id")],
                action: Action::Close,
            }),
        };
        Batch {
            partitions: vec![Partition {
                name: "t-0".to_owned(),
                records: records.iter().map(record).collect(),
            }],
        }
    }

    /// Delivers a batch, except to `x`: what went out.
    fn deliver(memory: &mut Memory, records: &[(i64, &str)]) -> Vec<String> {
        let batch = batch(records);
        let mut work = Work::new(&batch, |partition, record, to| {
            memory.has(partition, record, to)
        });
        let now = Instant::now();
        let mut sent = Vec::new();
        while let Some(post) = work.next(now) {
            sent.push(post.connection.as_str().to_owned());
            let refused = post.connection.as_str() == "x";
            let answer = if refused {
                Err(Refusal::new(Some(403)))
            } else {
                Ok(())
            };
            work.settle(post, answer, now, 0.0);
        }
        memory.learn(&batch, &work.report());
        sent.sort();
        sent
    }

    #[test]
    fn what_comes_again_behind_a_failure_goes_out_once() {
        let mut memory = Memory::default();
        let records = [(1, "a"), (2, "x"), (3, "b"), (4, "c")];
        assert_eq!(deliver(&mut memory, &records), ["a", "b", "c", "x"]);
        let again = [(2, "x"), (3, "b"), (4, "c"), (5, "b")];
        assert_eq!(deliver(&mut memory, &again), ["b", "x"]);
        assert_eq!(deliver(&mut memory, &again), ["x"]);
    }

    #[test]
    fn a_batch_that_was_halved_is_remembered_whole() {
        let mut memory = Memory::default();
        deliver(&mut memory, &[(1, "x"), (2, "b"), (3, "c")]);
        assert_eq!(deliver(&mut memory, &[(1, "x")]), ["x"]);
        assert_eq!(deliver(&mut memory, &[(2, "b"), (3, "c")]), [""; 0]);
    }

    #[test]
    fn what_is_past_is_forgotten() {
        let mut memory = Memory::default();
        deliver(&mut memory, &[(1, "x"), (2, "b"), (3, "c")]);
        deliver(&mut memory, &[(2, "b"), (3, "c")]);
        assert!(memory.0.is_empty(), "{memory:?}");
        // Somebody has the mapping read from the beginning.
        assert_eq!(deliver(&mut memory, &[(2, "b"), (3, "c")]), ["b", "c"]);
    }

    #[test]
    fn another_record_in_the_place_of_one_is_delivered() {
        let mut memory = Memory::default();
        deliver(&mut memory, &[(1, "x"), (2, "b")]);
        let mut record = batch(&[(2, "b")]).partitions.remove(0).records.remove(0);
        let to = ConnectionId::parse("b").expect("an id");
        assert!(memory.has("t-0", &record, &to));
        record.timestamp += 1;
        assert!(!memory.has("t-0", &record, &to));
    }

    #[test]
    fn too_many_deliveries_are_forgotten() {
        let mut memory = Memory::default();
        let mut records = vec![(0, "x")];
        let last = i64::try_from(DELIVERIES_MAX).expect("a number");
        records.extend((1..=last).map(|offset| (offset, "a")));
        deliver(&mut memory, &records);
        assert_eq!(memory.0["t-0"].len(), DELIVERIES_MAX);
        records.push((last + 1, "a"));
        deliver(&mut memory, &records);
        assert!(memory.0.is_empty());
    }
}
