//! An invocation and the channel for its outcome.

use bytes::Bytes;
use tokio::sync::oneshot;
use uuid::{Builder, Uuid};

use super::{concurrency::Permit, error::InvokeError};

/// The result of an invocation: the reply, or the error.
pub(super) type Outcome = Result<Bytes, InvokeError>;

/// An event, with the channel to the caller that waits for the outcome.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: Uuid,
    pub(super) event: Bytes,
    reply: oneshot::Sender<Outcome>,
    /// Released when the function finishes, even if the caller no longer waits.
    permit: Permit,
}

impl Invocation {
    /// Creates an invocation and the receiver for its outcome.
    pub(super) fn new(event: Bytes, permit: Permit) -> (Self, oneshot::Receiver<Outcome>) {
        let (reply, replied) = oneshot::channel();
        let invocation = Self {
            request_id: request_id(),
            event,
            reply,
            permit,
        };
        (invocation, replied)
    }

    /// Sends the outcome to the caller, if it still waits.
    pub(super) fn answer(self, outcome: Outcome) {
        drop(self.permit);
        let _ = self.reply.send(outcome);
    }
}

/// A random UUID. It is not secret, so a fast generator is sufficient.
fn request_id() -> Uuid {
    Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid()
}
