//! A record of a topic, and the batch that it makes alone.
//!
//! Of `kafka-protocol`'s own, a record has each header once, and loses those whose names come again.

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::records::TimestampType;

use crate::{
    batch_header::BatchHeader,
    field::{TooLong, put_length, put_nullable, put_number},
};

/// A record of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The offset.
    pub offset: i64,
    /// Milliseconds since the epoch; -1 where the producer gave none.
    pub timestamp: i64,
    /// Whose clock the timestamp is from.
    pub timestamp_type: TimestampType,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers, in their order, and as often as they come.
    pub headers: Vec<Header>,
}

/// A name, which is UTF-8 by custom only, and a value.
pub type Header = (Bytes, Option<Bytes>);

impl Record {
    /// A batch of this record, for a leader that will give it an offset.
    ///
    /// # Errors
    /// It is longer than its length can say.
    pub fn to_batch(&self) -> Result<Bytes, TooLong> {
        let fields = self.fields()?;
        let mut record = BytesMut::new();
        put_length(&mut record, fields.len())?;
        record.put(fields);
        BatchHeader::plain(1, self.timestamp, self.timestamp).with_records(&record)
    }

    /// The bytes of its parts.
    pub fn bytes(&self) -> usize {
        let length = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + length(value));
        length(&self.key) + length(&self.value) + headers.sum::<usize>()
    }

    /// What follows the length of the first record of a batch, whose offset and timestamp are the batch's.
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
    fn the_bytes_of_all_parts_count() {
        let record = Record {
            key: Some("12".into()),
            value: Some("345".into()),
            headers: vec![header("6", Some("7")), header("8", None)],
            ..bare(0)
        };
        assert_eq!(record.bytes(), 8);
    }

    #[test]
    fn what_is_written_is_what_others_read() {
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
