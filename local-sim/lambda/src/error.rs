//! Why an invocation has no payload.

use std::fmt;

use thiserror::Error;

use super::limits::EVENT_BYTES_MAX;

/// Why an invocation has no payload.
#[derive(Debug, Clone, Error)]
pub enum InvokeError {
    /// The function threw, ended or took too long, in the words that Lambda reports.
    #[error("{error_type}: {}", Cut(message))]
    Function {
        /// Lambda's or the function's word, for example `Runtime.ExitError`.
        error_type: String,
        /// For people.
        message: String,
    },
    /// As many invocations are under way as there may be.
    #[error("TooManyRequestsException: Rate Exceeded.")]
    Throttled,
    /// No function has this name.
    #[error("ResourceNotFoundException: Function not found")]
    NotFound,
    /// No function takes an event of this size.
    #[error(
        "RequestTooLargeException: an event of {bytes} bytes, expected at most {EVENT_BYTES_MAX}"
    )]
    TooLarge {
        /// Of the event.
        bytes: usize,
    },
}

impl InvokeError {
    pub(super) fn function(error_type: &str, message: String) -> Self {
        Self::Function {
            error_type: error_type.to_owned(),
            message,
        }
    }

    /// Lambda's or the function's word for it.
    pub fn error_type(&self) -> &str {
        match self {
            Self::Function { error_type, .. } => error_type,
            Self::Throttled => "TooManyRequestsException",
            Self::NotFound => "ResourceNotFoundException",
            Self::TooLarge { .. } => "RequestTooLargeException",
        }
    }

    /// What it says for people, without its type.
    pub fn message(&self) -> String {
        if let Self::Function { message, .. } = self {
            return message.clone();
        }
        let text = self.to_string();
        let message = text.strip_prefix(self.error_type());
        let message = message.and_then(|rest| rest.strip_prefix(": "));
        message.unwrap_or(&text).to_owned()
    }
}

/// A message of a function, which may be as long as a reply, in a line of the log.
struct Cut<'a>(&'a str);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(message) = self;
        if message.len() <= MESSAGE_LOGGED_BYTES_MAX {
            return f.write_str(message);
        }
        let end = message.floor_char_boundary(MESSAGE_LOGGED_BYTES_MAX);
        write!(f, "{}… ({} bytes)", &message[..end], message.len())
    }
}

/// So much is logged of what a function says of its failure.
const MESSAGE_LOGGED_BYTES_MAX: usize = 1024;
