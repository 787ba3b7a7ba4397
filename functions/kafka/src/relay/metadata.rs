//! What an answer to Metadata says of topics.
//!
//! <https://kafka.apache.org/protocol#The_Messages_Metadata>

use std::{collections::HashMap, num::NonZeroI32, ops::RangeInclusive};

use bytes::Buf;

use super::{
    fields::{count, nullable_string, string, take},
    frame::FrameError,
    request::METADATA,
};

/// How many partitions each topic has; none while it is being created.
pub type PartitionCounts = HashMap<String, Option<NonZeroI32>>;

/// The versions that are understood: all that rskafka speaks.
const UNDERSTOOD: RangeInclusive<i16> = 0..=4;

/// The topics of an answer, from behind its correlation id to its end.
///
/// Kafka's own are left out: nothing is written to them.
pub(super) fn partition_counts(version: i16, answer: &[u8]) -> Result<PartitionCounts, FrameError> {
    if !UNDERSTOOD.contains(&version) {
        return Err(FrameError::Version {
            api: METADATA,
            version,
            understood: UNDERSTOOD,
        });
    }
    read(version, answer).ok_or(FrameError::Topics)
}

/// The topics; none where a count is null, or more than there is.
fn read(version: i16, mut answer: &[u8]) -> Option<PartitionCounts> {
    let bytes = &mut answer;
    // throttle_time_ms
    take(bytes, if version >= 3 { 4 } else { 0 })?;
    for _ in 0..count(bytes)? {
        // node_id, host, port, rack
        take(bytes, 4)?;
        string(bytes)?;
        take(bytes, 4)?;
        if version >= 1 {
            nullable_string(bytes)?;
        }
    }
    if version >= 2 {
        // cluster_id
        nullable_string(bytes)?;
    }
    // controller_id
    take(bytes, if version >= 1 { 4 } else { 0 })?;
    let mut counts = PartitionCounts::new();
    for _ in 0..count(bytes)? {
        // error_code: a topic that has one may have partitions all the same.
        take(bytes, 2)?;
        let name = std::str::from_utf8(string(bytes)?).ok()?;
        let is_internal = version >= 1 && take(bytes, 1)? != [0];
        let partitions = bytes.try_get_i32().ok()?;
        for _ in 0..usize::try_from(partitions).ok()? {
            // error_code, partition_index, leader_id
            take(bytes, 2 + 4 + 4)?;
            // replica_nodes, isr_nodes: null or not, they do not matter here.
            for _ in 0..2 {
                let nodes = usize::try_from(bytes.try_get_i32().ok()?).unwrap_or(0);
                take(bytes, nodes.checked_mul(4)?)?;
            }
        }
        if !is_internal {
            counts.insert(name.to_owned(), NonZeroI32::new(partitions));
        }
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const THROTTLE: &[u8] = b"\0\0\0\0";
    const CLUSTER: &[u8] = b"\0\x03abc";
    const CONTROLLER: &[u8] = b"\0\0\0\x01";

    fn check(version: i16, answer: &[u8]) -> Option<PartitionCounts> {
        partition_counts(version, answer).ok()
    }

    /// An answer of that version: two brokers, one of them in a rack, and the topics `t` of two
    /// partitions, `new`, which is being created, and one that Kafka has for itself.
    fn answer(version: i16) -> Vec<u8> {
        let since = |first, bytes: &[u8]| if version >= first { bytes } else { b"" }.to_vec();
        [
            since(3, THROTTLE),
            b"\0\0\0\x02".to_vec(),
            b"\0\0\0\x01\0\x01a\0\0\x23\x84".to_vec(),
            since(1, b"\xff\xff"),
            b"\0\0\0\x02\0\x01b\0\0\x23\x84".to_vec(),
            since(1, b"\0\x02r1"),
            since(2, CLUSTER),
            since(1, CONTROLLER),
            b"\0\0\0\x03".to_vec(),
            b"\0\0\0\x01t".to_vec(),
            since(1, b"\0"),
            b"\0\0\0\x02".to_vec(),
            b"\0\0\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\0\0\x01".to_vec(),
            b"\0\x05\0\0\0\x01\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff".to_vec(),
            b"\0\x05\0\x03new".to_vec(),
            since(1, b"\0"),
            b"\0\0\0\0".to_vec(),
            b"\0\0\0\x12__consumer_offsets".to_vec(),
            since(1, b"\x01"),
            b"\0\0\0\0".to_vec(),
        ]
        .concat()
    }

    #[test]
    fn topics_are_told_with_their_partitions() {
        for version in UNDERSTOOD {
            let two = NonZeroI32::new(2);
            let mut expected =
                PartitionCounts::from([("t".to_owned(), two), ("new".to_owned(), None)]);
            if version == 0 {
                // In which nothing tells it from the others.
                expected.insert("__consumer_offsets".to_owned(), None);
            }
            let counts = partition_counts(version, &answer(version));
            assert_eq!(counts, Ok(expected), "{version}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_is_not(
            version in UNDERSTOOD,
            begin in 0..80_usize,
            bytes in vec(any::<u8>(), 0..80),
        ) {
            let answer = answer(version);
            let begin = &answer[..begin.min(answer.len())];
            let _ = partition_counts(version, &[begin, &bytes].concat());
        }
    }

    #[test]
    fn counts_that_the_answer_does_not_have_room_for_are_not_believed() {
        let no_brokers = b"\0\0\0\0\xff\xff\0\0\0\x01";
        for count in [i32::MAX, 1] {
            let answer = [no_brokers.as_slice(), &count.to_be_bytes()].concat();
            assert_eq!(check(2, &answer), None);
        }
    }

    #[test]
    fn a_list_that_is_null_is_not_taken_for_an_empty_one() {
        let brokers = b"\0\0\0\0".as_slice();
        let cluster = b"\xff\xff\0\0\0\x01";
        let topic = b"\0\0\0\x01\0\0\0\x01t\0";
        for null in [-1, i32::MIN].map(i32::to_be_bytes) {
            assert_eq!(check(2, &[&null, &cluster[..], brokers].concat()), None);
            assert_eq!(check(2, &[brokers, cluster, &null].concat()), None);
            let answer = [brokers, cluster, topic, &null].concat();
            assert_eq!(check(2, &answer), None);
        }
    }

    #[test]
    fn an_answer_that_ends_too_early_tells_nothing() {
        for version in UNDERSTOOD {
            let answer = answer(version);
            for len in 0..answer.len() {
                assert_eq!(check(version, &answer[..len]), None, "{len}");
            }
        }
    }
}
