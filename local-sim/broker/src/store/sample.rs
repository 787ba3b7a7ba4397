//! Record batches for tests: with chosen header fields, or with real records.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    protocol::StrBytes,
    records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType},
};
use local_sim_records::BatchHeader;

use super::batch::Batch;

/// The header fields of a batch. The records are `payload_len` filler bytes.
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
    pub(crate) payload_len: usize,
}

/// Creates a valid batch of `count` records.
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
        payload_len: 10,
    }
}

impl Sample {
    /// Sets the fields of an idempotent producer.
    pub(crate) fn with_producer(self, producer_id: i64, epoch: i16, sequence: i32) -> Self {
        Self {
            producer_id,
            epoch,
            sequence,
            ..self
        }
    }

    /// Sets the timestamps.
    pub(crate) fn with_timestamps(self, base_timestamp: i64, max_timestamp: i64) -> Self {
        Self {
            base_timestamp,
            max_timestamp,
            ..self
        }
    }

    /// Encodes the batch with a valid CRC.
    pub(crate) fn bytes(self) -> Bytes {
        let header = BatchHeader {
            attributes: self.attributes,
            last_offset_delta: self.last_offset_delta,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            base_sequence: self.sequence,
            ..BatchHeader::plain(self.count, 0, 0)
        };
        let batch = header.with_records(&vec![b'.'; self.payload_len]).unwrap();
        let mut batch = BytesMut::from(batch);
        batch[MAGIC_AT] = self.magic.to_be_bytes()[0];
        batch.freeze()
    }

    /// Encodes the batch and parses it.
    pub(crate) fn batch(self) -> Batch {
        Batch::parse(self.bytes()).unwrap()
    }
}

/// Encodes a batch with one record per `ce_id` header.
pub(crate) fn with_ce_ids(base_offset: i64, ce_ids: &[&str]) -> Bytes {
    compressed_with_ce_ids(base_offset, ce_ids, Compression::None)
}

/// Encodes a compressed batch with one record per `ce_id` header.
pub(crate) fn compressed_with_ce_ids(
    base_offset: i64,
    ce_ids: &[&str],
    compression: Compression,
) -> Bytes {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let record = |(index, ce_id): (i32, &&str)| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: base_offset + i64::from(index),
        // The encoder puts records with consecutive sequence numbers into one batch.
        sequence: index,
        timestamp: 1_700_000_000_000 - i64::from(index),
        key: None,
        value: Some(vec![b'v'; 300].into()),
        headers: [
            (text("ce_source"), Some("/a/b".into())),
            (text("ce_id"), Some(Bytes::from((*ce_id).to_owned()))),
            (text("none"), None),
        ]
        .into_iter()
        .collect(),
    };
    let records: Vec<_> = (0..).zip(ce_ids).map(record).collect();
    let options = RecordEncodeOptions {
        version: 2,
        compression,
    };
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
    bytes.freeze()
}

/// The position of the magic byte, which the CRC does not cover.
const MAGIC_AT: usize = 16;
