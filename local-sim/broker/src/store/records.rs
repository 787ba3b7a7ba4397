//! Reads the headers of the records in a stored batch.

use bytes::Bytes;
use local_sim_records::Payload;

/// Calls `each` with the record's offset and the value of every header with this name.
///
/// It stops at the first malformed record. The broker does not check records when they are
/// produced.
pub(crate) fn each_header(batch: &Bytes, name: &str, mut each: impl FnMut(i64, &[u8])) {
    let Ok(payload) = Payload::read(batch) else {
        return;
    };
    for record in payload.records().map_while(Result::ok) {
        for header in record.headers {
            let Ok((found, value)) = header else { return };
            if found == name.as_bytes()
                && let Some(value) = value
            {
                each(record.offset, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::Compression;
    use local_sim_records::BATCH_HEADER_BYTES;
    use proptest::prelude::*;

    use super::*;
    use crate::store::sample;

    fn check(batch: impl Into<Bytes>, name: &str) -> Vec<(i64, String)> {
        let mut found = Vec::new();
        each_header(&batch.into(), name, |offset, value| {
            found.push((offset, String::from_utf8_lossy(value).into_owned()));
        });
        found
    }

    fn expected() -> Vec<(i64, String)> {
        vec![(7, "a".to_owned()), (8, String::new()), (9, "c".to_owned())]
    }

    #[test]
    fn a_header_is_read_with_the_offset_of_its_record() {
        let batch = sample::with_ce_ids(7, &["a", "", "c"]);
        assert_eq!(check(batch.clone(), "ce_id"), expected());
        assert_eq!(check(batch.clone(), "none"), []);
        assert_eq!(check(batch, "ce_i"), []);
    }

    #[test]
    fn every_compression_codec_is_read() {
        let all = [
            Compression::Gzip,
            Compression::Lz4,
            Compression::Snappy,
            Compression::Zstd,
        ];
        for compression in all {
            let batch = sample::compressed_with_ce_ids(7, &["a", "", "c"], compression);
            assert_eq!(check(batch, "ce_id"), expected(), "{compression:?}");
        }
    }

    #[test]
    fn reading_stops_at_the_first_malformed_record() {
        let batch = sample::with_ce_ids(7, &["a", "", "c"]);
        assert_eq!(
            check(batch.slice(..batch.len() - 1), "ce_id"),
            expected()[..2]
        );
        assert_eq!(check(batch.slice(..BATCH_HEADER_BYTES), "ce_id"), []);
        assert_eq!(check(batch.slice(..BATCH_HEADER_BYTES - 1), "ce_id"), []);
        assert_eq!(check(Bytes::new(), "ce_id"), []);
    }

    proptest! {
        #[test]
        fn malformed_records_do_not_panic(
            codec in 0..8_u8,
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let mut bytes = sample::with_ce_ids(7, &["a", "b"]).to_vec();
            for (at, byte) in damages {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes[22] = codec;
            check(bytes, "ce_id");
        }
    }
}
