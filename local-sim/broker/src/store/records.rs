//! The records of a stored batch, read as far as their headers, and with nothing reserved by what lengths say.
//!
//! The layout is in <https://kafka.apache.org/documentation/#record>: each record is a length, then attributes, the
//! deltas of its timestamp and its offset, the key, the value, and the headers. Numbers are variable and zigzag.

use bytes::{Buf, Bytes};

use super::batch::{self, HEADER_BYTES};
use local_sim_records::decompress;

/// Calls `each` with the offset of every record that has a header of this name, and with the header's value.
///
/// It ends early where the records are not as they should be: a broker does not look into what producers send.
pub(crate) fn each_header(batch: &Bytes, name: &str, each: impl FnMut(i64, &[u8])) {
    let Some(base_offset) = batch.first_chunk().map(|bytes| i64::from_be_bytes(*bytes)) else {
        return;
    };
    let records = batch::codec(batch)
        .filter(|_| batch.len() >= HEADER_BYTES)
        .and_then(|codec| decompress(codec, batch.slice(HEADER_BYTES..)).ok());
    if let Some(records) = records {
        // What was read before the end came early counts all the same.
        let _ = walk(&records, base_offset, name, each);
    }
}

/// Reads record after record; `None` where one cannot be.
fn walk(
    records: &[u8],
    base_offset: i64,
    name: &str,
    mut each: impl FnMut(i64, &[u8]),
) -> Option<()> {
    let mut records = Reader(records);
    while !records.0.is_empty() {
        let mut record = Reader(records.blob()??);
        let _attributes = record.take(1)?;
        let _timestamp = record.varint()?;
        let offset = base_offset.checked_add(record.varint()?)?;
        let _key = record.blob()?;
        let _value = record.blob()?;
        for _ in 0..record.varint()? {
            let found = record.blob()??;
            let value = record.blob()?;
            if found == name.as_bytes()
                && let Some(value) = value
            {
                each(offset, value);
            }
        }
    }
    Some(())
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(bytes)?;
        self.0 = left;
        Some(taken)
    }

    /// Bytes after their length; `Some(None)` is the protocol's null.
    fn blob(&mut self) -> Option<Option<&'a [u8]>> {
        match self.varint()? {
            NULL => Some(None),
            length => self.take(length.try_into().ok()?).map(Some),
        }
    }

    fn varint(&mut self) -> Option<i64> {
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.0.try_get_u8().ok()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let magnitude = (value >> 1).cast_signed();
                return Some(if value & 1 == 0 {
                    magnitude
                } else {
                    !magnitude
                });
            }
        }
        None
    }
}

const NULL: i64 = -1;

/// Batches of real records for tests.
#[cfg(test)]
pub(crate) mod sample {
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::{
        protocol::StrBytes,
        records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType},
    };

    /// A record for each of these ids, from an offset on.
    pub(crate) fn identified(base_offset: i64, ce_ids: &[&str]) -> Bytes {
        compressed(base_offset, ce_ids, Compression::None)
    }

    /// The same as a producer compresses it.
    pub(crate) fn compressed(base_offset: i64, ce_ids: &[&str], compression: Compression) -> Bytes {
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
            // The encoder makes a batch of what is in sequence.
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
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::Compression;
    use proptest::prelude::*;

    use super::*;

    fn check(batch: impl Into<Bytes>, name: &str) -> Vec<(i64, String)> {
        let mut found = Vec::new();
        each_header(&batch.into(), name, |offset, value| {
            found.push((offset, String::from_utf8_lossy(value).into_owned()));
        });
        found
    }

    fn identified() -> Vec<(i64, String)> {
        vec![(7, "a".to_owned()), (8, String::new()), (9, "c".to_owned())]
    }

    #[test]
    fn headers_are_read_with_their_records_offset() {
        let batch = sample::identified(7, &["a", "", "c"]);
        assert_eq!(check(batch.clone(), "ce_id"), identified());
        assert_eq!(check(batch.clone(), "none"), []);
        assert_eq!(check(batch, "ce_i"), []);
    }

    #[test]
    fn every_compression_is_read() {
        let all = [
            Compression::Gzip,
            Compression::Lz4,
            Compression::Snappy,
            Compression::Zstd,
        ];
        for compression in all {
            let batch = sample::compressed(7, &["a", "", "c"], compression);
            assert_eq!(check(batch, "ce_id"), identified(), "{compression:?}");
        }
    }

    #[test]
    fn what_follows_something_unreadable_is_left_out() {
        let batch = sample::identified(7, &["a", "", "c"]);
        assert_eq!(
            check(batch.slice(..batch.len() - 1), "ce_id"),
            identified()[..2]
        );
        assert_eq!(check(batch.slice(..HEADER_BYTES), "ce_id"), []);
        assert_eq!(check(batch.slice(..HEADER_BYTES - 1), "ce_id"), []);
        assert_eq!(check(Bytes::new(), "ce_id"), []);
    }

    #[test]
    fn numbers_are_zigzag() {
        let read = |bytes: &[u8]| Reader(bytes).varint();
        assert_eq!(read(&[0]), Some(0));
        assert_eq!(read(&[1]), Some(-1));
        assert_eq!(read(&[0xac, 0x02]), Some(150));
        let smallest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(read(&smallest), Some(i64::MIN));
        assert_eq!(read(&[0x80]), None);
        assert_eq!(read(&[0x80; 11]), None);
    }

    proptest! {
        #[test]
        fn nothing_that_a_producer_sends_ends_the_simulator(
            codec in 0..8_u8,
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let mut bytes = sample::identified(7, &["a", "b"]).to_vec();
            for (at, byte) in damages {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes[22] = codec;
            check(bytes, "ce_id");
        }
    }
}
