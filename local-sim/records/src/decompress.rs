//! Undoes the compression of a batch's records, up to a bound: few bytes can become very many.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use flate2::read::MultiGzDecoder;
use kafka_protocol::records::Compression;

/// Undoes the compression of a batch's records.
///
/// # Errors
/// They are not what that makes, or are more than [`RECORDS_BYTES_MAX`].
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

/// Blocks after each other as Java frames them, or a bare one as librdkafka may write it.
fn snappy(mut bytes: Bytes) -> io::Result<Bytes> {
    if !bytes.starts_with(SNAPPY_MAGIC) {
        let mut records = Vec::new();
        add_block(&mut records, &bytes)?;
        return Ok(records.into());
    }
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    if bytes.len() < SNAPPY_HEADER_BYTES {
        return Err(cut());
    }
    bytes.advance(SNAPPY_HEADER_BYTES);
    let mut records = Vec::new();
    while bytes.has_remaining() {
        let length = bytes.try_get_u32().map_err(|_| cut())?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > bytes.len() {
            return Err(cut());
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
    let expected = format!("more than {RECORDS_BYTES_MAX} bytes without its compression");
    Err(io::Error::other(expected))
}

/// The records of a batch have this many bytes: what an answer may have that brings them without compression.
const RECORDS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What Java's frames begin with; versions follow.
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
    fn as_much_as_an_answer_may_have_is_read_and_no_more() {
        let most = vec![0; RECORDS_BYTES_MAX];
        let more = vec![0; RECORDS_BYTES_MAX + 1];
        for compression in ALL {
            let read = |bytes: &[u8]| decompress(compression, compress(compression, bytes).into());
            assert_eq!(read(&most).unwrap().len(), most.len(), "{compression:?}");
            let refusal = read(&more).unwrap_err().to_string();
            assert!(refusal.contains("more than"), "{compression:?}: {refusal}");
        }
        let half = compress(Compression::Snappy, &most[..RECORDS_BYTES_MAX / 2 + 1]);
        assert!(snappy(framed(&[half.clone(), half])).is_err());
    }

    #[test]
    fn javas_blocks_are_put_together() {
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
        fn nothing_that_a_producer_sends_ends_the_simulator(
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
                // Whatever comes of it.
                let _ = decompress(compression, bytes.into());
                let _ = decompress(compression, noise.clone().into());
            }
        }
    }

    #[test]
    fn noise_is_refused() {
        for compression in ALL {
            assert!(decompress(compression, "no such thing".into()).is_err());
        }
    }
}
