//! The APIs: what each answers, from the request's fields to the response's. No bytes, no sockets.

pub(crate) mod api_versions;
pub(crate) mod committed;
pub(crate) mod configs;
pub(crate) mod coordinator;
pub(crate) mod fetch;
pub(crate) mod groups;
pub(crate) mod members;
pub(crate) mod metadata;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod sasl;
pub(crate) mod topics;

use kafka_protocol::{ResponseError, messages::TopicName, protocol::StrBytes};

/// A text of ours as the protocol's type.
fn text(value: &(impl ToString + ?Sized)) -> StrBytes {
    StrBytes::from_string(value.to_string())
}

/// A topic's name as the protocol's type.
fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// The error code of an outcome: 0 for none.
fn code(outcome: Result<(), ResponseError>) -> i16 {
    outcome.map_or_else(|error| error.code(), |()| 0)
}
