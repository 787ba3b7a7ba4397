//! Java's default partitioner: a key goes to the partition that Kafka Streams and other Java
//! producers choose.

use std::num::NonZeroI32;

/// The partition of a key, of `count` partitions numbered from 0.
///
/// A different `count` moves most keys to another partition.
pub fn partition(key: &[u8], count: NonZeroI32) -> i32 {
    (murmur2(key) & i32::MAX) % count.get()
}

/// Kafka's variant of 32-bit MurmurHash2 (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;

    // Kafka hashes the length as a 32-bit number too. Keys are far shorter.
    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, rest) = data.as_chunks::<4>();
    let mut hash = SEED ^ len;
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest
            .iter()
            .rev()
            .fold(0, |tail, byte| tail << 8 | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(M);
    (hash ^ hash >> 15).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The vectors of Kafka's own `UtilsTest`.
    #[test]
    fn murmur2_agrees_with_kafka() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
        }
    }

    /// What Java's client says of keys of all lengths, and librdkafka too.
    const JAVA: &str = include_str!("../tests/partitions/java.tsv");

    #[test]
    fn keys_land_where_java_and_librdkafka_put_them() {
        for row in JAVA.lines() {
            let fields: Vec<&str> = row.split('\t').collect();
            let [key, count, expected] = fields[..] else {
                panic!("{row:?} is no row");
            };
            let found = partition(&bytes(key), count.parse().expect("a count"));
            assert_eq!(found.to_string(), expected, "{row}");
        }
        assert!(JAVA.lines().count() > 400);
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks_exact(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.map(byte).collect()
    }

    #[test]
    fn the_sign_is_masked_rather_than_dropped() {
        // -973932308 & 0x7fffffff is 1173551340.
        assert_eq!(
            partition(b"21", NonZeroI32::new(7).unwrap()),
            1_173_551_340 % 7
        );
    }

    proptest! {
        #[test]
        fn every_key_has_a_partition(key: Vec<u8>, count in 1..i32::MAX) {
            let count = NonZeroI32::new(count).expect("at least 1");
            prop_assert!((0..count.get()).contains(&partition(&key, count)));
        }
    }
}
