//! Why an invocation or a process ended.

use std::time::Duration;

use uuid::Uuid;

use crate::error::InvokeError;

/// Why an invocation or a process ended.
#[derive(Debug)]
pub(crate) enum EndReason {
    /// The process replied.
    Answered,
    /// It took too long.
    TimedOut,
    /// The process exited, as the text says.
    Exited(String),
    /// The process could not be started, or reported an init error.
    Failed(InvokeError),
}

impl EndReason {
    /// The error for the caller of an invocation without a reply.
    pub(super) fn error(&self, request_id: Uuid, timeout: Duration) -> InvokeError {
        match self {
            Self::Failed(error) => error.clone(),
            Self::Exited(how) => InvokeError::function(
                "Runtime.ExitError",
                format!("RequestId: {request_id} Error: {how}"),
            ),
            Self::TimedOut | Self::Answered => InvokeError::function(
                "Sandbox.Timedout",
                format!(
                    "RequestId: {request_id} Error: Task timed out after {:.2} seconds",
                    timeout.as_secs_f64()
                ),
            ),
        }
    }
}
