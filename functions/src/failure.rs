//! Why a message was not stored, and what its client may do about it.

use std::error::Error;

use serde::Serialize;

/// What went wrong, in words that a client can act upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The message cannot be used.
    BadRequest,
    /// The message is larger than its topic takes.
    TooLarge,
    /// We may see the topic but not write to it.
    Forbidden,
    /// The topic does not exist, or is hidden from us.
    NoTopic,
    /// A fault of ours.
    Internal,
    /// Not confirmed in time, for whatever reason. The record may have been
    /// stored all the same.
    Unavailable,
}

impl Code {
    /// Whether sending the same message again can help.
    pub fn retryable(self) -> bool {
        self.answer().1
    }

    /// The HTTP status of the code, which a refused `$connect` is answered with.
    pub fn status(self) -> u16 {
        self.answer().0
    }

    /// The one place that says what a code means outside.
    fn answer(self) -> (u16, bool) {
        match self {
            Self::BadRequest => (400, false),
            Self::TooLarge => (413, false),
            Self::Forbidden | Self::NoTopic | Self::Internal => (500, false),
            Self::Unavailable => (503, true),
        }
    }
}

/// A message, or a connection, that was not stored.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What went wrong.
    pub code: Code,
    /// What the client is told. It names no broker, no topic and no credential.
    pub message: String,
    /// What lies behind it, for the log only.
    #[source]
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure that explains itself.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            cause: None,
        }
    }

    /// The same failure, with what lies behind it.
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
