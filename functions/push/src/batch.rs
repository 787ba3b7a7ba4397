//! What a batch of records asks for.

use bytes::Bytes;
use thiserror::Error;

use crate::address::{self, ConnectionId, Header};

/// The gateway takes messages of this many bytes at most.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
pub const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// The records of one invocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Each partition once.
    pub partitions: Vec<Partition>,
}

impl Batch {
    /// The records that nothing can be done with: partition, offset and why.
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

/// The records of one partition, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The mapping's name of it: the topic, a hyphen and the number.
    pub name: String,
    /// Those of this batch.
    pub records: Vec<Record>,
}

/// One record of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the partition.
    pub offset: i64,
    /// Its time, which tells it from a record that had its place before, in a
    /// topic that was deleted since.
    pub timestamp: i64,
    /// What it asks for, or why that cannot be told.
    pub order: Result<Order, Poison>,
}

/// What one record asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The connections it is for, each once; nobody, where there is none.
    pub to: Vec<ConnectionId>,
    /// What is to be done with each.
    pub action: Action,
}

/// What is to be done with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send it this message.
    Post(Bytes),
    /// Close it.
    Close,
}

impl Order {
    /// What a record of these parts asks for; without a value, to close.
    ///
    /// # Errors
    /// That cannot be told, and never will be.
    pub fn new(
        headers: &[Header],
        key: Option<&[u8]>,
        value: Option<Vec<u8>>,
    ) -> Result<Self, Poison> {
        let to = address::recipients(headers, key)?;
        let action = match value {
            Some(value) if value.len() > MESSAGE_BYTES_MAX => {
                return Err(Poison::TooLarge { bytes: value.len() });
            }
            Some(value) => Action::Post(value.into()),
            None => Action::Close,
        };
        Ok(Self { to, action })
    }
}

/// Why a record will never be delivered, however often it is tried.
///
/// It shows nothing of the record's value, nor of its key and headers, which
/// may be meant for nobody's eyes if the record is in this topic by mistake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Poison {
    /// Nothing says whom it is for.
    #[error("found no address, expected a header to, a header ce_connectionid, or a key")]
    NoAddress,
    /// The list is none.
    #[error("header to: found something else, expected a JSON list of connection ids")]
    NoList,
    /// The list is too long.
    #[error(
        "header to: found {ids} connection ids, expected at most {}",
        address::RECIPIENTS_MAX
    )]
    TooMany {
        /// How long it is.
        ids: usize,
    },
    /// Somewhere, something else is in the place of an id.
    #[error("{place}: found something else, expected a connection id")]
    NoId {
        /// In which part of the record.
        place: &'static str,
    },
    /// No connection takes so much.
    #[error("value: found {bytes} bytes, expected at most {MESSAGE_BYTES_MAX}")]
    TooLarge {
        /// How much it is.
        bytes: usize,
    },
    /// It did not come as a mapping sends it.
    #[error("{field}: found something else, expected {expected}")]
    Malformed {
        /// The field of the event's record.
        field: &'static str,
        /// What a mapping sends.
        expected: &'static str,
    },
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
    fn a_value_is_posted_and_none_closes() {
        let bytes = b"\xffhi\0".as_slice();
        assert_eq!(check(Some(bytes.to_vec())), Ok(Action::Post(bytes.into())));
        assert_eq!(check(Some(vec![])), Ok(Action::Post(Bytes::new())));
        assert_eq!(check(None), Ok(Action::Close));
    }

    #[test]
    fn no_connection_takes_more_than_the_gateway_does() {
        assert!(check(Some(vec![0; 131_072])).is_ok());
        assert_eq!(
            check(Some(vec![0; 131_073])),
            Err("value: found 131073 bytes, expected at most 131072".to_owned())
        );
    }
}
