//! Records as Kafka lays them out: <https://kafka.apache.org/documentation/#record>.
//!
//! Of `kafka-protocol`'s own, a record has each header once, and loses those whose names come again.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::records::{BatchDecodeInfo, TimestampType};

/// A record of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) timestamp_type: TimestampType,
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    /// In their order, and as often as they come.
    pub(super) headers: Vec<Header>,
}

/// A name, which is UTF-8 by custom only, and a value.
pub(super) type Header = (Bytes, Option<Bytes>);

impl Record {
    /// Takes the next record off a batch; none where that is malformed or cut short.
    pub(super) fn decode(batch: &mut Bytes, info: &BatchDecodeInfo) -> Option<Self> {
        let length = varint(batch)?;
        let mut record = take(batch, length)?;
        // No attribute is in use.
        take(&mut record, 1)?;
        let timestamp = info.min_timestamp.wrapping_add(varint(&mut record)?);
        let offset = info.min_offset.wrapping_add(varint(&mut record)?);
        let key = nullable(&mut record)?;
        let value = nullable(&mut record)?;
        let mut headers = Vec::new();
        for _ in 0..varint(&mut record)? {
            headers.push((nullable(&mut record)??, nullable(&mut record)?));
        }
        Some(Self {
            offset,
            timestamp,
            timestamp_type: info.timestamp_type,
            key,
            value,
            headers,
        })
    }

    /// The record as the first one of a batch, whose offset and time are its own.
    pub(super) fn encode(&self) -> BytesMut {
        let mut record = BytesMut::new();
        record.put_u8(0);
        put_varint(&mut record, 0);
        put_varint(&mut record, 0);
        put_nullable(&mut record, self.key.as_deref());
        put_nullable(&mut record, self.value.as_deref());
        put_length(&mut record, self.headers.len());
        for (name, value) in &self.headers {
            put_nullable(&mut record, Some(name));
            put_nullable(&mut record, value.as_deref());
        }
        let mut encoded = BytesMut::new();
        put_length(&mut encoded, record.len());
        encoded.put(record);
        encoded
    }

    /// The bytes of its parts.
    pub(super) fn bytes(&self) -> usize {
        let length = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + length(value));
        length(&self.key) + length(&self.value) + headers.sum::<usize>()
    }
}

/// A part that may be null, which its length says.
fn nullable(from: &mut Bytes) -> Option<Option<Bytes>> {
    match varint(from)? {
        NULL => Some(None),
        length => take(from, length).map(Some),
    }
}

fn take(from: &mut Bytes, length: i64) -> Option<Bytes> {
    let length = usize::try_from(length).ok()?;
    (length <= from.len()).then(|| from.split_to(length))
}

/// A number of a few bytes, seven bits in each, in zigzag.
fn varint(from: &mut Bytes) -> Option<i64> {
    let mut zigzag = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = from.try_get_u8().ok()?;
        zigzag |= u64::from(byte & !MORE) << shift;
        if byte & MORE == 0 {
            return Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed());
        }
    }
    None
}

fn put_nullable(to: &mut BytesMut, part: Option<&[u8]>) {
    match part {
        Some(part) => {
            put_length(to, part.len());
            to.put_slice(part);
        }
        None => put_varint(to, NULL),
    }
}

fn put_length(to: &mut BytesMut, length: usize) {
    put_varint(to, i64::try_from(length).unwrap_or(i64::MAX));
}

fn put_varint(to: &mut BytesMut, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while zigzag >= u64::from(MORE) {
        to.put_u8(zigzag.to_le_bytes()[0] | MORE);
        zigzag >>= 7;
    }
    to.put_u8(zigzag.to_le_bytes()[0]);
}

/// The length of what is null.
const NULL: i64 = -1;
/// The bit of a byte that another one follows.
const MORE: u8 = 0x80;

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A record without any parts.
    pub(in super::super) fn bare(offset: i64, timestamp: i64) -> Record {
        Record {
            offset,
            timestamp,
            timestamp_type: TimestampType::Creation,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// A header from texts.
    pub(in super::super) fn header(name: &str, value: Option<&str>) -> Header {
        let copy = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        (copy(name), value.map(copy))
    }

    #[test]
    fn the_bytes_of_all_parts_count() {
        let record = Record {
            key: Some("12".into()),
            value: Some("345".into()),
            headers: vec![header("6", Some("7")), header("8", None)],
            ..bare(0, 0)
        };
        assert_eq!(record.bytes(), 8);
    }

    proptest! {
        #[test]
        fn numbers_come_back(value in any::<i64>(), small in -300..300_i64) {
            for value in [value, small, i64::MIN, i64::MAX] {
                let mut bytes = BytesMut::new();
                put_varint(&mut bytes, value);
                prop_assert_eq!(varint(&mut bytes.freeze()), Some(value));
            }
        }

        #[test]
        fn noise_is_no_record_and_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..60)) {
            varint(&mut noise.clone().into());
            nullable(&mut noise.into());
        }
    }
}
