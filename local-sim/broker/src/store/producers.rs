//! The idempotent producers of one partition: what each wrote last, so that a batch sent twice is stored once.

use std::collections::{HashMap, VecDeque};

use kafka_protocol::ResponseError;
use thiserror::Error;

use super::batch::{Sequence, wrapping_add};
use crate::limits::{PRODUCER_BATCHES_MAX, PRODUCERS_MAX};

/// What a partition remembers of its idempotent producers.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    by_id: HashMap<i64, Producer>,
    /// Counts batches, to know who was silent longest.
    clock: u64,
}

/// Why a batch does not follow what its producer wrote before.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum SequenceError {
    /// A producer that was replaced by a newer self.
    #[error("producer {producer_id} has epoch {found}, expected {expected} or later")]
    Epoch {
        producer_id: i64,
        found: i16,
        expected: i16,
    },
    /// A batch is missing in between, or this one is too old to be remembered.
    #[error("producer {producer_id} sent sequence {found}, expected {expected}")]
    OutOfOrder {
        producer_id: i64,
        found: i32,
        expected: i32,
    },
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    /// The latest batches, oldest first; never empty.
    recent: VecDeque<Written>,
    used: u64,
}

#[derive(Debug)]
struct Written {
    first: i32,
    last: i32,
    base_offset: i64,
}

impl Producers {
    /// The offset at which this batch is stored already, if it is; an error where it must not be stored at all.
    ///
    /// Of a producer that is not known (any more) every sequence number is fine, as with Kafka.
    pub(crate) fn stored(&self, sequence: Sequence) -> Result<Option<i64>, SequenceError> {
        let Sequence {
            producer_id,
            epoch,
            first,
            last,
        } = sequence;
        let Some(producer) = self.by_id.get(&producer_id) else {
            return Ok(None);
        };
        if epoch < producer.epoch {
            return Err(SequenceError::Epoch {
                producer_id,
                found: epoch,
                expected: producer.epoch,
            });
        }
        if epoch == producer.epoch
            && let Some(written) = producer.find(first, last)
        {
            return Ok(Some(written.base_offset));
        }
        let expected = if epoch > producer.epoch {
            0
        } else {
            producer.next()
        };
        if first == expected {
            Ok(None)
        } else {
            Err(SequenceError::OutOfOrder {
                producer_id,
                found: first,
                expected,
            })
        }
    }

    /// Remembers that this batch is stored at `base_offset`.
    pub(crate) fn remember(&mut self, sequence: Sequence, base_offset: i64) {
        let Sequence {
            producer_id,
            epoch,
            first,
            last,
        } = sequence;
        self.clock += 1;
        self.make_room_for(producer_id);
        let producer = self.by_id.entry(producer_id).or_insert_with(|| Producer {
            epoch,
            recent: VecDeque::with_capacity(PRODUCER_BATCHES_MAX),
            used: 0,
        });
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.recent.clear();
        }
        if producer.recent.len() == PRODUCER_BATCHES_MAX {
            producer.recent.pop_front();
        }
        producer.recent.push_back(Written {
            first,
            last,
            base_offset,
        });
        producer.used = self.clock;
    }

    fn make_room_for(&mut self, producer_id: i64) {
        if self.by_id.len() < PRODUCERS_MAX || self.by_id.contains_key(&producer_id) {
            return;
        }
        let silent = self
            .by_id
            .iter()
            .min_by_key(|(_, producer)| producer.used)
            .map(|(id, _)| *id);
        if let Some(id) = silent {
            self.by_id.remove(&id);
        }
    }
}

impl Producer {
    fn find(&self, first: i32, last: i32) -> Option<&Written> {
        self.recent
            .iter()
            .find(|written| written.first == first && written.last == last)
    }

    fn next(&self) -> i32 {
        self.recent
            .back()
            .map_or(0, |written| wrapping_add(written.last, 1))
    }
}

impl SequenceError {
    /// The error of Kafka's protocol that says so.
    pub(crate) fn code(&self) -> ResponseError {
        match self {
            Self::Epoch { .. } => ResponseError::InvalidProducerEpoch,
            Self::OutOfOrder { .. } => ResponseError::OutOfOrderSequenceNumber,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(epoch: i16, first: i32, last: i32) -> Sequence {
        Sequence {
            producer_id: 7,
            epoch,
            first,
            last,
        }
    }

    /// Producers that know these batches, stored at offsets 0, 1, 2 …
    fn after(batches: &[Sequence]) -> Producers {
        let mut producers = Producers::default();
        for (base_offset, batch) in (0..).zip(batches) {
            assert_eq!(producers.stored(*batch), Ok(None));
            producers.remember(*batch, base_offset);
        }
        producers
    }

    fn out_of_order(found: i32, expected: i32) -> Result<Option<i64>, SequenceError> {
        Err(SequenceError::OutOfOrder {
            producer_id: 7,
            found,
            expected,
        })
    }

    #[test]
    fn a_batch_sent_twice_is_found_where_it_was_stored() {
        let producers = after(&[batch(0, 0, 4), batch(0, 5, 5), batch(0, 6, 9)]);
        assert_eq!(producers.stored(batch(0, 0, 4)), Ok(Some(0)));
        assert_eq!(producers.stored(batch(0, 5, 5)), Ok(Some(1)));
        assert_eq!(producers.stored(batch(0, 6, 9)), Ok(Some(2)));
        assert_eq!(producers.stored(batch(0, 10, 10)), Ok(None));
        assert_eq!(producers.stored(batch(0, 0, 5)), out_of_order(0, 10));
    }

    #[test]
    fn a_gap_is_refused() {
        let producers = after(&[batch(0, 0, 4)]);
        assert_eq!(producers.stored(batch(0, 6, 6)), out_of_order(6, 5));
    }

    #[test]
    fn only_the_latest_batches_are_remembered() {
        let batches: Vec<_> = (0..6)
            .map(|sequence| batch(0, sequence, sequence))
            .collect();
        let producers = after(&batches);
        assert_eq!(producers.stored(batch(0, 1, 1)), Ok(Some(1)));
        assert_eq!(producers.stored(batch(0, 0, 0)), out_of_order(0, 6));
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_ends_the_old_one() {
        let producers = after(&[batch(0, 0, 4)]);
        assert_eq!(producers.stored(batch(1, 5, 5)), out_of_order(5, 0));
        let producers = after(&[batch(0, 0, 4), batch(1, 0, 0)]);
        let fenced = SequenceError::Epoch {
            producer_id: 7,
            found: 0,
            expected: 1,
        };
        assert_eq!(producers.stored(batch(0, 5, 5)), Err(fenced));
        assert_eq!(producers.stored(batch(1, 0, 0)), Ok(Some(1)));
    }

    #[test]
    fn sequence_numbers_begin_again_after_the_largest() {
        let producers = after(&[batch(0, i32::MAX - 1, i32::MAX)]);
        assert_eq!(producers.stored(batch(0, 0, 0)), Ok(None));
        let producers = after(&[batch(0, i32::MAX, 1)]);
        assert_eq!(producers.stored(batch(0, 2, 2)), Ok(None));
        assert_eq!(producers.stored(batch(0, i32::MAX, 1)), Ok(Some(0)));
    }

    #[test]
    fn the_producer_that_was_silent_longest_is_forgotten() {
        let mut producers = Producers::default();
        let by = |producer_id, first| Sequence {
            producer_id,
            epoch: 0,
            first,
            last: first,
        };
        let producers_max = i64::try_from(PRODUCERS_MAX).unwrap();
        for producer_id in 0..producers_max {
            producers.remember(by(producer_id, 0), producer_id);
        }
        producers.remember(by(0, 1), 1000);
        producers.remember(by(producers_max, 0), 1001);
        assert_eq!(producers.by_id.len(), PRODUCERS_MAX);
        assert_eq!(producers.stored(by(0, 1)), Ok(Some(1000)));
        assert_eq!(producers.stored(by(1, 0)), Ok(None));
        assert_eq!(producers.stored(by(2, 0)), Ok(Some(2)));
    }
}
