//! A record, borrowed from its batch: <https://kafka.apache.org/documentation/#record>.

use thiserror::Error;

use crate::{batch_header::BatchHeader, field::Fields};

/// A record, borrowed from its batch.
#[derive(Debug, Clone)]
pub struct RecordView<'a> {
    /// The offset in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch; -1 if the producer set none.
    pub timestamp: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// The headers in order, including duplicates.
    pub headers: Headers<'a>,
}

/// Iterates over a record's headers: names, usually UTF-8, and values. Ends after a malformed one.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    left: u32,
    fields: Fields<'a>,
}

/// A record is malformed or truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the record is malformed")]
pub struct Malformed;

impl<'a> RecordView<'a> {
    /// Splits the next record off; `None` if it is malformed or truncated.
    pub(crate) fn split_off(records: &mut Fields<'a>, batch: &BatchHeader) -> Option<Self> {
        let length = records.number::<i32>()?.try_into().ok()?;
        let mut fields = Fields(records.take(length)?);
        // Skip the attributes, which are unused.
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
