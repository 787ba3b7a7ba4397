//! Why a message was not stored, and whether its client may retry.

use std::error::Error;

use serde::Serialize;

/// An error code that a client can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The message cannot be used.
    BadRequest,
    /// The message is larger than its topic accepts.
    TooLarge,
    /// The function may see the topic but not write to it.
    Forbidden,
    /// The topic does not exist, or the function may not see it.
    NoTopic,
    /// A bug, or a wrong deployment.
    Internal,
    /// Not confirmed in time. The record may have been stored.
    Unavailable,
}

impl Code {
    /// Whether sending the same message again can help.
    pub fn retryable(self) -> bool {
        self.answer().1
    }

    /// The HTTP status, with which a `$connect` is refused.
    pub fn status(self) -> u16 {
        self.answer().0
    }

    /// The HTTP status, and whether a retry can help.
    fn answer(self) -> (u16, bool) {
        match self {
            Self::BadRequest => (400, false),
            Self::TooLarge => (413, false),
            Self::Forbidden | Self::NoTopic | Self::Internal => (500, false),
            Self::Unavailable => (503, true),
        }
    }
}

/// The error of a message or connection that was not stored.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The error code.
    pub code: Code,
    /// The text for the client. It names no broker, topic or credential.
    pub message: String,
    /// The cause, for the log only.
    #[source]
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure without a cause.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            cause: None,
        }
    }

    /// The same failure, with a cause.
    pub fn because(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: Code) -> (String, u16, bool) {
        let name = serde_json::to_string(&code).expect("a string");
        (name, code.status(), code.retryable())
    }

    #[test]
    fn every_code_has_its_word_its_status_and_its_advice() {
        let row = |name: &str, status, retryable| (format!("{name:?}"), status, retryable);
        assert_eq!(check(Code::BadRequest), row("bad_request", 400, false));
        assert_eq!(check(Code::TooLarge), row("too_large", 413, false));
        assert_eq!(check(Code::Forbidden), row("forbidden", 500, false));
        assert_eq!(check(Code::NoTopic), row("no_topic", 500, false));
        assert_eq!(check(Code::Internal), row("internal", 500, false));
        assert_eq!(check(Code::Unavailable), row("unavailable", 503, true));
    }
}
