//! The idempotent producers of one partition, and their last batches to detect duplicates.

use std::collections::{HashMap, VecDeque};

use kafka_protocol::ResponseError;
use thiserror::Error;

use super::batch::{Sequence, wrapping_add};
use crate::limits::{PRODUCER_BATCHES_MAX, PRODUCERS_MAX};

/// The idempotent producers of a partition.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    by_id: HashMap<i64, Producer>,
    /// Counts batches, to order producers by their last activity.
    clock: u64,
}

/// Why a batch is not the next one of its producer.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum SequenceError {
    /// The producer was fenced: a newer instance has a later epoch.
    #[error("producer {producer_id} sent epoch {found}, but the current epoch is {expected}")]
    Epoch {
        producer_id: i64,
        found: i16,
        expected: i16,
    },
    /// A batch is missing, or this one is a duplicate that is too old to be remembered.
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
    last_used: u64,
}

#[derive(Debug)]
struct Written {
    first: i32,
    last: i32,
    base_offset: i64,
}

impl Producers {
    /// Returns the offset of a batch that is already stored, or `None` for the next batch.
    ///
    /// As in Kafka, an unknown or evicted producer may continue with any sequence number.
    ///
    /// # Errors
    /// Fails if the epoch is too old or the sequence number is not the next one.
    pub(crate) fn find_stored(&self, sequence: Sequence) -> Result<Option<i64>, SequenceError> {
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

    /// Remembers that a batch is stored at `base_offset`.
    pub(crate) fn remember(&mut self, sequence: Sequence, base_offset: i64) {
        let Sequence {
            producer_id,
            epoch,
            first,
            last,
        } = sequence;
        self.clock += 1;
        self.evict_for(producer_id);
        let producer = self.by_id.entry(producer_id).or_insert_with(|| Producer {
            epoch,
            recent: VecDeque::with_capacity(PRODUCER_BATCHES_MAX),
            last_used: 0,
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
        producer.last_used = self.clock;
    }

    fn evict_for(&mut self, producer_id: i64) {
        if self.by_id.len() < PRODUCERS_MAX || self.by_id.contains_key(&producer_id) {
            return;
        }
        let idle = self
            .by_id
            .iter()
            .min_by_key(|(_, producer)| producer.last_used)
            .map(|(id, _)| *id);
        if let Some(id) = idle {
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
    /// The matching error of Kafka's protocol.
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

    /// Remembers these batches at the offsets 0, 1, 2 …
    fn after(batches: &[Sequence]) -> Producers {
        let mut producers = Producers::default();
        for (base_offset, batch) in (0..).zip(batches) {
            assert_eq!(producers.find_stored(*batch), Ok(None));
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
    fn a_resent_batch_is_found_at_its_offset() {
        let producers = after(&[batch(0, 0, 4), batch(0, 5, 5), batch(0, 6, 9)]);
        assert_eq!(producers.find_stored(batch(0, 0, 4)), Ok(Some(0)));
        assert_eq!(producers.find_stored(batch(0, 5, 5)), Ok(Some(1)));
        assert_eq!(producers.find_stored(batch(0, 6, 9)), Ok(Some(2)));
        assert_eq!(producers.find_stored(batch(0, 10, 10)), Ok(None));
        assert_eq!(producers.find_stored(batch(0, 0, 5)), out_of_order(0, 10));
    }

    #[test]
    fn a_gap_in_the_sequence_is_rejected() {
        let producers = after(&[batch(0, 0, 4)]);
        assert_eq!(producers.find_stored(batch(0, 6, 6)), out_of_order(6, 5));
    }

    #[test]
    fn only_the_latest_batches_are_remembered() {
        let batches: Vec<_> = (0..6)
            .map(|sequence| batch(0, sequence, sequence))
            .collect();
        let producers = after(&batches);
        assert_eq!(producers.find_stored(batch(0, 1, 1)), Ok(Some(1)));
        assert_eq!(producers.find_stored(batch(0, 0, 0)), out_of_order(0, 6));
    }

    #[test]
    fn a_new_epoch_starts_at_sequence_0_and_fences_the_old_epoch() {
        let producers = after(&[batch(0, 0, 4)]);
        assert_eq!(producers.find_stored(batch(1, 5, 5)), out_of_order(5, 0));
        let producers = after(&[batch(0, 0, 4), batch(1, 0, 0)]);
        let fenced = SequenceError::Epoch {
            producer_id: 7,
            found: 0,
            expected: 1,
        };
        assert_eq!(producers.find_stored(batch(0, 5, 5)), Err(fenced));
        assert_eq!(producers.find_stored(batch(1, 0, 0)), Ok(Some(1)));
    }

    #[test]
    fn sequence_numbers_wrap_around_to_0() {
        let producers = after(&[batch(0, i32::MAX - 1, i32::MAX)]);
        assert_eq!(producers.find_stored(batch(0, 0, 0)), Ok(None));
        let producers = after(&[batch(0, i32::MAX, 1)]);
        assert_eq!(producers.find_stored(batch(0, 2, 2)), Ok(None));
        assert_eq!(producers.find_stored(batch(0, i32::MAX, 1)), Ok(Some(0)));
    }

    #[test]
    fn the_least_recently_active_producer_is_evicted() {
        let mut producers = Producers::default();
        let batch_of = |producer_id, first| Sequence {
            producer_id,
            epoch: 0,
            first,
            last: first,
        };
        let producers_max = i64::try_from(PRODUCERS_MAX).unwrap();
        for producer_id in 0..producers_max {
            producers.remember(batch_of(producer_id, 0), producer_id);
        }
        producers.remember(batch_of(0, 1), 1000);
        producers.remember(batch_of(producers_max, 0), 1001);
        assert_eq!(producers.by_id.len(), PRODUCERS_MAX);
        assert_eq!(producers.find_stored(batch_of(0, 1)), Ok(Some(1000)));
        assert_eq!(producers.find_stored(batch_of(1, 0)), Ok(None));
        assert_eq!(producers.find_stored(batch_of(2, 0)), Ok(Some(2)));
    }
}
