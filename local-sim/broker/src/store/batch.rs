//! A record batch from a producer. Its header is checked; its records stay opaque bytes.

use bytes::Bytes;
use kafka_protocol::{ResponseError, records::NO_PRODUCER_ID};
use local_sim_records::{BatchHeader, HeaderError};
use thiserror::Error;

use crate::limits::MESSAGE_BYTES_MAX;

/// The leader epoch of every partition. The leader never changes.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// A validated batch.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// The number of records.
    pub(crate) count: i32,
    /// The timestamp of the first record.
    pub(crate) base_timestamp: i64,
    /// The largest timestamp of any record.
    pub(crate) max_timestamp: i64,
    /// The batch's position among its producer's batches, if the producer is idempotent.
    pub(crate) sequence: Option<Sequence>,
    bytes: Bytes,
}

/// The position of a batch among those of an idempotent producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// The producer's id.
    pub(crate) producer_id: i64,
    /// The producer's epoch.
    pub(crate) epoch: i16,
    /// The sequence number of the first record.
    pub(crate) first: i32,
    /// The sequence number of the last record.
    pub(crate) last: i32,
}

impl Batch {
    /// Parses the bytes that a producer sent for one partition: exactly one valid batch.
    ///
    /// # Errors
    /// Fails if the batch is corrupt, too large, or of a kind that the broker does not support.
    pub(crate) fn parse(bytes: Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::read(&bytes)?;
        BatchHeader::check_length(&bytes)?;
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(BatchError::TooLarge(bytes.len()));
        }
        BatchHeader::verify(&bytes)?;
        header.codec()?;
        if header.is_control() {
            return Err(BatchError::Control);
        }
        if header.is_transactional() {
            return Err(BatchError::Transactional);
        }
        let (count, last_offset_delta) = (header.count, header.last_offset_delta);
        if count < 1 || last_offset_delta != count - 1 {
            return Err(BatchError::Count {
                count,
                last_offset_delta,
            });
        }
        Ok(Self {
            count,
            base_timestamp: header.base_timestamp,
            max_timestamp: header.max_timestamp,
            sequence: Sequence::of(&header)?,
            bytes,
        })
    }

    /// Returns a copy of the batch with its base offset and leader epoch.
    ///
    /// The bytes are copied because they are a slice of the whole request, which the log would
    /// otherwise keep in memory.
    pub(crate) fn with_base_offset(&self, base_offset: i64) -> Bytes {
        BatchHeader::place(&self.bytes, base_offset, LEADER_EPOCH)
    }
}

impl Sequence {
    fn of(header: &BatchHeader) -> Result<Option<Self>, BatchError> {
        let (producer_id, epoch) = (header.producer_id, header.producer_epoch);
        let first = header.base_sequence;
        if producer_id == NO_PRODUCER_ID {
            return Ok(None);
        }
        if first < 0 || epoch < 0 {
            return Err(BatchError::Sequence {
                producer_id,
                epoch,
                first,
            });
        }
        Ok(Some(Self {
            producer_id,
            epoch,
            first,
            last: wrapping_add(first, header.last_offset_delta),
        }))
    }
}

/// Why a batch is rejected.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum BatchError {
    /// Only brokers write control batches.
    #[error("control batches are not accepted from producers")]
    Control,
    /// The number of records does not match the last offset delta.
    #[error(
        "batch has {count} records and last offset delta {last_offset_delta}, \
         must have at least 1 record and a delta of one less"
    )]
    Count { count: i32, last_offset_delta: i32 },
    /// The header is invalid, or does not match the bytes.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The batch has a producer id, but no valid sequence number or epoch.
    #[error(
        "batch of producer {producer_id} has epoch {epoch} and sequence {first}, both must be at least 0"
    )]
    Sequence {
        producer_id: i64,
        epoch: i16,
        first: i32,
    },
    /// The batch is too large.
    #[error("batch has {0} bytes, at most {MESSAGE_BYTES_MAX} are allowed")]
    TooLarge(usize),
    /// The broker does not support transactions.
    #[error("transactions are not supported")]
    Transactional,
}

impl BatchError {
    /// The matching error of Kafka's protocol.
    pub(crate) fn code(&self) -> ResponseError {
        match self {
            Self::Header(header) => match header {
                HeaderError::Codec(_) => ResponseError::UnsupportedCompressionType,
                HeaderError::Crc { .. } | HeaderError::Length { .. } | HeaderError::TooShort(_) => {
                    ResponseError::CorruptMessage
                }
                HeaderError::Magic(_) => ResponseError::UnsupportedForMessageFormat,
                HeaderError::Several => ResponseError::InvalidRecord,
            },
            Self::Control | Self::Count { .. } | Self::Sequence { .. } => {
                ResponseError::InvalidRecord
            }
            Self::TooLarge(_) => ResponseError::MessageTooLarge,
            Self::Transactional => ResponseError::InvalidTxnState,
        }
    }
}

/// Adds to a sequence number. The number after the largest is 0.
pub(crate) fn wrapping_add(sequence: i32, delta: i32) -> i32 {
    sequence.wrapping_add(delta) & i32::MAX
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use local_sim_records::BATCH_HEADER_BYTES;

    use super::*;
    use crate::store::sample::{Sample, records};

    fn check(sample: Sample) -> Result<(), BatchError> {
        Batch::parse(sample.bytes()).map(drop)
    }

    const BASE_OFFSET: Range<usize> = 0..8;
    const LEADER_EPOCH: Range<usize> = 12..16;

    #[test]
    fn valid_batches_are_accepted() {
        assert_eq!(check(records(1)), Ok(()));
        assert_eq!(check(records(1000)), Ok(()));
        assert_eq!(
            check(Sample {
                attributes: 4,
                ..records(1)
            }),
            Ok(())
        );
        assert_eq!(check(records(3).with_producer(7, 0, 0)), Ok(()));
        let largest = MESSAGE_BYTES_MAX - BATCH_HEADER_BYTES;
        assert_eq!(
            check(Sample {
                payload_len: largest,
                ..records(1)
            }),
            Ok(())
        );
    }

    #[test]
    fn invalid_and_unsupported_batches_are_rejected() {
        assert_eq!(
            check(Sample {
                magic: 0,
                ..records(1)
            }),
            Err(BatchError::Header(HeaderError::Magic(0)))
        );
        assert_eq!(
            check(Sample {
                magic: 1,
                ..records(1)
            }),
            Err(BatchError::Header(HeaderError::Magic(1)))
        );
        assert_eq!(
            check(Sample {
                magic: 3,
                ..records(1)
            }),
            Err(BatchError::Header(HeaderError::Magic(3)))
        );
        assert_eq!(
            check(Sample {
                attributes: 5,
                ..records(1)
            }),
            Err(BatchError::Header(HeaderError::Codec(5)))
        );
        assert_eq!(
            check(Sample {
                attributes: 16,
                ..records(1)
            }),
            Err(BatchError::Transactional)
        );
        assert_eq!(
            check(Sample {
                attributes: 48,
                ..records(1)
            }),
            Err(BatchError::Control)
        );
        let too_large = MESSAGE_BYTES_MAX - BATCH_HEADER_BYTES + 1;
        assert_eq!(
            check(Sample {
                payload_len: too_large,
                ..records(1)
            }),
            Err(BatchError::TooLarge(MESSAGE_BYTES_MAX + 1))
        );
    }

    #[test]
    fn a_record_count_that_does_not_match_the_offsets_is_rejected() {
        let count = |count, last_offset_delta| {
            check(Sample {
                count,
                last_offset_delta,
                ..records(1)
            })
        };
        for (counted, last_offset_delta) in [
            (0, -1),
            (0, 0),
            (2, 0),
            (1, 1),
            (-1, -2),
            (i32::MIN, i32::MAX),
        ] {
            let rejected = BatchError::Count {
                count: counted,
                last_offset_delta,
            };
            assert_eq!(count(counted, last_offset_delta), Err(rejected));
        }
    }

    #[test]
    fn a_producer_id_requires_an_epoch_and_a_sequence() {
        let rejected = |epoch, first| {
            Err(BatchError::Sequence {
                producer_id: 7,
                epoch,
                first,
            })
        };
        assert_eq!(check(records(1).with_producer(7, -1, 0)), rejected(-1, 0));
        assert_eq!(check(records(1).with_producer(7, 0, -1)), rejected(0, -1));
        assert_eq!(records(1).batch().sequence, None);
        let wrapping = records(3).with_producer(7, 1, i32::MAX).batch().sequence;
        assert_eq!(
            wrapping,
            Some(Sequence {
                producer_id: 7,
                epoch: 1,
                first: i32::MAX,
                last: 1
            })
        );
    }

    #[test]
    fn a_flipped_bit_is_detected_except_in_fields_that_the_broker_overwrites() {
        let valid = records(2).with_producer(7, 0, 0).bytes();
        for bit in 0..valid.len() * 8 {
            let mut flipped = valid.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let overwritten = BASE_OFFSET.contains(&(bit / 8)) || LEADER_EPOCH.contains(&(bit / 8));
            assert_eq!(
                Batch::parse(flipped.into()).is_ok(),
                overwritten,
                "bit {bit}"
            );
        }
    }

    #[test]
    fn truncated_and_multiple_batches_are_rejected() {
        let valid = records(1).bytes();
        for length in 0..valid.len() {
            assert!(
                Batch::parse(valid.slice(..length)).is_err(),
                "{length} bytes"
            );
        }
        let twice = [valid.clone(), valid].concat();
        assert_eq!(
            Batch::parse(twice.into()).map(drop),
            Err(BatchError::Header(HeaderError::Several))
        );
    }

    #[test]
    fn a_stored_batch_is_valid_and_does_not_share_the_requests_memory() {
        let sent = records(2).bytes();
        let stored = Batch::parse(sent.clone()).unwrap().with_base_offset(42);
        assert_eq!(stored[BASE_OFFSET], 42_i64.to_be_bytes());
        assert_eq!(stored[LEADER_EPOCH], [0; 4]);
        assert_eq!(stored[LEADER_EPOCH.end..], sent[LEADER_EPOCH.end..]);
        assert_eq!(Batch::parse(stored.clone()).map(drop), Ok(()));
        assert!(stored.is_unique());
    }
}
