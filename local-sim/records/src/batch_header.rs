//! The header of a record batch (magic 2), from <https://kafka.apache.org/documentation/#recordbatch>:
//!
//! | at | field | | at | field |
//! | --- | --- | --- | --- | --- |
//! | 0 | base offset | | 27 | base timestamp |
//! | 8 | length of the rest | | 35 | max timestamp |
//! | 12 | partition leader epoch | | 43 | producer id |
//! | 16 | magic | | 51 | producer epoch |
//! | 17 | CRC-32C of the rest | | 53 | base sequence |
//! | 21 | attributes | | 57 | number of records |
//! | 23 | last offset delta | | 61 | records |

use std::ops::Range;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
    TimestampType,
};
use thiserror::Error;

use crate::field::TooLong;

/// The header of a record batch. Its fields are not validated unless a method says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record when the batch was stored, before compaction.
    pub base_offset: i64,
    /// The epoch of the leader that stored the batch.
    pub leader_epoch: i32,
    /// The codec, the timestamp type, and the flags for transactional and control batches.
    pub attributes: i16,
    /// The last record's offset minus the base offset, before compaction.
    pub last_offset_delta: i32,
    /// The timestamp to which the records' timestamps are relative.
    pub base_timestamp: i64,
    /// The largest timestamp of all records.
    pub max_timestamp: i64,
    /// The producer's id; -1 if the producer is not idempotent.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The sequence number of the first record.
    pub base_sequence: i32,
    /// The number of records.
    pub count: i32,
}

/// Why a batch is invalid.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HeaderError {
    /// The codec does not exist.
    #[error("unknown codec {0} (0 to 4 are none, gzip, snappy, lz4 and zstd)")]
    Codec(i16),
    /// The checksum does not match.
    #[error("CRC-32C mismatch: the header has {found:#010x}, the bytes have {expected:#010x}")]
    Crc {
        /// The checksum in the header.
        found: u32,
        /// The checksum of the bytes.
        expected: u32,
    },
    /// The batch is truncated, or other bytes follow it.
    #[error("the batch length is {declared}, but {found} bytes follow")]
    Length {
        /// The length in the header.
        declared: i32,
        /// The number of bytes that follow the length.
        found: usize,
    },
    /// A format that Kafka 4 no longer supports, or one that does not exist.
    #[error("unsupported magic {0} (only 2, the format since Kafka 0.11, is supported)")]
    Magic(i8),
    /// Another batch follows; Kafka allows one per partition in a request.
    #[error("more than one batch for one partition of a request")]
    Several,
    /// The bytes are too short for a header.
    #[error("the batch has only {0} bytes (a batch header has {BATCH_HEADER_BYTES})")]
    TooShort(usize),
}

impl BatchHeader {
    /// The header of an uncompressed batch from a producer that is not idempotent.
    pub fn plain(count: i32, base_timestamp: i64, max_timestamp: i64) -> Self {
        Self {
            base_offset: 0,
            leader_epoch: NO_PARTITION_LEADER_EPOCH,
            attributes: 0,
            last_offset_delta: count.saturating_sub(1),
            base_timestamp,
            max_timestamp,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            count,
        }
    }

    /// Reads the header at the start of a batch.
    ///
    /// # Errors
    /// If the batch is too short for a header or has another format.
    pub fn read(batch: &[u8]) -> Result<Self, HeaderError> {
        // Check the magic first: it has the same position in all formats, and older formats have
        // shorter headers.
        match magic(batch) {
            Some(MAGIC) if batch.len() >= BATCH_HEADER_BYTES => {}
            Some(MAGIC) | None => return Err(HeaderError::TooShort(batch.len())),
            Some(magic) => return Err(HeaderError::Magic(magic)),
        }
        let base_offset = (&batch[BASE_OFFSET]).get_i64();
        let leader_epoch = (&batch[LEADER_EPOCH]).get_i32();
        let mut fields = &batch[CRC_COVERS_FROM..BATCH_HEADER_BYTES];
        Ok(Self {
            base_offset,
            leader_epoch,
            attributes: fields.get_i16(),
            last_offset_delta: fields.get_i32(),
            base_timestamp: fields.get_i64(),
            max_timestamp: fields.get_i64(),
            producer_id: fields.get_i64(),
            producer_epoch: fields.get_i16(),
            base_sequence: fields.get_i32(),
            count: fields.get_i32(),
        })
    }

    /// Checks that the bytes are exactly one batch, according to its declared length.
    ///
    /// # Errors
    /// If the length does not match, or the bytes are too short for a length.
    pub fn check_length(batch: &[u8]) -> Result<(), HeaderError> {
        let too_short = HeaderError::TooShort(batch.len());
        let declared = batch.get(LENGTH).ok_or(too_short)?.get_i32();
        let found = batch.len() - LENGTH.end;
        match usize::try_from(declared) {
            Ok(length) if length == found => Ok(()),
            Ok(length) if length < found && length >= BATCH_HEADER_BYTES - LENGTH.end => {
                Err(HeaderError::Several)
            }
            _ => Err(HeaderError::Length { declared, found }),
        }
    }

    /// Verifies the checksum, which covers all fields that a broker does not overwrite.
    ///
    /// # Errors
    /// If the checksum does not match, or the batch is too short for a header.
    pub fn verify(batch: &[u8]) -> Result<(), HeaderError> {
        let covered = batch.get(CRC_COVERS_FROM..);
        let covered = covered.ok_or(HeaderError::TooShort(batch.len()))?;
        let found = (&batch[CRC]).get_u32();
        let expected = crc32c::crc32c(covered);
        if found == expected {
            Ok(())
        } else {
            Err(HeaderError::Crc { found, expected })
        }
    }

    /// Builds the batch of these encoded records, with its length and checksum.
    ///
    /// The caller must encode `records` as the header declares.
    ///
    /// # Errors
    /// If the batch exceeds 2 GiB.
    pub fn with_records(&self, records: &[u8]) -> Result<Bytes, TooLong> {
        let after_length = BATCH_HEADER_BYTES - LENGTH.end + records.len();
        let length = i32::try_from(after_length).map_err(|_| TooLong)?;
        let mut batch = BytesMut::with_capacity(BATCH_HEADER_BYTES + records.len());
        batch.put_i64(self.base_offset);
        batch.put_i32(length);
        batch.put_i32(self.leader_epoch);
        batch.put_i8(MAGIC);
        batch.put_u32(0);
        batch.put_i16(self.attributes);
        batch.put_i32(self.last_offset_delta);
        batch.put_i64(self.base_timestamp);
        batch.put_i64(self.max_timestamp);
        batch.put_i64(self.producer_id);
        batch.put_i16(self.producer_epoch);
        batch.put_i32(self.base_sequence);
        batch.put_i32(self.count);
        batch.put_slice(records);
        let crc = crc32c::crc32c(&batch[CRC_COVERS_FROM..]);
        batch[CRC].copy_from_slice(&crc.to_be_bytes());
        Ok(batch.freeze())
    }

    /// Copies a batch with another base offset and leader epoch, which the checksum does not cover.
    ///
    /// # Panics
    /// If the batch is too short for a header.
    pub fn place(batch: &[u8], base_offset: i64, leader_epoch: i32) -> Bytes {
        let mut placed = batch.to_vec();
        placed[BASE_OFFSET].copy_from_slice(&base_offset.to_be_bytes());
        placed[LEADER_EPOCH].copy_from_slice(&leader_epoch.to_be_bytes());
        placed.into()
    }

    /// The offset after the last record, or `None` if the header's offsets are invalid.
    pub fn next_offset(&self) -> Option<i64> {
        let is_sound = self.base_offset >= 0 && self.last_offset_delta >= 0;
        let last = self.base_offset.checked_add(self.last_offset_delta.into());
        last.filter(|_| is_sound)?.checked_add(1)
    }

    /// The compression of the records.
    ///
    /// # Errors
    /// If the codec does not exist.
    pub fn codec(&self) -> Result<Compression, HeaderError> {
        match self.attributes & CODEC_MASK {
            0 => Ok(Compression::None),
            1 => Ok(Compression::Gzip),
            2 => Ok(Compression::Snappy),
            3 => Ok(Compression::Lz4),
            4 => Ok(Compression::Zstd),
            other => Err(HeaderError::Codec(other)),
        }
    }

    /// Whether the timestamps are the producer's or the broker's.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME == 0 {
            TimestampType::Creation
        } else {
            TimestampType::LogAppend
        }
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether this is a control batch, such as a transaction marker, without application records.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }
}

/// The format version of a batch, or of a message of an older format.
pub(crate) fn magic(batch: &[u8]) -> Option<i8> {
    batch.get(MAGIC_AT).map(|magic| magic.cast_signed())
}

/// The size of the header, after which the (compressed) records start.
pub const BATCH_HEADER_BYTES: usize = 61;
pub(crate) const BASE_OFFSET: Range<usize> = 0..8;
pub(crate) const LENGTH: Range<usize> = 8..12;
const LEADER_EPOCH: Range<usize> = 12..16;
const MAGIC_AT: usize = 16;
const CRC: Range<usize> = 17..21;
const CRC_COVERS_FROM: usize = 21;

/// The only format since Kafka 0.11.
const MAGIC: i8 = 2;
const CODEC_MASK: i16 = 0b111;
const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(base_offset: i64, last_offset_delta: i32) -> BatchHeader {
        BatchHeader {
            base_offset,
            last_offset_delta,
            ..BatchHeader::plain(1, 0, 0)
        }
    }

    #[test]
    fn every_field_survives_a_round_trip() {
        let header = BatchHeader {
            base_offset: 1,
            leader_epoch: 2,
            attributes: 3,
            last_offset_delta: 4,
            base_timestamp: 5,
            max_timestamp: 6,
            producer_id: 7,
            producer_epoch: 8,
            base_sequence: 9,
            count: 10,
        };
        let batch = header.with_records(b"records").unwrap();
        assert_eq!(BatchHeader::read(&batch), Ok(header));
        assert_eq!(BatchHeader::verify(&batch), Ok(()));
        let placed = BatchHeader::place(&batch, 11, 12);
        let expected = BatchHeader {
            base_offset: 11,
            leader_epoch: 12,
            ..header
        };
        assert_eq!(BatchHeader::read(&placed), Ok(expected));
        assert_eq!(BatchHeader::verify(&placed), Ok(()));
        assert_eq!(placed[LEADER_EPOCH.end..], batch[LEADER_EPOCH.end..]);
    }

    #[test]
    fn other_formats_are_recognized_by_their_magic() {
        let sound = plain(0, 0).with_records(b"").unwrap();
        let mut batch = sound.to_vec();
        for magic in [0_i8, 1, 3, -1] {
            batch[MAGIC_AT] = magic.to_be_bytes()[0];
            assert_eq!(BatchHeader::read(&batch), Err(HeaderError::Magic(magic)));
        }
        assert_eq!(
            BatchHeader::read(&batch[..30]),
            Err(HeaderError::Magic(-1)),
            "old formats have shorter headers"
        );
        for length in [0, 16, 60] {
            let read = BatchHeader::read(&sound[..length]);
            assert_eq!(read, Err(HeaderError::TooShort(length)));
        }
    }

    #[test]
    fn the_length_must_match_exactly_one_batch() {
        let batch = plain(0, 0).with_records(b"r").unwrap();
        assert_eq!(BatchHeader::check_length(&batch), Ok(()));
        let twice = [&batch[..], &batch].concat();
        assert_eq!(BatchHeader::check_length(&twice), Err(HeaderError::Several));
        let found = 49;
        let declared = 50;
        assert_eq!(
            BatchHeader::check_length(&batch[..61]),
            Err(HeaderError::Length { declared, found })
        );
        let mut negative = batch.to_vec();
        negative[LENGTH].copy_from_slice(&(-1_i32).to_be_bytes());
        assert!(BatchHeader::check_length(&negative).is_err());
        assert!(BatchHeader::check_length(&[]).is_err());
    }

    #[test]
    fn an_invalid_offset_is_none() {
        assert_eq!(plain(0, 0).next_offset(), Some(1));
        assert_eq!(plain(5, 2).next_offset(), Some(8));
        assert_eq!(plain(i64::MAX - 1, 0).next_offset(), Some(i64::MAX));
        for (base_offset, last_offset_delta) in
            [(i64::MAX, 0), (i64::MAX - 1, i32::MAX), (-1, 1), (0, -1)]
        {
            assert_eq!(plain(base_offset, last_offset_delta).next_offset(), None);
        }
    }

    #[test]
    fn attributes_are_decoded() {
        let with = |attributes| BatchHeader {
            attributes,
            ..plain(0, 0)
        };
        assert_eq!(with(4).codec(), Ok(Compression::Zstd));
        assert_eq!(with(5).codec(), Err(HeaderError::Codec(5)));
        assert_eq!(with(0).timestamp_type(), TimestampType::Creation);
        assert_eq!(with(8).timestamp_type(), TimestampType::LogAppend);
        assert!(with(16).is_transactional() && !with(16).is_control());
        assert!(with(32).is_control() && !with(32).is_transactional());
    }

    proptest! {
        #[test]
        fn random_bytes_cause_no_panic(noise in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(header) = BatchHeader::read(&noise) {
                header.next_offset();
            }
            let _ = BatchHeader::verify(&noise);
            let _ = BatchHeader::check_length(&noise);
        }
    }
}
