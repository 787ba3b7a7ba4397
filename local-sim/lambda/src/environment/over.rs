//! How an invocation, or a process, came to its end.

use std::time::Duration;

use uuid::Uuid;

use crate::error::InvokeError;

/// How an invocation, or a process, came to its end.
#[derive(Debug)]
pub(crate) enum Over {
    /// By a reply.
    Answered,
    /// It took too long.
    TimedOut,
    /// The process ended, so.
    Exited(String),
    /// The process could not be started, or said itself why it does not start.
    Failed(InvokeError),
}

impl Over {
    /// What who invoked is told where there was no reply.
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
