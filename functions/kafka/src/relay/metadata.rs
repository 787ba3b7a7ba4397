//! What an answer to Metadata says of topics.
//!
//! <https://kafka.apache.org/protocol#The_Messages_Metadata>

use std::{collections::HashMap, num::NonZeroI32, ops::RangeInclusive};

use super::{
    fields::Fields,
    frames::{ANSWER_BYTES_MAX, FrameError},
    requests::METADATA,
};

/// How many partitions each topic has; none while it is being created.
pub type PartitionCounts = HashMap<String, Option<NonZeroI32>>;

/// An answer about all topics, of which a part went by.
#[derive(Debug)]
pub(super) struct Listing {
    version: i16,
    answer: Vec<u8>,
}

impl Listing {
    /// None of an answer in that version has gone by.
    pub(super) fn new(version: i16) -> Result<Self, FrameError> {
        if !UNDERSTOOD.contains(&version) {
            return Err(FrameError::Version {
                api: METADATA,
                version,
                understood: UNDERSTOOD,
            });
        }
        Ok(Self {
            version,
            answer: Vec::new(),
        })
    }

    /// Takes the next part, which `left` bytes follow. The last one makes out
    /// the topics.
    pub(super) fn take(
        &mut self,
        part: &[u8],
        left: usize,
    ) -> Result<Option<PartitionCounts>, FrameError> {
        let bytes = self.answer.len() + part.len() + left;
        if bytes > ANSWER_BYTES_MAX {
            return Err(FrameError::TooManyTopics(bytes));
        }
        self.answer.extend_from_slice(part);
        if left > 0 {
            return Ok(None);
        }
        // The next answer may be long in coming: nothing is kept until then.
        let answer = std::mem::take(&mut self.answer);
        let topics = partition_counts(self.version, &answer);
        topics.map(Some).ok_or(FrameError::Topics)
    }
}

/// The versions that are understood: all that rskafka speaks.
const UNDERSTOOD: RangeInclusive<i16> = 0..=4;

/// The topics of an answer, from behind its correlation id to its end; none
/// where it cannot be read.
///
/// Kafka's own are left out: they are not written to.
fn partition_counts(version: i16, answer: &[u8]) -> Option<PartitionCounts> {
    let mut fields = Fields::new(answer);
    if version >= 3 {
        // throttle_time_ms
        fields.int32()?;
    }
    for _ in 0..fields.int32()? {
        skip_broker(version, &mut fields)?;
    }
    if version >= 2 {
        // cluster_id
        fields.skip_nullable_string()?;
    }
    if version >= 1 {
        // controller_id
        fields.int32()?;
    }
    let mut counts = PartitionCounts::new();
    for _ in 0..fields.int32()? {
        let topic = Topic::read(version, &mut fields)?;
        if !topic.is_internal {
            counts.insert(topic.name.to_owned(), topic.partitions);
        }
    }
    Some(counts)
}

struct Topic<'a> {
    name: &'a str,
    is_internal: bool,
    partitions: Option<NonZeroI32>,
}

impl<'a> Topic<'a> {
    fn read(version: i16, fields: &mut Fields<'a>) -> Option<Self> {
        // error_code: a topic that has one may have partitions all the same.
        fields.int16()?;
        let name = std::str::from_utf8(fields.string()?).ok()?;
        let is_internal = version >= 1 && fields.int8()? != 0;
        let partitions = fields.int32()?;
        for _ in 0..partitions {
            skip_partition(fields)?;
        }
        Some(Self {
            name,
            is_internal,
            // Less than none is none as well.
            partitions: NonZeroI32::new(partitions.max(0)),
        })
    }
}

fn skip_broker(version: i16, fields: &mut Fields<'_>) -> Option<()> {
    // node_id, host, port, rack
    fields.int32()?;
    fields.string()?;
    fields.int32()?;
    if version >= 1 {
        fields.skip_nullable_string()?;
    }
    Some(())
}

fn skip_partition(fields: &mut Fields<'_>) -> Option<()> {
    // error_code, partition_index, leader_id
    fields.int16()?;
    fields.int32()?;
    fields.int32()?;
    // replica_nodes, isr_nodes
    for _ in 0..2 {
        let nodes = usize::try_from(fields.int32()?).unwrap_or(0);
        fields.skip(nodes.checked_mul(4)?)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const THROTTLE: &[u8] = b"\0\0\0\0";
    const CLUSTER: &[u8] = b"\0\x03abc";
    const CONTROLLER: &[u8] = b"\0\0\0\x01";

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
            b"\xff\xff\xff\xff".to_vec(),
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
            assert_eq!(counts, Some(expected), "{version}");
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
            assert_eq!(partition_counts(2, &answer), None);
        }
        let answer = [no_brokers.as_slice(), &i32::MIN.to_be_bytes()].concat();
        assert_eq!(partition_counts(2, &answer), Some(PartitionCounts::new()));
    }

    #[test]
    fn an_answer_larger_than_the_client_takes_is_refused_before_it_is_there() {
        let part = [0; 10];
        let mut listing = Listing::new(4).unwrap();
        assert_eq!(listing.take(&part, ANSWER_BYTES_MAX - 10), Ok(None));
        let mut listing = Listing::new(4).unwrap();
        let refused = FrameError::TooManyTopics(ANSWER_BYTES_MAX + 1);
        assert_eq!(listing.take(&part, ANSWER_BYTES_MAX - 9), Err(refused));
    }

    #[test]
    fn an_answer_that_ends_too_early_tells_nothing() {
        for version in UNDERSTOOD {
            let answer = answer(version);
            for len in 0..answer.len() {
                assert_eq!(partition_counts(version, &answer[..len]), None, "{len}");
            }
        }
    }
}
