//! The partition that the Java client's default partitioner chooses, from known hashes.

/// Keys and their murmur2 hashes, from Kafka's tests (`UtilsTest.testMurmur2`, apache/kafka).
pub const MURMUR2: &[(&str, i32)] = &[
    ("21", -973_932_308),
    ("foobar", -790_332_482),
    ("a-little-bit-long-string", -985_981_536),
    ("a-little-bit-longer-string", -1_486_304_829),
    (
        "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
        -58_897_971,
    ),
    ("abc", 479_470_107),
];

/// The number of partitions that the simulator creates by default.
const PARTITIONS: i32 = 3;

/// The partition for a key of [`MURMUR2`].
///
/// # Panics
/// Panics if the key is not listed. The hash is looked up rather than computed, so that the test
/// cannot share a bug with the implementation.
pub fn java_partition(key: &str) -> i32 {
    let known = MURMUR2.iter().find(|(known, _)| *known == key);
    let (_, hash) =
        known.unwrap_or_else(|| panic!("no known hash for key {key:?} (use a key of MURMUR2)"));
    // Like Kafka's `toPositive`: clears the sign bit instead of negating.
    (hash & i32::MAX) % PARTITIONS
}
