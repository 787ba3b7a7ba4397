//! The decompressed records of one batch.

use std::io;

use bytes::Bytes;
use kafka_protocol::records::TimestampType;
use thiserror::Error;

use crate::{
    batch_header::{BATCH_HEADER_BYTES, BatchHeader, HeaderError},
    decompress::decompress,
    field::Fields,
    record::Record,
    record_view::{Malformed, RecordView},
};

/// The decompressed records of a batch, decoded one by one.
#[derive(Debug, Clone)]
pub struct Payload {
    header: BatchHeader,
    records: Bytes,
}

/// Why the records of a batch cannot be read.
#[derive(Debug, Error)]
pub enum PayloadError {
    /// The compressed records are corrupt, or too large when decompressed.
    #[error(transparent)]
    Decompress(#[from] io::Error),
    /// The header is invalid.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

impl Payload {
    /// Decompresses a batch. Does not verify its checksum.
    ///
    /// # Errors
    /// If the header is invalid or the records cannot be decompressed.
    pub fn read(batch: &Bytes) -> Result<Self, PayloadError> {
        let header = BatchHeader::read(batch)?;
        let records = decompress(header.codec()?, batch.slice(BATCH_HEADER_BYTES..))?;
        Ok(Self { header, records })
    }

    /// The records in order. Ends after the first malformed one.
    ///
    /// A record is malformed, too, if its offset is outside the batch or does not increase.
    pub fn records(&self) -> impl Iterator<Item = Result<RecordView<'_>, Malformed>> {
        let mut fields = Fields(&self.records);
        let mut offsets = self.header.base_offset..self.header.next_offset().unwrap_or(i64::MIN);
        std::iter::from_fn(move || {
            if fields.0.is_empty() {
                return None;
            }
            let record = RecordView::split_off(&mut fields, &self.header);
            let record = record.filter(|record| offsets.contains(&record.offset));
            match &record {
                Some(record) => offsets.start = record.offset + 1,
                None => fields = Fields(&[]),
            }
            Some(record.ok_or(Malformed))
        })
    }

    /// Converts a view to an owned record, which shares the payload's memory.
    ///
    /// # Errors
    /// If a header is malformed.
    pub fn own(&self, view: &RecordView<'_>) -> Result<Record, Malformed> {
        let share = |part: &[u8]| self.records.slice_ref(part);
        let headers = view.headers.clone();
        let headers = headers.map(|it| it.map(|(name, value)| (share(name), value.map(share))));
        let timestamp_type = self.header.timestamp_type();
        Ok(Record {
            offset: view.offset,
            // A broker sets one timestamp for the whole batch and leaves those of the records.
            timestamp: match timestamp_type {
                TimestampType::Creation => view.timestamp,
                TimestampType::LogAppend => self.header.max_timestamp,
            },
            timestamp_type,
            key: view.key.map(share),
            value: view.value.map(share),
            headers: headers.collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::records::{
        Compression, Record as Theirs, RecordBatchEncoder, RecordEncodeOptions,
    };
    use proptest::prelude::*;

    use super::*;

    /// A batch with the values `0`, `1` …, starting at offset `base`.
    fn batch(base: i64, count: i64, compression: Compression) -> BytesMut {
        let records: Vec<Theirs> = (0..count)
            .map(|index| Theirs {
                transactional: false,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: 0,
                producer_id: -1,
                producer_epoch: -1,
                timestamp_type: TimestampType::Creation,
                offset: base + index,
                // The encoder puts records with consecutive sequence numbers into one batch.
                sequence: i32::try_from(index).unwrap(),
                timestamp: 1_000 + index,
                key: None,
                value: Some(index.to_string().into()),
                headers: Default::default(),
            })
            .collect();
        let options = RecordEncodeOptions {
            version: 2,
            compression,
        };
        let mut bytes = BytesMut::new();
        RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
        bytes
    }

    /// The offset and the value of each record; `None` for a malformed one.
    fn check(batch: impl Into<Bytes>) -> Vec<Option<(i64, String)>> {
        let Ok(payload) = Payload::read(&batch.into()) else {
            return vec![None];
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let records = payload.records();
        records
            .map(|it| {
                it.ok()
                    .map(|it| (it.offset, text(it.value.unwrap_or(b"null"))))
            })
            .collect()
    }

    fn sound(base: i64, count: i64) -> Vec<Option<(i64, String)>> {
        (0..count)
            .map(|index| Some((base + index, index.to_string())))
            .collect()
    }

    /// Replaces bytes of a header.
    fn with_bytes<const N: usize>(mut batch: BytesMut, at: usize, bytes: [u8; N]) -> BytesMut {
        batch[at..at + N].copy_from_slice(&bytes);
        batch
    }

    #[test]
    fn every_codec_is_decompressed() {
        for compression in [
            Compression::None,
            Compression::Gzip,
            Compression::Lz4,
            Compression::Snappy,
            Compression::Zstd,
        ] {
            let compressed = batch(7, 50, compression);
            assert_eq!(check(compressed), sound(7, 50), "{compression:?}");
        }
    }

    #[test]
    fn records_before_a_malformed_one_are_read() {
        let whole = batch(7, 3, Compression::None);
        let cut = whole.clone().freeze().slice(..whole.len() - 1);
        let mut expected = sound(7, 2);
        expected.push(None);
        assert_eq!(check(cut), expected);
        let header = whole.clone().freeze().slice(..BATCH_HEADER_BYTES);
        assert_eq!(check(header), []);
        let less = whole.freeze().slice(..BATCH_HEADER_BYTES - 1);
        assert_eq!(check(less), [None]);
    }

    #[test]
    fn an_offset_outside_the_batch_is_malformed() {
        let batch = || batch(7, 3, Compression::None);
        // The last offset delta.
        let short = with_bytes(batch(), 23, 1_i32.to_be_bytes());
        let mut expected = sound(7, 2);
        expected.push(None);
        assert_eq!(check(short), expected);
        // The base offset.
        for base in [i64::MAX - 1, i64::MAX, -1, i64::MIN] {
            assert_eq!(check(with_bytes(batch(), 0, base.to_be_bytes())), [None]);
        }
        let last = i64::MAX - 3;
        let placed = with_bytes(batch(), 0, last.to_be_bytes());
        assert_eq!(check(placed), sound(last, 3));
    }

    #[test]
    fn a_repeated_offset_is_malformed() {
        let twice = [0, 1, 1]
            .map(|delta| [12, 0, 0, delta << 1, 1, 1, 0])
            .concat();
        let header = BatchHeader::plain(3, 0, 0);
        let read = check(header.with_records(&twice).unwrap());
        let null = |offset| Some((offset, "null".to_owned()));
        assert_eq!(read, [null(0), null(1), None]);
    }

    #[test]
    fn an_overflowing_timestamp_saturates() {
        let late = with_bytes(batch(0, 2, Compression::None), 27, i64::MAX.to_be_bytes());
        let payload = Payload::read(&late.freeze()).unwrap();
        let times: Vec<_> = payload.records().map(|it| it.unwrap().timestamp).collect();
        assert_eq!(times, [i64::MAX; 2]);
    }

    #[test]
    fn a_log_append_time_applies_to_the_whole_batch() {
        let stamped = with_bytes(batch(0, 3, Compression::None), 21, 0b1000_i16.to_be_bytes());
        let payload = Payload::read(&stamped.freeze()).unwrap();
        for view in payload.records() {
            let record = payload.own(&view.unwrap()).unwrap();
            assert_eq!(record.timestamp_type, TimestampType::LogAppend);
            assert_eq!(record.timestamp, 1_002);
        }
    }

    #[test]
    fn a_record_keeps_all_its_headers() {
        let header = |name: &'static str, value: Option<&'static str>| {
            (Bytes::from(name), value.map(Bytes::from))
        };
        let record = Record {
            offset: 0,
            timestamp: 1_545_084_650_987,
            timestamp_type: TimestampType::Creation,
            key: Some("k".into()),
            value: Some(vec![0, 255].into()),
            headers: vec![
                header("a", Some("1")),
                header("b", None),
                header("a", Some("2")),
                header("a", Some("")),
            ],
        };
        let batch = record.to_batch().unwrap();
        assert_eq!(BatchHeader::verify(&batch), Ok(()));
        let payload = Payload::read(&batch).unwrap();
        let views: Vec<_> = payload.records().map(Result::unwrap).collect();
        assert_eq!(views.len(), 1);
        assert_eq!(payload.own(&views[0]), Ok(record));
    }

    #[test]
    fn headers_end_after_a_malformed_one() {
        // The record declares two headers but has one.
        let record = [18, 0, 0, 0, 1, 1, 4, 2, b'a', 1];
        let batch = BatchHeader::plain(1, 0, 0).with_records(&record).unwrap();
        let payload = Payload::read(&batch).unwrap();
        let view = payload.records().next().unwrap().unwrap();
        let headers: Vec<_> = view.headers.clone().collect();
        assert_eq!(headers, [Ok((&b"a"[..], None)), Err(Malformed)]);
        assert_eq!(payload.own(&view), Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_batch_causes_a_panic(
            codec in 0..8_u8,
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let mut bytes = batch(7, 2, Compression::None);
            for (at, byte) in damages {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes[22] = codec;
            let bytes = bytes.freeze();
            check(bytes.clone());
            if let Ok(payload) = Payload::read(&bytes) {
                for view in payload.records().flatten() {
                    let _ = payload.own(&view);
                }
            }
        }
    }
}
