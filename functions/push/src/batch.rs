//! A batch of records, and what each one asks for.

use bytes::Bytes;

use crate::{
    address::{self, ConnectionId, Header},
    poison::Poison,
};

/// The gateway accepts messages of at most this many bytes.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
pub const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// The records of one invocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Its partitions, each once.
    pub partitions: Vec<Partition>,
}

impl Batch {
    /// The records that can never be delivered: partition, offset and reason.
    pub fn poison(&self) -> impl Iterator<Item = (&str, i64, &Poison)> {
        self.partitions.iter().flat_map(|partition| {
            let records = partition.records.iter();
            records.filter_map(|record| {
                let poison = record.order.as_ref().err()?;
                Some((&*partition.name, record.offset, poison))
            })
        })
    }
}

/// The records of one partition, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The mapping's name for it: the topic, a hyphen and the number.
    pub name: String,
    /// Its records in this batch.
    pub records: Vec<Record>,
}

/// One record of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its time. It distinguishes the record from one with the same offset in a
    /// topic that was deleted and created again.
    pub timestamp: i64,
    /// What it asks for, or why it can never be delivered.
    pub order: Result<Order, Poison>,
}

/// What one record asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The connections it is addressed to, each once; may be empty.
    pub to: Vec<ConnectionId>,
    /// What to do with each.
    pub action: Action,
}

/// What to do with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send it this message.
    Post(Bytes),
    /// Close it.
    Close,
}

impl Order {
    /// Reads a record's parts. A record without a value closes its connections.
    ///
    /// # Errors
    /// The record can never be delivered.
    pub fn new(
        headers: &[Header],
        key: Option<&[u8]>,
        value: Option<Vec<u8>>,
    ) -> Result<Self, Poison> {
        let to = address::recipients(headers, key)?;
        let action = match value {
            Some(value) if value.len() > MESSAGE_BYTES_MAX => {
                return Err(Poison::TooLarge {
                    bytes: value.len(),
                    max: MESSAGE_BYTES_MAX,
                });
            }
            Some(value) => Action::Post(value.into()),
            None => Action::Close,
        };
        Ok(Self { to, action })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Option<Vec<u8>>) -> Result<Action, String> {
        Order::new(&[], Some(b"a="), value)
            .map(|order| order.action)
            .map_err(|poison| poison.to_string())
    }

    #[test]
    fn a_value_is_posted_and_without_one_the_connection_is_closed() {
        let bytes = b"\xffhi\0".as_slice();
        assert_eq!(check(Some(bytes.to_vec())), Ok(Action::Post(bytes.into())));
        assert_eq!(check(Some(vec![])), Ok(Action::Post(Bytes::new())));
        assert_eq!(check(None), Ok(Action::Close));
    }

    #[test]
    fn a_value_is_at_most_as_large_as_a_message() {
        assert!(check(Some(vec![0; 131_072])).is_ok());
        assert_eq!(
            check(Some(vec![0; 131_073])),
            Err("value: found 131073 bytes, expected at most 131072".to_owned())
        );
    }
}
