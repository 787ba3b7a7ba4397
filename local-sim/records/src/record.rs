//! An owned record, and its encoding as a batch of one.
//!
//! The record type of `kafka-protocol` drops headers with duplicate names; this one keeps them.

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::records::TimestampType;

use crate::{
    batch_header::BatchHeader,
    field::{TooLong, put_length, put_nullable, put_number},
};

/// A record of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The offset in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch; -1 if the producer set none.
    pub timestamp: i64,
    /// Whether the timestamp is the producer's or the broker's.
    pub timestamp_type: TimestampType,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers in order, including duplicates.
    pub headers: Vec<Header>,
}

/// A header's name and value. The name is usually but not necessarily UTF-8.
pub type Header = (Bytes, Option<Bytes>);

impl Record {
    /// Encodes the record as a batch of one, with offset 0: the leader assigns the offset.
    ///
    /// # Errors
    /// If a part exceeds 2 GiB.
    pub fn to_batch(&self) -> Result<Bytes, TooLong> {
        let fields = self.fields()?;
        let mut record = BytesMut::new();
        put_length(&mut record, fields.len())?;
        record.put(fields);
        BatchHeader::plain(1, self.timestamp, self.timestamp).with_records(&record)
    }

    /// The total size of key, value and headers in bytes.
    pub fn bytes(&self) -> usize {
        let length = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + length(value));
        length(&self.key) + length(&self.value) + headers.sum::<usize>()
    }

    /// The encoded fields after the length, with zero for the offset and timestamp deltas.
    fn fields(&self) -> Result<BytesMut, TooLong> {
        let mut fields = BytesMut::new();
        fields.put_u8(0);
        put_number(&mut fields, 0_i64);
        put_number(&mut fields, 0_i32);
        put_nullable(&mut fields, self.key.as_deref())?;
        put_nullable(&mut fields, self.value.as_deref())?;
        put_length(&mut fields, self.headers.len())?;
        for (name, value) in &self.headers {
            put_nullable(&mut fields, Some(name))?;
            put_nullable(&mut fields, value.as_deref())?;
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::RecordBatchDecoder;

    use super::*;

    fn header(name: &str, value: Option<&str>) -> Header {
        let copy = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        (copy(name), value.map(copy))
    }

    fn bare(timestamp: i64) -> Record {
        Record {
            offset: 0,
            timestamp,
            timestamp_type: TimestampType::Creation,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    #[test]
    fn the_size_includes_key_value_and_headers() {
        let record = Record {
            key: Some("12".into()),
            value: Some("345".into()),
            headers: vec![header("6", Some("7")), header("8", None)],
            ..bare(0)
        };
        assert_eq!(record.bytes(), 8);
    }

    #[test]
    fn kafka_protocol_decodes_the_encoded_record() {
        let record = Record {
            key: Some("k".into()),
            value: Some(vec![0, 255].into()),
            headers: vec![header("a", Some("1")), header("b", None)],
            ..bare(1_545_084_650_987)
        };
        let read = |record: &Record| {
            let set = RecordBatchDecoder::decode(&mut record.to_batch().unwrap()).unwrap();
            set.records.into_iter().next().unwrap()
        };
        let theirs = read(&record);
        assert_eq!((theirs.key, theirs.value), (record.key, record.value));
        assert_eq!((theirs.offset, theirs.timestamp), (0, record.timestamp));
        let headers = theirs.headers.into_iter();
        let headers = headers.map(|(name, value)| (name.into(), value));
        assert_eq!(headers.collect::<Vec<_>>(), record.headers);
        let theirs = read(&bare(-1));
        assert_eq!(
            (theirs.key, theirs.value, theirs.timestamp),
            (None, None, -1)
        );
    }
}
