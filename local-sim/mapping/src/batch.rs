//! Decodes the batches of a fetch into records.

use std::{error::Error, ops::Range};

use bytes::Bytes;
use local_sim_records::{BatchHeader, Frame, Payload, Record};

/// The result of a fetch.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// The records, in offset order.
    pub(super) records: Vec<Record>,
    /// The next offset to fetch. It is past control records and compacted offsets.
    pub(super) next: i64,
    /// The unreadable batches, in offset order.
    pub(super) skipped: Vec<Skipped>,
}

/// Consecutive batches, or messages of older formats, that cannot be read for the same reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skipped {
    pub(super) batches: usize,
    pub(super) offsets: Range<i64>,
    pub(super) reason: String,
}

/// Decodes the batches of a fetch, from the offset `from` on.
///
/// The last batch may be truncated; the next fetch returns it again. Skips unreadable batches.
/// Offsets beyond the partition's `high_watermark` are treated as wrong.
pub(super) fn decode(mut log: Bytes, from: i64, high_watermark: i64) -> Fetched {
    let mut fetched = Fetched {
        next: from,
        ..Fetched::default()
    };
    while let Some(frame) = Frame::split_off(&mut log) {
        match records(&frame.bytes, high_watermark) {
            Ok((records, end)) => fetched.add(records, end),
            Err(error) => {
                let end = fetched.end_of_unreadable(&frame, high_watermark);
                fetched.skip(end, error.to_string());
            }
        }
    }
    fetched
}

impl Fetched {
    fn add(&mut self, records: Vec<Record>, end: i64) {
        let next = self.next;
        let new = records.into_iter().filter(|record| record.offset >= next);
        self.records.extend(new);
        self.next = next.max(end);
    }

    /// The offset after an unreadable frame: the frame's own if plausible, or else the next one.
    fn end_of_unreadable(&self, frame: &Frame, high_watermark: i64) -> i64 {
        let after_next = self
            .next
            .saturating_add(1)
            .min(high_watermark.max(self.next));
        // Messages before the requested offset do not advance it.
        let least = if frame.is_message() {
            self.next
        } else {
            after_next
        };
        let end = frame.next_offset().filter(|end| *end <= high_watermark);
        end.map_or(after_next, |end| end.max(least))
    }

    fn skip(&mut self, end: i64, reason: String) {
        let offsets = self.next..end;
        self.next = end;
        match self.skipped.last_mut() {
            _ if offsets.is_empty() => {}
            Some(last) if last.offsets.end == offsets.start && last.reason == reason => {
                last.offsets.end = end;
                last.batches += 1;
            }
            _ => self.skipped.push(Skipped {
                batches: 1,
                offsets,
                reason,
            }),
        }
    }
}

/// The records of one batch, and the offset after it. A control batch has no records.
fn records(batch: &Bytes, high_watermark: i64) -> Result<(Vec<Record>, i64), Box<dyn Error>> {
    let header = BatchHeader::read(batch)?;
    BatchHeader::verify(batch)?;
    let end = header
        .next_offset()
        .ok_or("the offsets in the batch header are invalid")?;
    // No checksum covers the base offset.
    if end > high_watermark {
        let problem = "beyond the high watermark";
        return Err(format!("the batch ends at offset {end}, {problem} {high_watermark}").into());
    }
    if header.is_control() {
        return Ok((Vec::new(), end));
    }
    let counted = header.count;
    let count = usize::try_from(counted).ok();
    let count = count.filter(|count| *count <= RECORDS_MAX).ok_or_else(|| {
        format!("the batch header counts {counted} records (the limit is {RECORDS_MAX})")
    })?;
    let payload = Payload::read(batch)?;
    let records = payload.records().take(count);
    let records = records.map(|view| payload.own(&view?));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    if records.len() < count {
        let found = records.len();
        return Err(
            format!("the batch header counts {count} records, but the batch has {found}").into(),
        );
    }
    Ok((records, end))
}

/// The maximum number of records in a batch: more than a well-compressed batch of 1 MB holds.
const RECORDS_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use bytes::{BufMut as _, BytesMut};
    use kafka_protocol::records::{
        self, Compression, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    };
    use local_sim_records::BATCH_HEADER_BYTES;
    use proptest::prelude::*;

    use super::{
        super::sample::{bare, header},
        *,
    };

    const HIGH_WATERMARK: i64 = 1_000;

    /// A batch with the values `0`, `1` …, starting at offset `base`.
    fn batch(base: i64, count: i64, compression: Compression) -> BytesMut {
        let records: Vec<records::Record> = (0..count)
            .map(|index| records::Record {
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

    /// A message of an older format, with a value of `bytes` bytes.
    fn message(magic: i8, offset: i64, bytes: usize) -> Vec<u8> {
        let timestamp = if magic == 0 { 0 } else { 8 };
        let length = i32::try_from(14 + timestamp + bytes).unwrap();
        let mut message = BytesMut::new();
        message.put_i64(offset);
        message.put_i32(length);
        // The checksum, the magic and the attributes.
        message.put_u32(0);
        message.put_i8(magic);
        message.put_i8(0);
        message.put_bytes(0, timestamp);
        // The null key and the value.
        message.put_i32(-1);
        message.put_i32(bytes.try_into().unwrap());
        message.put_bytes(b'v', bytes);
        message.into()
    }

    /// Changes a batch's header and updates the checksum.
    fn with_header(batch: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Bytes {
        let mut header = BatchHeader::read(batch).unwrap();
        change(&mut header);
        header.with_records(&batch[BATCH_HEADER_BYTES..]).unwrap()
    }

    /// The decoded offsets, the next offset, and the number of unreadable batches.
    fn check(bytes: impl Into<Bytes>, from: i64) -> (Vec<i64>, i64, usize) {
        let fetched = decode(bytes.into(), from, HIGH_WATERMARK);
        let offsets = fetched.records.iter().map(|record| record.offset);
        let unreadable = fetched.skipped.iter().map(|it| it.batches).sum();
        (offsets.collect(), fetched.next, unreadable)
    }

    fn plain(base: i64, count: i64) -> BytesMut {
        batch(base, count, Compression::None)
    }

    #[test]
    fn records_before_the_requested_offset_are_dropped() {
        assert_eq!(check(Bytes::new(), 7), (vec![], 7, 0));
        assert_eq!(check(plain(5, 3), 5), (vec![5, 6, 7], 8, 0));
        assert_eq!(check(plain(5, 3), 7), (vec![7], 8, 0));
        let two = [plain(5, 2), plain(9, 1)].concat();
        assert_eq!(check(two, 5), (vec![5, 6, 9], 10, 0));
    }

    #[test]
    fn every_codec_is_decompressed() {
        let all = [
            Compression::Gzip,
            Compression::Lz4,
            Compression::Snappy,
            Compression::Zstd,
        ];
        for compression in all {
            let compressed = batch(0, 50, compression);
            assert_eq!(
                check(compressed, 48),
                (vec![48, 49], 50, 0),
                "{compression:?}"
            );
        }
    }

    #[test]
    fn a_truncated_batch_is_left_for_the_next_fetch() {
        let whole = [plain(0, 2), plain(2, 2)].concat();
        for length in plain(0, 2).len()..whole.len() {
            assert_eq!(check(whole[..length].to_vec(), 0), (vec![0, 1], 2, 0));
        }
    }

    #[test]
    fn a_control_batch_has_no_records() {
        let marker = with_header(&plain(5, 1), |header| header.attributes = 0b11_0000);
        assert_eq!(check(marker, 5), (vec![], 6, 0));
    }

    #[test]
    fn an_unreadable_batch_is_skipped_and_counted() {
        let mut broken = plain(5, 3);
        let last = broken.len() - 1;
        broken[last] ^= 1;
        let bytes = [broken, plain(8, 1)].concat();
        assert_eq!(check(bytes, 5), (vec![8], 9, 1));
    }

    #[test]
    fn messages_of_older_formats_are_skipped() {
        for (magic, bytes) in [(0, 1), (0, 100), (1, 1), (1, 100)] {
            let old = |offset| message(magic, offset, bytes);
            assert_eq!(check(old(5), 5), (vec![], 6, 1));
            let log = [old(5), old(6), plain(7, 2).into(), old(9)].concat();
            let fetched = decode(log.into(), 5, HIGH_WATERMARK);
            let offsets = fetched.records.iter().map(|record| record.offset);
            assert_eq!(offsets.collect::<Vec<_>>(), [7, 8]);
            assert_eq!(fetched.next, 10);
            let reason = format!(
                "unsupported magic {magic} (only 2, the format since Kafka 0.11, is supported)"
            );
            let skipped = |batches, offsets| Skipped {
                batches,
                offsets,
                reason: reason.clone(),
            };
            assert_eq!(fetched.skipped, [skipped(2, 5..7), skipped(1, 9..10)]);
        }
    }

    #[test]
    fn batches_before_the_requested_offset_are_ignored() {
        let old = [message(1, 5, 1), message(1, 6, 1), message(1, 7, 1)].concat();
        assert_eq!(check(old, 7), (vec![], 8, 1));
        assert_eq!(check(plain(0, 3), 7), (vec![], 7, 0));
        let again = [plain(5, 3), plain(5, 3), plain(8, 1)].concat();
        assert_eq!(check(again, 5), (vec![5, 6, 7, 8], 9, 0));
    }

    #[test]
    fn an_implausible_offset_is_not_used_as_the_next_one() {
        let damaged = |base_offset, last_offset_delta| {
            let batch = with_header(&plain(0, 1), |header| {
                header.base_offset = base_offset;
                header.last_offset_delta = last_offset_delta;
            });
            // Invalidate the checksum.
            let mut batch = batch.to_vec();
            *batch.last_mut().unwrap() ^= 1;
            batch
        };
        assert_eq!(check(damaged(5, 2), 5), (vec![], 8, 1));
        for (base_offset, last_offset_delta) in [
            (5, i32::MAX),
            (5, -1),
            (i64::MAX, 0),
            (i64::MAX, i32::MAX),
            (i64::MIN, 0),
            (0, 0),
        ] {
            let found = check(damaged(base_offset, last_offset_delta), 5);
            assert_eq!(found, (vec![], 6, 1), "{base_offset} {last_offset_delta}");
        }
        for base_offset in [HIGH_WATERMARK, 500_000, i64::MAX] {
            // No checksum covers the base offset.
            let sound = with_header(&plain(0, 1), |header| header.base_offset = base_offset);
            assert_eq!(check(sound, 5), (vec![], 6, 1), "{base_offset}");
            let control = with_header(&plain(0, 1), |header| {
                header.base_offset = base_offset;
                header.attributes = 0b11_0000;
            });
            assert_eq!(check(control, 5), (vec![], 6, 1), "{base_offset}");
        }
        let zeros = vec![0; 1 << 20];
        assert_eq!(
            decode(zeros.into(), 998, HIGH_WATERMARK).next,
            HIGH_WATERMARK
        );
        assert_eq!(check(message(1, i64::MAX, 1), 5), (vec![], 6, 1));
        assert_eq!(check(message(1, -7, 1), 5), (vec![], 6, 1));
        assert_eq!(check(damaged(5, 2), i64::MAX), (vec![], i64::MAX, 0));
    }

    #[test]
    fn a_log_append_time_applies_to_the_whole_batch() {
        let stamped = with_header(&plain(0, 3), |header| header.attributes = 0b1000);
        let fetched = decode(stamped, 0, HIGH_WATERMARK);
        assert!(
            fetched
                .records
                .iter()
                .all(|record| record.timestamp == 1_002)
        );
    }

    /// A record with a key, a value, and duplicate, empty and null headers.
    fn sample() -> Record {
        Record {
            key: Some("k".into()),
            value: Some(vec![0, 255].into()),
            headers: vec![
                header("a", Some("1")),
                header("b", None),
                header("a", Some("2")),
                header("a", Some("")),
            ],
            ..bare(0, 1_545_084_650_987)
        }
    }

    #[test]
    fn headers_keep_their_order_and_duplicates() {
        let fetched = decode(sample().to_batch().unwrap(), 0, HIGH_WATERMARK);
        assert_eq!(fetched.skipped, []);
        assert_eq!(fetched.records, [sample()]);
    }

    #[test]
    fn a_batch_with_fewer_records_than_its_header_counts_is_unreadable() {
        let short = with_header(&plain(5, 2), |header| header.count = 3);
        assert_eq!(check(short, 5), (vec![], 7, 1));
    }

    proptest! {
        #[test]
        fn no_response_of_a_broker_causes_a_panic(
            from in any::<i64>(),
            high_watermark in any::<i64>(),
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            noise in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut bytes = [plain(0, 2), plain(2, 2)].concat();
            bytes.extend(noise);
            for (at, byte) in damages {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            prop_assert!(decode(bytes.into(), from, high_watermark).next >= from);
        }
    }
}
