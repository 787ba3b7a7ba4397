//! A record batch as a producer sends it: the header is checked, the records stay opaque bytes.
//!
//! The layout of the header (magic 2), from <https://kafka.apache.org/documentation/#recordbatch>:
//!
//! | at | field | | at | field |
//! | --- | --- | --- | --- | --- |
//! | 0 | base offset | | 27 | base timestamp |
//! | 8 | length of what follows | | 35 | max timestamp |
//! | 12 | partition leader epoch | | 43 | producer id |
//! | 16 | magic | | 51 | producer epoch |
//! | 17 | CRC-32C of what follows | | 53 | base sequence |
//! | 21 | attributes | | 57 | number of records |
//! | 23 | last offset delta | | 61 | records |

use std::ops::Range;

use bytes::{Buf, Bytes};
use kafka_protocol::{ResponseError, records::Compression};
use thiserror::Error;

use crate::limits::MESSAGE_BYTES_MAX;

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
        check_frame(&bytes)?;
        let mut header = &bytes[CRC_AT..HEADER_BYTES];
        check_crc(header.get_u32(), &bytes[CRC_COVERS_FROM..])?;
        check_attributes(header.get_i16())?;
        let last_offset_delta = header.get_i32();
        let base_timestamp = header.get_i64();
        let max_timestamp = header.get_i64();
        let producer_id = header.get_i64();
        let epoch = header.get_i16();
        let first = header.get_i32();
        let count = header.get_i32();
        if count < 1 || last_offset_delta != count - 1 {
            return Err(BatchError::Count {
                count,
                last_offset_delta,
            });
        }
        let sequence = if producer_id == NO_PRODUCER {
            None
        } else if first < 0 || epoch < 0 {
            return Err(BatchError::Sequence {
                producer_id,
                epoch,
                first,
            });
        } else {
            Some(Sequence {
                producer_id,
                epoch,
                first,
                last: wrapping_add(first, last_offset_delta),
            })
        };
        Ok(Self {
            count,
            base_timestamp,
            max_timestamp,
            sequence,
            bytes,
        })
    }

    /// A copy of the batch with its place in the log.
    ///
    /// A copy, because the bytes are a slice of the whole request, which the log would otherwise keep alive. Only what
    /// the CRC does not cover is changed.
    pub(crate) fn placed_at(&self, base_offset: i64) -> Bytes {
        let mut placed = self.bytes.to_vec();
        placed[BASE_OFFSET].copy_from_slice(&base_offset.to_be_bytes());
        placed[LEADER_EPOCH].copy_from_slice(&super::topics::LEADER_EPOCH.to_be_bytes());
        placed.into()
    }
}

/// Why a batch is refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum BatchError {
    /// The codec is none of Kafka's.
    #[error("the batch's codec is {0}, expected 0 to 4 (none, gzip, snappy, lz4, zstd)")]
    Codec(i16),
    /// Only brokers write control batches.
    #[error("the batch is a control batch, expected records")]
    Control,
    /// The number of records and their offsets contradict each other.
    #[error(
        "the batch counts {count} records and ends at offset delta {last_offset_delta}, expected one less"
    )]
    Count { count: i32, last_offset_delta: i32 },
    /// The bytes are not those that the producer wrote.
    #[error("the batch's CRC-32C is {found:#010x}, expected {expected:#010x}")]
    Crc { found: u32, expected: u32 },
    /// The batch is cut short, or something follows it.
    #[error("the batch's length is {declared}, but {found} bytes follow")]
    Length { declared: i32, found: usize },
    /// A format that Kafka gave up with version 4.
    #[error("the batch's magic is {0}, expected 2")]
    Magic(i8),
    /// Kafka allows one batch for each partition of a request.
    #[error("more than one batch for one partition of a request")]
    Several,
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
    /// Not even a header.
    #[error("{0} bytes of records, expected a batch with a header of {HEADER_BYTES}")]
    TooShort(usize),
    /// There are no transactions here.
    #[error("the batch belongs to a transaction, and this broker has none")]
    Transactional,
}

impl BatchError {
    /// The error of Kafka's protocol that says so.
    pub(crate) fn code(&self) -> ResponseError {
        match self {
            Self::Codec(_) => ResponseError::UnsupportedCompressionType,
            Self::Control | Self::Count { .. } | Self::Several | Self::Sequence { .. } => {
                ResponseError::InvalidRecord
            }
            Self::Crc { .. } | Self::Length { .. } | Self::TooShort(_) => {
                ResponseError::CorruptMessage
            }
            Self::Magic(_) => ResponseError::UnsupportedForMessageFormat,
            Self::TooLarge(_) => ResponseError::MessageTooLarge,
            Self::Transactional => ResponseError::InvalidTxnState,
        }
    }
}

/// The codec of a batch's records, if it is one of Kafka's; none of a batch that is cut short.
pub(super) fn codec(batch: &[u8]) -> Option<Compression> {
    let attributes = batch.get(CRC_COVERS_FROM..)?.first_chunk()?;
    match i16::from_be_bytes(*attributes) & CODEC_MASK {
        0 => Some(Compression::None),
        1 => Some(Compression::Gzip),
        2 => Some(Compression::Snappy),
        3 => Some(Compression::Lz4),
        4 => Some(Compression::Zstd),
        _ => None,
    }
}

/// Adds to a sequence number, which goes on from 0 after the largest.
pub(crate) fn wrapping_add(sequence: i32, delta: i32) -> i32 {
    sequence.wrapping_add(delta) & i32::MAX
}

/// Whether the bytes are one batch of the one format, by its magic and its length.
fn check_frame(bytes: &[u8]) -> Result<(), BatchError> {
    // The magic comes first: it is at the same place in all formats, and the old ones have shorter headers.
    match bytes.get(MAGIC_AT).map(|magic| magic.cast_signed()) {
        Some(MAGIC) if bytes.len() >= HEADER_BYTES => {}
        Some(MAGIC) | None => return Err(BatchError::TooShort(bytes.len())),
        Some(magic) => return Err(BatchError::Magic(magic)),
    }
    let declared = (&bytes[LENGTH]).get_i32();
    let found = bytes.len() - LENGTH.end;
    match usize::try_from(declared) {
        Ok(length) if length == found => {}
        Ok(length) if length < found && length + LENGTH.end >= HEADER_BYTES => {
            return Err(BatchError::Several);
        }
        _ => return Err(BatchError::Length { declared, found }),
    }
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(BatchError::TooLarge(bytes.len()));
    }
    Ok(())
}

fn check_crc(found: u32, covered: &[u8]) -> Result<(), BatchError> {
    let expected = crc32c::crc32c(covered);
    if found == expected {
        Ok(())
    } else {
        Err(BatchError::Crc { found, expected })
    }
}

fn check_attributes(attributes: i16) -> Result<(), BatchError> {
    let codec = attributes & CODEC_MASK;
    if codec > CODEC_MAX {
        Err(BatchError::Codec(codec))
    } else if attributes & CONTROL != 0 {
        Err(BatchError::Control)
    } else if attributes & TRANSACTIONAL != 0 {
        Err(BatchError::Transactional)
    } else {
        Ok(())
    }
}

const BASE_OFFSET: Range<usize> = 0..8;
const LENGTH: Range<usize> = 8..12;
const LEADER_EPOCH: Range<usize> = 12..16;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const CRC_COVERS_FROM: usize = 21;
/// The records, or what they are compressed to, come after so many bytes.
pub(super) const HEADER_BYTES: usize = 61;

/// The one format since Kafka 0.11.
const MAGIC: i8 = 2;
/// The producer id of a producer that is not idempotent.
const NO_PRODUCER: i64 = -1;
const CODEC_MASK: i16 = 0b111;
/// zstd.
const CODEC_MAX: i16 = 4;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample::{Sample, records};

    fn check(sample: Sample) -> Result<(), BatchError> {
        Batch::parse(sample.bytes()).map(drop)
    }

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
        let largest = MESSAGE_BYTES_MAX - HEADER_BYTES;
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
            Err(BatchError::Magic(0))
        );
        assert_eq!(
            check(Sample {
                magic: 1,
                ..records(1)
            }),
            Err(BatchError::Magic(1))
        );
        assert_eq!(
            check(Sample {
                magic: 3,
                ..records(1)
            }),
            Err(BatchError::Magic(3))
        );
        assert_eq!(
            check(Sample {
                attributes: 5,
                ..records(1)
            }),
            Err(BatchError::Codec(5))
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
        let too_large = MESSAGE_BYTES_MAX - HEADER_BYTES + 1;
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
            Err(BatchError::Several)
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
