//! Checks names by the rules of Lambda, Kafka and API Gateway.

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

/// Whether `key` is a valid route key. Only API Gateway's own three keys may start with `$`.
pub(crate) fn is_route_key(key: &str) -> bool {
    match key {
        CONNECT | DISCONNECT | DEFAULT => true,
        key => !key.is_empty() && !key.starts_with('$'),
    }
}

/// The route for a new connection.
pub(crate) const CONNECT: &str = "$connect";
/// The route for a closed connection.
pub(crate) const DISCONNECT: &str = "$disconnect";
/// The route for messages that match no other route.
pub(crate) const DEFAULT: &str = "$default";

/// Lambda's limit for a function name.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>
const FUNCTION_CHARS_MAX: usize = 64;

/// Kafka's limit for a topic name: log directories are named after topics.
const TOPIC_CHARS_MAX: usize = 249;

/// What [`function`] accepts, for errors.
pub(crate) const FUNCTION: &str = "a function name of 1 to 64 letters, digits, `-` and `_`";
/// What [`topic`] accepts, for errors.
pub(crate) const TOPIC: &str =
    "a topic name of 1 to 249 letters, digits, `.`, `_` and `-`, other than `.` and `..`";
/// What [`is_route_key`] accepts, for errors.
pub(crate) const ROUTE_KEY: &str =
    "`$connect`, `$disconnect`, `$default`, or a key that does not start with `$`";
