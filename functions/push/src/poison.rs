//! The reasons why a record can never be delivered.

use thiserror::Error;

/// Why a record can never be delivered, even if it is retried.
///
/// The text never quotes the value, the key or a header: a record that was sent to this topic by
/// mistake may contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Poison {
    /// The record has neither an address header nor a key.
    #[error("no recipient (set the header `to`, the header `ce_connectionid` or the key)")]
    NoRecipient,
    /// The header `to` is not a JSON list of strings.
    #[error("header `to`: not a JSON list of connection ids")]
    InvalidList,
    /// The header `to` lists too many ids.
    #[error("header `to`: {ids} connection ids (the maximum is {max})")]
    TooManyIds {
        /// The number of ids.
        ids: usize,
        /// The maximum.
        max: usize,
    },
    /// An id has invalid characters or an invalid length.
    #[error("{field}: invalid connection id")]
    InvalidId {
        /// The part of the record that contains the id.
        field: &'static str,
    },
    /// The value is larger than the gateway accepts.
    #[error("value: {bytes} bytes (the maximum is {max})")]
    TooLarge {
        /// The size of the value in bytes.
        bytes: usize,
        /// The maximum in bytes.
        max: usize,
    },
    /// A field of the record in the event has an invalid format.
    #[error("{field}: {problem}")]
    Malformed {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}
