//! Compressed records, and how large they can become: the decoders make all the room that the bytes ask for.

use bytes::{Buf, Bytes};
use kafka_protocol::compression::{Decompressor, Gzip, Lz4, Snappy, Zstd};

use crate::kafka::limits::DECOMPRESSED_BYTES_MAX;

/// The records as they were before a codec of Kafka's; `None` where they cannot be read, or might be too large.
pub(super) fn decompress(codec: i16, mut records: Bytes) -> Option<Bytes> {
    if at_most(codec, &records)? > DECOMPRESSED_BYTES_MAX {
        return None;
    }
    let all = |records: &mut Bytes| Ok(records.clone());
    match codec {
        NO_CODEC => Some(records),
        GZIP => Gzip::decompress(&mut records, all).ok(),
        SNAPPY => Snappy::decompress(&mut records, all).ok(),
        LZ4 => Lz4::decompress(&mut records, all).ok(),
        ZSTD => Zstd::decompress(&mut records, all).ok(),
        _ => None,
    }
}

/// How many bytes records become, or more.
fn at_most(codec: i16, records: &[u8]) -> Option<usize> {
    match codec {
        NO_CODEC => Some(records.len()),
        GZIP => records.len().checked_mul(GZIP_RATIO_MAX),
        SNAPPY => snappy_bytes(records),
        LZ4 => records.len().checked_mul(LZ4_RATIO_MAX),
        ZSTD => zstd_bytes(records),
        _ => None,
    }
}

/// What Snappy's blocks announce, all together. There is one, or there are several after Java's header.
/// <https://github.com/xerial/snappy-java#compatibility-notes>
fn snappy_bytes(mut blocks: &[u8]) -> Option<usize> {
    let Some(several) = blocks.strip_prefix(SNAPPY_HEADER) else {
        return block_bytes(blocks);
    };
    blocks = several;
    let mut bytes = 0_usize;
    while !blocks.is_empty() {
        let length = usize::try_from(blocks.try_get_u32().ok()?).ok()?;
        let (block, left) = blocks.split_at_checked(length)?;
        bytes = bytes.checked_add(block_bytes(block)?)?;
        blocks = left;
    }
    Some(bytes)
}

/// A block of Snappy's begins with its length once decompressed: seven bits in each byte, the lowest first.
fn block_bytes(block: &[u8]) -> Option<usize> {
    let mut bytes = 0_u64;
    for (shift, byte) in (0..u32::BITS).step_by(7).zip(block) {
        bytes |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return bytes.try_into().ok();
        }
    }
    None
}

/// What the blocks of Zstandard's one frame can become, all together.
/// <https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.1>
fn zstd_bytes(frame: &[u8]) -> Option<usize> {
    let mut frame = frame.strip_prefix(ZSTD_MAGIC)?;
    let descriptor = frame.try_get_u8().ok()?;
    let is_single = descriptor & 0b10_0000 != 0;
    let window = usize::from(!is_single);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 0b11)];
    let content = [usize::from(is_single), 2, 4, 8][usize::from(descriptor >> 6)];
    frame = frame.get(window + dictionary + content..)?;
    let mut bytes = 0_usize;
    loop {
        let header = u32::try_from(frame.try_get_uint_le(3).ok()?).ok()?;
        let size = usize::try_from(header >> 3).ok()?;
        let (stored, becomes) = match header >> 1 & 0b11 {
            0 => (size, size),
            1 => (1, size),
            _ => (size, ZSTD_BLOCK_BYTES_MAX),
        };
        frame = frame.get(stored..)?;
        bytes = bytes.checked_add(becomes)?;
        if header & 1 == 1 {
            break;
        }
    }
    let checksum = if descriptor & 0b100 == 0 { 0 } else { 4 };
    (frame.len() == checksum).then_some(bytes)
}

const NO_CODEC: i16 = 0;
const GZIP: i16 = 1;
const SNAPPY: i16 = 2;
const LZ4: i16 = 3;
const ZSTD: i16 = 4;
/// Deflate makes at most so many bytes of one.
const GZIP_RATIO_MAX: usize = 1032;
const LZ4_RATIO_MAX: usize = 255;
/// Java's, which most clients took over, with the two versions that it has.
const SNAPPY_HEADER: &[u8] = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";
const ZSTD_MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
const ZSTD_BLOCK_BYTES_MAX: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use kafka_protocol::compression::Compressor;
    use proptest::prelude::*;

    use super::*;

    fn compress<C: Compressor<BytesMut, BufMut = BytesMut>>(plain: &[u8]) -> Bytes {
        let mut bytes = BytesMut::new();
        C::compress(&mut bytes, |buffer| {
            buffer.put_slice(plain);
            Ok(())
        })
        .unwrap();
        bytes.freeze()
    }

    fn all(plain: &[u8]) -> [(i16, Bytes); 4] {
        [
            (GZIP, compress::<Gzip>(plain)),
            (SNAPPY, compress::<Snappy>(plain)),
            (LZ4, compress::<Lz4>(plain)),
            (ZSTD, compress::<Zstd>(plain)),
        ]
    }

    #[test]
    fn every_codec_is_known() {
        let plain: Vec<u8> = (0..500_000_u32)
            .map(|index| (index / 7 % 251) as u8)
            .collect();
        assert_eq!(decompress(NO_CODEC, plain.clone().into()).unwrap(), plain);
        for (codec, compressed) in all(&plain) {
            assert!(compressed.len() < plain.len(), "{codec}");
            assert_eq!(decompress(codec, compressed).unwrap(), plain, "{codec}");
        }
        assert_eq!(decompress(5, plain.into()), None);
    }

    #[test]
    fn what_would_become_too_large_is_not_begun() {
        let check = |codec, compressed: &[u8]| {
            let at_most = at_most(codec, compressed).unwrap();
            assert!(at_most > DECOMPRESSED_BYTES_MAX, "{codec}: {at_most}");
            assert_eq!(decompress(codec, compressed.to_vec().into()), None);
        };
        check(GZIP, &compress::<Gzip>(&noise(200_000)));
        check(LZ4, &compress::<Lz4>(&noise(600_000)));
        // Four gigabytes, alone and after Java's header.
        let huge = b"\xff\xff\xff\xff\x0f\0";
        check(SNAPPY, huge);
        check(SNAPPY, &[SNAPPY_HEADER, b"\0\0\0\x06", huge].concat());
        // Two megabytes of one byte, a hundred times.
        let block = |last: u8| [0xfa | last, 0xff, 0xff, b'.'];
        let blocks = [&[block(0); 99][..], &[block(1)]].concat().concat();
        check(ZSTD, &[ZSTD_MAGIC, b"\x20\0", &blocks].concat());
    }

    /// Bytes that cannot be compressed.
    fn noise(bytes: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..bytes).map(|_| random.u8(..)).collect()
    }

    proptest! {
        #[test]
        fn nothing_that_a_producer_sends_ends_the_simulator(
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            noise in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            for (codec, compressed) in all(b"records and records and records") {
                let mut bytes = [&compressed[..], &noise].concat();
                for (at, byte) in &damages {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                decompress(codec, bytes.into());
                decompress(codec, noise.clone().into());
            }
        }
    }
}
