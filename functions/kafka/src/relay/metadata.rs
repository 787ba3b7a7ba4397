//! Reads the topics in Metadata responses.
//!
//! <https://kafka.apache.org/protocol#The_Messages_Metadata>

use std::{collections::HashMap, num::NonZeroI32, ops::RangeInclusive};

use bytes::Buf;

use super::{
    fields::{count, nullable_string, string, take},
    frame::FrameError,
    request::METADATA,
};

/// The number of partitions of each topic; `None` while a topic is being created.
pub type PartitionCounts = HashMap<String, Option<NonZeroI32>>;

/// The supported versions: all that rskafka uses.
const VERSIONS: RangeInclusive<i16> = 0..=4;

/// The topics in a response body, which starts after the correlation id.
///
/// Internal topics are omitted, since no records are sent to them.
pub(super) fn partition_counts(
    version: i16,
    response: &[u8],
) -> Result<PartitionCounts, FrameError> {
    if !VERSIONS.contains(&version) {
        return Err(FrameError::Version {
            api: METADATA,
            version,
            supported: VERSIONS,
        });
    }
    read(version, response).ok_or(FrameError::Metadata)
}

/// The topics; `None` if a count is null or exceeds the response.
fn read(version: i16, mut response: &[u8]) -> Option<PartitionCounts> {
    let bytes = &mut response;
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
        // error_code: ignored, since a topic with an error may still have partitions.
        take(bytes, 2)?;
        let name = std::str::from_utf8(string(bytes)?).ok()?;
        let is_internal = version >= 1 && take(bytes, 1)? != [0];
        let partitions = bytes.try_get_i32().ok()?;
        for _ in 0..usize::try_from(partitions).ok()? {
            // error_code, partition_index, leader_id
            take(bytes, 2 + 4 + 4)?;
            // replica_nodes, isr_nodes: ignored, and may be null.
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

    fn check(version: i16, response: &[u8]) -> Option<PartitionCounts> {
        partition_counts(version, response).ok()
    }

    /// A response of this version with two brokers, one of which has a rack.
    ///
    /// Its topics are `t` with two partitions, `new`, which is being created, and an internal one.
    fn response(version: i16) -> Vec<u8> {
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
    fn topics_are_listed_with_their_partition_counts() {
        for version in VERSIONS {
            let two = NonZeroI32::new(2);
            let mut expected =
                PartitionCounts::from([("t".to_owned(), two), ("new".to_owned(), None)]);
            if version == 0 {
                // Version 0 does not mark internal topics.
                expected.insert("__consumer_offsets".to_owned(), None);
            }
            let counts = partition_counts(version, &response(version));
            assert_eq!(counts, Ok(expected), "{version}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(
            version in VERSIONS,
            begin in 0..80_usize,
            bytes in vec(any::<u8>(), 0..80),
        ) {
            let response = response(version);
            let begin = &response[..begin.min(response.len())];
            let _ = partition_counts(version, &[begin, &bytes].concat());
        }
    }

    #[test]
    fn a_count_that_exceeds_the_response_is_an_error() {
        let no_brokers = b"\0\0\0\0\xff\xff\0\0\0\x01";
        for count in [i32::MAX, 1] {
            let response = [no_brokers.as_slice(), &count.to_be_bytes()].concat();
            assert_eq!(check(2, &response), None);
        }
    }

    #[test]
    fn a_null_list_is_an_error_rather_than_an_empty_list() {
        let brokers = b"\0\0\0\0".as_slice();
        let cluster = b"\xff\xff\0\0\0\x01";
        let topic = b"\0\0\0\x01\0\0\0\x01t\0";
        for null in [-1, i32::MIN].map(i32::to_be_bytes) {
            assert_eq!(check(2, &[&null, &cluster[..], brokers].concat()), None);
            assert_eq!(check(2, &[brokers, cluster, &null].concat()), None);
            let response = [brokers, cluster, topic, &null].concat();
            assert_eq!(check(2, &response), None);
        }
    }

    #[test]
    fn a_truncated_response_is_an_error() {
        for version in VERSIONS {
            let response = response(version);
            for len in 0..response.len() {
                assert_eq!(check(version, &response[..len]), None, "{len}");
            }
        }
    }
}
