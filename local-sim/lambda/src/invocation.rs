//! An invocation and the channel for its outcome.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use uuid::{Builder, Uuid};

use super::{concurrency::Permit, error::InvokeError};

/// The result of an invocation: the reply, or the error.
pub(super) type Outcome = Result<Bytes, InvokeError>;

/// An invocation that has ended.
#[derive(Debug)]
pub struct Invoked {
    /// Its request id; `None` if it did not reach an environment.
    pub request_id: Option<Uuid>,
    /// How long the environment took to start, if this was a cold start.
    pub init: Option<Duration>,
    /// The reply, or the error.
    pub outcome: Result<Bytes, InvokeError>,
}

impl Invoked {
    /// An invocation that no environment ran.
    pub(super) fn refused(error: InvokeError) -> Self {
        Self {
            request_id: None,
            init: None,
            outcome: Err(error),
        }
    }
}

/// An event, with the channel to the caller that waits for the outcome.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: Uuid,
    pub(super) event: Bytes,
    /// The duration of the cold start, if there was one. Known once an environment has taken the invocation.
    pub(super) init: Option<Duration>,
    reply: oneshot::Sender<Invoked>,
    /// Released when the function finishes, even if the caller no longer waits.
    permit: Permit,
}

impl Invocation {
    /// Creates an invocation and the receiver for its outcome.
    pub(super) fn new(event: Bytes, permit: Permit) -> (Self, oneshot::Receiver<Invoked>) {
        let (reply, replied) = oneshot::channel();
        let invocation = Self {
            request_id: request_id(),
            event,
            init: None,
            reply,
            permit,
        };
        (invocation, replied)
    }

    /// Sends the outcome to the caller, if it still waits.
    pub(super) fn answer(self, outcome: Outcome) {
        drop(self.permit);
        let _ = self.reply.send(Invoked {
            request_id: Some(self.request_id),
            init: self.init,
            outcome,
        });
    }
}

/// A random UUID. It is not secret, so a fast generator is sufficient.
fn request_id() -> Uuid {
    Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid()
}
