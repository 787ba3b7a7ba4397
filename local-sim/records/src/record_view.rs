//! A record as it lies in a batch: <https://kafka.apache.org/documentation/#record>.

use thiserror::Error;

use crate::{batch_header::BatchHeader, field::Fields};

/// A record that is borrowed from its batch.
#[derive(Debug, Clone)]
pub struct RecordView<'a> {
    /// The offset.
    pub offset: i64,
    /// Milliseconds since the epoch; -1 where the producer gave none.
    pub timestamp: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// The headers, in their order, and as often as they come.
    pub headers: Headers<'a>,
}

/// The headers of a record: each a name, which is UTF-8 by custom only, and a value. It ends after a malformed one.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    left: u32,
    fields: Fields<'a>,
}

/// A record is not laid out as Kafka's are, or is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the record is malformed")]
pub struct Malformed;

impl<'a> RecordView<'a> {
    /// Takes the next record off those of a batch; none where it is malformed or cut short.
    pub(crate) fn split_off(records: &mut Fields<'a>, batch: &BatchHeader) -> Option<Self> {
        let length = records.number::<i32>()?.try_into().ok()?;
        let mut fields = Fields(records.take(length)?);
        // No attribute is in use.
        fields.take(1)?;
        let timestamp = batch.base_timestamp.saturating_add(fields.number()?);
        Some(Self {
            timestamp,
            offset: batch
                .base_offset
                .checked_add(fields.number::<i32>()?.into())?,
            key: fields.nullable()?,
            value: fields.nullable()?,
            headers: Headers {
                left: fields.number::<i32>()?.try_into().ok()?,
                fields,
            },
        })
    }
}

impl<'a> Headers<'a> {
    fn split_off(&mut self) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        Some((self.fields.nullable()??, self.fields.nullable()?))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<(&'a [u8], Option<&'a [u8]>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let header = self.split_off().ok_or(Malformed);
        if header.is_err() {
            self.left = 0;
        }
        Some(header)
    }
}
