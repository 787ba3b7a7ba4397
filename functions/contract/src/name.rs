//! The names that Lambda, Kafka and API Gateway accept.

use crate::{error::DocumentError, node::Node};

/// Reads the name of a Lambda function.
pub(crate) fn function(node: &Node) -> Result<String, DocumentError> {
    node.text_that(is_function, FUNCTION)
}

/// Reads the name of a Kafka topic.
pub(crate) fn topic(node: &Node) -> Result<String, DocumentError> {
    node.text_that(is_topic, TOPIC)
}

pub(crate) fn is_function(name: &str) -> bool {
    (1..=FUNCTION_CHARS_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn is_topic(name: &str) -> bool {
    (1..=TOPIC_CHARS_MAX).contains(&name.len())
        && !matches!(name, "." | "..")
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Whether a route may have this key; only API Gateway's own three may begin with a `$`.
pub(crate) fn is_route_key(key: &str) -> bool {
    match key {
        CONNECT | DISCONNECT | DEFAULT => true,
        key => !key.is_empty() && !key.starts_with('$'),
    }
}

/// The route of a connection that opens.
pub(crate) const CONNECT: &str = "$connect";
/// The route of a connection that has closed.
pub(crate) const DISCONNECT: &str = "$disconnect";
/// The route of messages that match no other.
pub(crate) const DEFAULT: &str = "$default";

/// Lambda's limit for a function's name.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>
const FUNCTION_CHARS_MAX: usize = 64;

/// Kafka's limit for a topic's name: a log's folder is named after it.
const TOPIC_CHARS_MAX: usize = 249;

/// What [`function`] expects.
pub(crate) const FUNCTION: &str = "a function's name: 1 to 64 letters, digits, `-` and `_`";
/// What [`topic`] expects.
pub(crate) const TOPIC: &str =
    "a topic's name: 1 to 249 letters, digits, `.`, `_` and `-`, and not `.` or `..`";
/// What [`is_route_key`] expects.
pub(crate) const ROUTE_KEY: &str =
    "`$connect`, `$disconnect`, `$default` or a text that does not begin with `$`";
