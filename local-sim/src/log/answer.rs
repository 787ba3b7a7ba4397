//! What the client was told, in a word.

use std::borrow::Cow;

use local_sim_gateway::{Event, Kind};
use serde::Deserialize;

/// What the client was told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// An ack of our functions.
    Ack,
    /// An error code of our functions.
    Code(Cow<'a, str>),
    /// An error of the gateway.
    Error(&'a str),
    /// The status of a handshake.
    Status(u16),
    /// The close code and reason of a connection.
    Close(u16, &'a str),
    /// Nothing, or something else.
    None,
}

/// The answer of our functions to a message.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Reply<'a> {
    Ack,
    Error {
        #[serde(borrow)]
        code: Cow<'a, str>,
    },
}

impl<'a> Answer<'a> {
    pub(super) fn of(event: &Event<'a>) -> Self {
        match event.kind {
            Kind::Connect => Self::Status(event.status),
            Kind::Disconnect { code, reason } => Self::Close(code, reason),
            Kind::Post(_) => Self::None,
            Kind::Message { reply, .. } => match (event.error, reply) {
                (Some(error), _) => Self::Error(error),
                (None, Some(reply)) => Self::of_reply(reply),
                (None, None) => Self::None,
            },
        }
    }

    fn of_reply(reply: &'a str) -> Self {
        match serde_json::from_str(reply) {
            Ok(Reply::Ack) => Self::Ack,
            Ok(Reply::Error { code }) => Self::Code(code),
            Err(_) => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_our_functions_are_recognised() {
        let check = Answer::of_reply;
        assert_eq!(check(r#"{"type":"ack","id":"1"}"#), Answer::Ack);
        let error =
            r#"{"type":"error","id":1,"code":"unavailable","retryable":true,"message":"m"}"#;
        assert_eq!(check(error), Answer::Code("unavailable".into()));
        for other in [
            "",
            "hello",
            "{}",
            r#"{"type":"error"}"#,
            r#"{"type":"pong"}"#,
        ] {
            assert_eq!(check(other), Answer::None, "{other}");
        }
    }
}
