//! Where the Java client would put a record: its default partitioner, by known hashes.

/// What Kafka's own tests say of its murmur2 (`UtilsTest.testMurmur2`, apache/kafka).
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

/// The partitions of a topic that the simulator creates, where it is not told otherwise.
const PARTITIONS: i32 = 3;

/// The partition for a key of [`MURMUR2`].
///
/// # Panics
/// Panics where the key is none of them: nothing is computed here that could err alike.
pub fn java_partition(key: &str) -> i32 {
    let known = MURMUR2.iter().find(|(known, _)| *known == key);
    let (_, hash) = known.unwrap_or_else(|| panic!("the hash of {key} is not known"));
    // The sign is dropped, not turned.
    (hash & i32::MAX) % PARTITIONS
}
