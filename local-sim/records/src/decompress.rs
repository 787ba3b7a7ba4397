//! Decompresses the records of a batch, up to a size limit.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use flate2::read::MultiGzDecoder;
use kafka_protocol::records::Compression;

/// Decompresses the records of a batch.
///
/// # Errors
/// If the data is corrupt or has more than [`RECORDS_BYTES_MAX`] bytes when decompressed.
pub(crate) fn decompress(compression: Compression, bytes: Bytes) -> io::Result<Bytes> {
    match compression {
        Compression::None => Ok(bytes),
        Compression::Gzip => bounded(MultiGzDecoder::new(bytes.reader())),
        Compression::Snappy => snappy(bytes),
        Compression::Lz4 => bounded(lz4::Decoder::new(bytes.reader())?),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::new(bytes.reader())?;
            decoder.window_log_max(RECORDS_BYTES_MAX.ilog2())?;
            bounded(decoder)
        }
    }
}

fn bounded(decoder: impl Read) -> io::Result<Bytes> {
    let mut records = Vec::new();
    let limit = u64::try_from(RECORDS_BYTES_MAX).unwrap_or(u64::MAX);
    decoder.take(limit + 1).read_to_end(&mut records)?;
    check(records.len())?;
    Ok(records.into())
}

/// Decompresses framed blocks as the Java client writes them, or a raw block from librdkafka.
fn snappy(mut bytes: Bytes) -> io::Result<Bytes> {
    if !bytes.starts_with(SNAPPY_MAGIC) {
        let mut records = Vec::new();
        add_block(&mut records, &bytes)?;
        return Ok(records.into());
    }
    let truncated = || io::Error::from(io::ErrorKind::UnexpectedEof);
    if bytes.len() < SNAPPY_HEADER_BYTES {
        return Err(truncated());
    }
    bytes.advance(SNAPPY_HEADER_BYTES);
    let mut records = Vec::new();
    while bytes.has_remaining() {
        let length = bytes.try_get_u32().map_err(|_| truncated())?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > bytes.len() {
            return Err(truncated());
        }
        add_block(&mut records, &bytes.split_to(length))?;
    }
    Ok(records.into())
}

fn add_block(records: &mut Vec<u8>, block: &[u8]) -> io::Result<()> {
    let start = records.len();
    let end = start.saturating_add(snap::raw::decompress_len(block)?);
    check(end)?;
    records.resize(end, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut records[start..])?;
    records.truncate(start + written);
    Ok(())
}

fn check(length: usize) -> io::Result<()> {
    if length <= RECORDS_BYTES_MAX {
        return Ok(());
    }
    let message = format!("decompressed records exceed the limit of {RECORDS_BYTES_MAX} bytes");
    Err(io::Error::other(message))
}

/// The most bytes of decompressed records: as many as a whole uncompressed response may have.
const RECORDS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The magic of the Java client's framing; two version numbers follow.
const SNAPPY_MAGIC: &[u8] = b"\x82SNAPPY\0";
const SNAPPY_HEADER_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    const ALL: [Compression; 4] = [
        Compression::Gzip,
        Compression::Lz4,
        Compression::Snappy,
        Compression::Zstd,
    ];

    fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        match compression {
            Compression::None => bytes.to_vec(),
            Compression::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Snappy => snap::raw::Encoder::new().compress_vec(bytes).unwrap(),
            Compression::Lz4 => {
                let mut encoder = lz4::EncoderBuilder::new().build(Vec::new()).unwrap();
                encoder.write_all(bytes).unwrap();
                encoder.finish().0
            }
            Compression::Zstd => zstd::encode_all(bytes, 0).unwrap(),
        }
    }

    fn framed(blocks: &[Vec<u8>]) -> Bytes {
        let mut bytes = [SNAPPY_MAGIC, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for block in blocks {
            bytes.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
            bytes.extend(block);
        }
        bytes.into()
    }

    #[test]
    fn records_above_the_size_limit_are_an_error() {
        let most = vec![0; RECORDS_BYTES_MAX];
        let more = vec![0; RECORDS_BYTES_MAX + 1];
        for compression in ALL {
            let read = |bytes: &[u8]| decompress(compression, compress(compression, bytes).into());
            assert_eq!(read(&most).unwrap().len(), most.len(), "{compression:?}");
            let error = read(&more).unwrap_err().to_string();
            assert!(
                error.contains("exceed the limit"),
                "{compression:?}: {error}"
            );
        }
        let half = compress(Compression::Snappy, &most[..RECORDS_BYTES_MAX / 2 + 1]);
        assert!(snappy(framed(&[half.clone(), half])).is_err());
    }

    #[test]
    fn framed_snappy_blocks_are_joined() {
        let blocks = [b"one ", b"two!"].map(|it| compress(Compression::Snappy, it));
        assert_eq!(snappy(framed(&blocks)).unwrap(), "one two!");
        assert_eq!(snappy(framed(&[])).unwrap(), "");
        let bytes = framed(&blocks);
        for length in [3, 8, 15, 18, 22, bytes.len() - 1] {
            assert!(snappy(bytes.slice(..length)).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_compressed_data_causes_a_panic(
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            noise in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            for compression in ALL {
                let compressed = compress(compression, b"records and records and records");
                let mut bytes = [&compressed[..], &noise].concat();
                for (at, byte) in &damages {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                // Errors are fine here.
                let _ = decompress(compression, bytes.into());
                let _ = decompress(compression, noise.clone().into());
            }
        }
    }

    #[test]
    fn corrupt_data_is_an_error() {
        for compression in ALL {
            assert!(decompress(compression, "not compressed".into()).is_err());
        }
    }
}
