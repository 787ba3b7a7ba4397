//! Record batches for tests, field by field.

use bytes::{BufMut, Bytes, BytesMut};

use super::batch::Batch;

/// The fields of a batch that matter to a test; the records are a filling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) magic: i8,
    pub(crate) attributes: i16,
    pub(crate) count: i32,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
    pub(crate) filling: usize,
}

/// A sound batch of so many records.
pub(crate) fn records(count: i32) -> Sample {
    Sample {
        magic: 2,
        attributes: 0,
        count,
        last_offset_delta: count - 1,
        base_timestamp: 0,
        max_timestamp: 0,
        producer_id: -1,
        epoch: -1,
        sequence: -1,
        filling: 10,
    }
}

impl Sample {
    /// As an idempotent producer sends it.
    pub(crate) fn by(self, producer_id: i64, epoch: i16, sequence: i32) -> Self {
        Self {
            producer_id,
            epoch,
            sequence,
            ..self
        }
    }

    /// With records from one time to another.
    pub(crate) fn at(self, base_timestamp: i64, max_timestamp: i64) -> Self {
        Self {
            base_timestamp,
            max_timestamp,
            ..self
        }
    }

    /// The batch on the wire, its CRC correct.
    pub(crate) fn bytes(self) -> Bytes {
        let mut covered = BytesMut::new();
        covered.put_i16(self.attributes);
        covered.put_i32(self.last_offset_delta);
        covered.put_i64(self.base_timestamp);
        covered.put_i64(self.max_timestamp);
        covered.put_i64(self.producer_id);
        covered.put_i16(self.epoch);
        covered.put_i32(self.sequence);
        covered.put_i32(self.count);
        covered.put_bytes(b'.', self.filling);
        let mut batch = BytesMut::new();
        batch.put_i64(0);
        batch.put_i32((covered.len() + 9).try_into().unwrap());
        batch.put_i32(-1);
        batch.put_i8(self.magic);
        batch.put_u32(crc32c::crc32c(&covered));
        batch.put(covered);
        batch.freeze()
    }

    /// The batch, checked.
    pub(crate) fn batch(self) -> Batch {
        Batch::parse(self.bytes()).unwrap()
    }
}
