//! Why a record can never be delivered.

use thiserror::Error;

/// Why a record can never be delivered, however often it is tried.
///
/// The text quotes neither value, key nor headers: a record that is in this
/// topic by mistake may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Poison {
    /// The record names no connection.
    #[error("found no address, expected a header to, a header ce_connectionid, or a key")]
    NoAddress,
    /// The header `to` is not a JSON list of texts.
    #[error("header to: found something else, expected a JSON list of connection ids")]
    NoList,
    /// The list is too long.
    #[error("header to: found {ids} connection ids, expected at most {max}")]
    TooMany {
        /// How many ids it has.
        ids: usize,
        /// How many it may have.
        max: usize,
    },
    /// An id has characters, or a length, that no connection id has.
    #[error("{place}: found something else, expected a connection id")]
    NoId {
        /// The part of the record that holds it.
        place: &'static str,
    },
    /// The value is larger than the gateway takes.
    #[error("value: found {bytes} bytes, expected at most {max}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        max: usize,
    },
    /// A field of the event's record is not what a mapping sends.
    #[error("{field}: found something else, expected {expected}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What a mapping sends.
        expected: &'static str,
    },
}
