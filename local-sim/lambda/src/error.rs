//! Errors of an invocation.

use std::fmt;

use thiserror::Error;

use super::limits::EVENT_BYTES_MAX;

/// An invocation failed or was not run.
#[derive(Debug, Clone, Error)]
pub enum InvokeError {
    /// The function returned an error, exited or timed out.
    #[error("{error_type}: {}", Truncated(message))]
    Function {
        /// Set by Lambda or the function, for example `Runtime.ExitError`.
        error_type: String,
        /// A human-readable message.
        message: String,
    },
    /// The concurrency limit is reached.
    #[error("TooManyRequestsException: Rate Exceeded.")]
    Throttled,
    /// No function has this name.
    #[error("ResourceNotFoundException: Function not found")]
    NotFound,
    /// The event exceeds Lambda's size limit.
    #[error(
        "RequestTooLargeException: event of {bytes} bytes exceeds the limit of {EVENT_BYTES_MAX} bytes"
    )]
    TooLarge {
        /// The size of the event.
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

    /// The error type, set by Lambda or the function.
    pub fn error_type(&self) -> &str {
        match self {
            Self::Function { error_type, .. } => error_type,
            Self::Throttled => "TooManyRequestsException",
            Self::NotFound => "ResourceNotFoundException",
            Self::TooLarge { .. } => "RequestTooLargeException",
        }
    }

    /// The human-readable message, without the type.
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

/// A function's error message, truncated for a log line.
struct Truncated<'a>(&'a str);

impl fmt::Display for Truncated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(message) = self;
        if message.len() <= MESSAGE_LOGGED_BYTES_MAX {
            return f.write_str(message);
        }
        let end = message.floor_char_boundary(MESSAGE_LOGGED_BYTES_MAX);
        write!(f, "{}… ({} bytes)", &message[..end], message.len())
    }
}

/// Longer error messages of functions are truncated in the log.
const MESSAGE_LOGGED_BYTES_MAX: usize = 1024;
