//! A batch of records, each parsed into a command.

use bytes::Bytes;

use crate::{
    address::{self, ConnectionId, Header},
    poison::Poison,
};

/// The largest message that the gateway accepts.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
pub const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// The records of one invocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Its partitions, without duplicates.
    pub partitions: Vec<Partition>,
}

impl Batch {
    /// The partition, offset and reason of each record that can never be delivered.
    pub fn poison(&self) -> impl Iterator<Item = (&str, i64, &Poison)> {
        self.partitions.iter().flat_map(|partition| {
            let records = partition.records.iter();
            records.filter_map(|record| {
                let poison = record.command.as_ref().err()?;
                Some((&*partition.name, record.offset, poison))
            })
        })
    }
}

/// The records of one partition, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The event source mapping's name for it: `TOPIC-NUMBER`.
    pub name: String,
    /// Its records in this batch, in order.
    pub records: Vec<Record>,
}

/// One record of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The offset in the partition.
    pub offset: i64,
    /// The record's timestamp in milliseconds.
    ///
    /// It distinguishes the record from one with the same offset in a topic that was deleted and
    /// created again.
    pub timestamp: i64,
    /// What to do, or why the record can never be delivered.
    pub command: Result<Command, Poison>,
}

/// The content of a record: an action on one or more connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The connections it is addressed to, without duplicates; may be empty.
    pub to: Vec<ConnectionId>,
    /// What to do with each connection.
    pub action: Action,
}

/// What to do with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send this message to the connection.
    Post(Bytes),
    /// Close the connection.
    Close,
}

impl Command {
    /// Parses a record. A record without a value closes its connections.
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
        Command::new(&[], Some(b"a="), value)
            .map(|command| command.action)
            .map_err(|poison| poison.to_string())
    }

    #[test]
    fn a_value_is_posted_and_a_missing_value_closes_the_connection() {
        let bytes = b"\xffhi\0".as_slice();
        assert_eq!(check(Some(bytes.to_vec())), Ok(Action::Post(bytes.into())));
        assert_eq!(check(Some(vec![])), Ok(Action::Post(Bytes::new())));
        assert_eq!(check(None), Ok(Action::Close));
    }

    #[test]
    fn a_value_larger_than_a_message_is_an_error() {
        assert!(check(Some(vec![0; 131_072])).is_ok());
        assert_eq!(
            check(Some(vec![0; 131_073])),
            Err("value: 131073 bytes (the maximum is 131072)".to_owned())
        );
    }
}
