//! Record batches as a fetch brings them.

use bytes::{Buf as _, Bytes};
use local_sim_records::{BATCH_HEADER_BYTES, BatchHeader, Payload, Record};

/// What a fetch brought.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// The records, in order.
    pub(super) records: Vec<Record>,
    /// The offset to go on from, which is beyond what is no record: a transaction's end, what was compacted away.
    pub(super) next: i64,
    /// How many batches could not be read, and why the last one could not.
    pub(super) unreadable: Option<(usize, String)>,
}

/// Reads the whole batches of a fetch, from an offset on. The last one may be cut short: it will come again.
pub(super) fn decode(mut bytes: Bytes, from: i64) -> Fetched {
    let mut fetched = Fetched {
        next: from,
        ..Fetched::default()
    };
    while let Some(length) = whole(&bytes) {
        let batch = bytes.split_to(length);
        let end = int64(&batch, 0) + i64::from(int32(&batch, LAST_OFFSET_DELTA_AT)) + 1;
        // Also where the batch says nonsense: whatever is fetched, the next fetch is further on.
        let end = end.max(fetched.next.saturating_add(1));
        match records(&batch) {
            Ok(records) => {
                let new = records.into_iter().filter(|record| record.offset >= from);
                fetched.records.extend(new);
            }
            Err(error) => {
                let count = fetched.unreadable.map_or(0, |(count, _)| count);
                fetched.unreadable = Some((count + 1, error));
            }
        }
        fetched.next = end;
    }
    fetched
}

/// The length of the batch that begins here, where all of it is there.
fn whole(bytes: &Bytes) -> Option<usize> {
    if bytes.len() < BATCH_HEADER_BYTES {
        return None;
    }
    let length = usize::try_from(int32(bytes, LENGTH_AT)).ok()?;
    let length = (LENGTH_AT + size_of::<i32>() + length).max(BATCH_HEADER_BYTES);
    (length <= bytes.len()).then_some(length)
}

/// The records of one batch, none where it is there for brokers and clients only.
fn records(batch: &Bytes) -> Result<Vec<Record>, String> {
    let header = BatchHeader::read(batch).map_err(|error| error.to_string())?;
    BatchHeader::verify(batch).map_err(|error| error.to_string())?;
    if header.is_control() {
        return Ok(Vec::new());
    }
    let count = usize::try_from(header.count).ok();
    let count = count.filter(|count| *count <= RECORDS_MAX).ok_or_else(|| {
        let count = header.count;
        format!("{count} records in a batch, expected at most {RECORDS_MAX}")
    })?;
    let payload = Payload::read(batch).map_err(|error| error.to_string())?;
    let records = payload.records().take(count);
    let records = records.map(|view| payload.own(&view?));
    let records = records.collect::<Result<Vec<_>, _>>();
    let records = records.map_err(|error| error.to_string())?;
    if records.len() < count {
        let found = records.len();
        return Err(format!("{found} records in a batch that counts {count}"));
    }
    Ok(records)
}

fn int32(batch: &[u8], at: usize) -> i32 {
    (&batch[at..]).get_i32()
}

fn int64(batch: &[u8], at: usize) -> i64 {
    (&batch[at..]).get_i64()
}

const LENGTH_AT: usize = 8;
const LAST_OFFSET_DELTA_AT: usize = 23;
/// A batch has this many records: more than 1 MB of the smallest ones, compressed well.
const RECORDS_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::records::{
        self, Compression, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    };
    use proptest::prelude::*;

    use super::{
        super::sample::{bare, header},
        *,
    };

    /// A batch of the values `0`, `1` … from an offset on.
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
                // The encoder makes a batch of what is in sequence.
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

    /// Changes a batch's header and makes the checksum fit.
    fn changed(batch: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Bytes {
        let mut header = BatchHeader::read(batch).unwrap();
        change(&mut header);
        header.with_records(&batch[BATCH_HEADER_BYTES..]).unwrap()
    }

    /// The offsets that are found, where to go on, and the number of unreadable batches.
    fn check(bytes: impl Into<Bytes>, from: i64) -> (Vec<i64>, i64, usize) {
        let fetched = decode(bytes.into(), from);
        let offsets = fetched.records.iter().map(|record| record.offset);
        let unreadable = fetched.unreadable.map_or(0, |(count, _)| count);
        (offsets.collect(), fetched.next, unreadable)
    }

    fn plain(base: i64, count: i64) -> BytesMut {
        batch(base, count, Compression::None)
    }

    #[test]
    fn records_come_from_the_offset_that_was_asked_for() {
        assert_eq!(check(Bytes::new(), 7), (vec![], 7, 0));
        assert_eq!(check(plain(5, 3), 5), (vec![5, 6, 7], 8, 0));
        assert_eq!(check(plain(5, 3), 7), (vec![7], 8, 0));
        let two = [plain(5, 2), plain(9, 1)].concat();
        assert_eq!(check(two, 5), (vec![5, 6, 9], 10, 0));
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
            let compressed = batch(0, 50, compression);
            assert_eq!(
                check(compressed, 48),
                (vec![48, 49], 50, 0),
                "{compression:?}"
            );
        }
    }

    #[test]
    fn a_batch_that_is_cut_short_comes_again() {
        let whole = [plain(0, 2), plain(2, 2)].concat();
        for length in plain(0, 2).len()..whole.len() {
            assert_eq!(check(whole[..length].to_vec(), 0), (vec![0, 1], 2, 0));
        }
    }

    #[test]
    fn the_end_of_a_transaction_is_passed_over() {
        let marker = changed(&plain(5, 1), |header| header.attributes = 0b11_0000);
        assert_eq!(check(marker, 5), (vec![], 6, 0));
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_counted() {
        let mut broken = plain(5, 3);
        let last = broken.len() - 1;
        broken[last] ^= 1;
        let bytes = [broken, plain(8, 1)].concat();
        assert_eq!(check(bytes, 5), (vec![8], 9, 1));
    }

    #[test]
    fn a_time_of_the_brokers_is_that_of_the_batch() {
        let stamped = changed(&plain(0, 3), |header| header.attributes = 0b1000);
        let fetched = decode(stamped, 0);
        assert!(
            fetched
                .records
                .iter()
                .all(|record| record.timestamp == 1_002)
        );
    }

    /// A record with all that one can have, and some of it twice.
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
    fn headers_come_in_their_order_and_as_often_as_they_are_there() {
        let fetched = decode(sample().to_batch().unwrap(), 0);
        assert_eq!(fetched.unreadable, None);
        assert_eq!(fetched.records, [sample()]);
    }

    #[test]
    fn fewer_records_than_a_batch_counts_are_malformed() {
        let short = changed(&plain(5, 2), |header| header.count = 3);
        assert_eq!(check(short, 5), (vec![], 7, 1));
    }

    proptest! {
        #[test]
        fn nothing_that_a_broker_says_ends_the_simulator(
            from in any::<i64>(),
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            noise in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut bytes = [plain(0, 2), plain(2, 2)].concat();
            bytes.extend(noise);
            for (at, byte) in damages {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            prop_assert!(decode(bytes.into(), from).next >= from);
        }
    }
}
