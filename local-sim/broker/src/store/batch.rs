//! A record batch as a producer sends it: the header is checked, the records stay opaque bytes.

use bytes::Bytes;
use kafka_protocol::{ResponseError, records::NO_PRODUCER_ID};
use local_sim_records::{BatchHeader, HeaderError};
use thiserror::Error;

use crate::limits::MESSAGE_BYTES_MAX;

/// Partitions have one leader for ever: this is its epoch.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// One batch that passed every check.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// The number of records.
    pub(crate) count: i32,
    /// The timestamp of the first record.
    pub(crate) base_timestamp: i64,
    /// The largest timestamp of any record.
    pub(crate) max_timestamp: i64,
    /// Which place the batch has among those of its producer, where that one is idempotent.
    pub(crate) sequence: Option<Sequence>,
    bytes: Bytes,
}

/// The place of a batch among those of an idempotent producer.
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
    /// Checks the bytes that a producer sent for one partition: exactly one sound batch.
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

    /// A copy of the batch with its place in the log.
    ///
    /// A copy, because the bytes are a slice of the whole request, which the log would otherwise keep alive.
    pub(crate) fn placed_at(&self, base_offset: i64) -> Bytes {
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

/// Why a batch is refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum BatchError {
    /// Only brokers write control batches.
    #[error("the batch is a control batch, expected records")]
    Control,
    /// The number of records and their offsets contradict each other.
    #[error(
        "the batch counts {count} records and ends at offset delta {last_offset_delta}, expected one less"
    )]
    Count { count: i32, last_offset_delta: i32 },
    /// The header cannot be read, or is not that of these bytes.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A producer id without a sequence number, or an epoch.
    #[error(
        "the batch of producer {producer_id} has epoch {epoch} and sequence {first}, expected both from 0 up"
    )]
    Sequence {
        producer_id: i64,
        epoch: i16,
        first: i32,
    },
    /// More than a topic takes.
    #[error("the batch has {0} bytes, at most {MESSAGE_BYTES_MAX} are allowed")]
    TooLarge(usize),
    /// There are no transactions here.
    #[error("the batch belongs to a transaction, and this broker has none")]
    Transactional,
}

impl BatchError {
    /// The error of Kafka's protocol that says so.
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

/// Adds to a sequence number, which goes on from 0 after the largest.
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
    fn sound_batches_are_taken() {
        assert_eq!(check(records(1)), Ok(()));
        assert_eq!(check(records(1000)), Ok(()));
        assert_eq!(
            check(Sample {
                attributes: 4,
                ..records(1)
            }),
            Ok(())
        );
        assert_eq!(check(records(3).by(7, 0, 0)), Ok(()));
        let largest = MESSAGE_BYTES_MAX - BATCH_HEADER_BYTES;
        assert_eq!(
            check(Sample {
                filling: largest,
                ..records(1)
            }),
            Ok(())
        );
    }

    #[test]
    fn wrong_fields_are_refused() {
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
                filling: too_large,
                ..records(1)
            }),
            Err(BatchError::TooLarge(MESSAGE_BYTES_MAX + 1))
        );
    }

    #[test]
    fn the_number_of_records_agrees_with_their_offsets() {
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
            let refused = BatchError::Count {
                count: counted,
                last_offset_delta,
            };
            assert_eq!(count(counted, last_offset_delta), Err(refused));
        }
    }

    #[test]
    fn an_idempotent_producer_has_an_epoch_and_a_sequence() {
        let refused = |epoch, first| {
            Err(BatchError::Sequence {
                producer_id: 7,
                epoch,
                first,
            })
        };
        assert_eq!(check(records(1).by(7, -1, 0)), refused(-1, 0));
        assert_eq!(check(records(1).by(7, 0, -1)), refused(0, -1));
        assert_eq!(records(1).batch().sequence, None);
        let wrapping = records(3).by(7, 1, i32::MAX).batch().sequence;
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
    fn no_flipped_bit_passes_but_in_what_the_broker_overwrites() {
        let sound = records(2).by(7, 0, 0).bytes();
        for bit in 0..sound.len() * 8 {
            let mut flipped = sound.to_vec();
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
    fn nothing_but_one_whole_batch_passes() {
        let sound = records(1).bytes();
        for length in 0..sound.len() {
            assert!(
                Batch::parse(sound.slice(..length)).is_err(),
                "{length} bytes"
            );
        }
        let twice = [sound.clone(), sound].concat();
        assert_eq!(
            Batch::parse(twice.into()).map(drop),
            Err(BatchError::Header(HeaderError::Several))
        );
    }

    #[test]
    fn a_placed_batch_is_sound_and_shares_no_memory_with_the_request() {
        let sent = records(2).bytes();
        let placed = Batch::parse(sent.clone()).unwrap().placed_at(42);
        assert_eq!(placed[BASE_OFFSET], 42_i64.to_be_bytes());
        assert_eq!(placed[LEADER_EPOCH], [0; 4]);
        assert_eq!(placed[LEADER_EPOCH.end..], sent[LEADER_EPOCH.end..]);
        assert_eq!(Batch::parse(placed.clone()).map(drop), Ok(()));
        assert!(placed.is_unique());
    }
}
