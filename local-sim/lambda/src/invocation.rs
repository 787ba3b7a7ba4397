//! An invocation on its way to a process, and the way back.

use bytes::Bytes;
use tokio::sync::oneshot;
use uuid::{Builder, Uuid};

use super::{concurrency::Permit, error::InvokeError};

/// What an invocation ends with.
pub(super) type Outcome = Result<Bytes, InvokeError>;

/// One event, and who waits for what becomes of it.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: Uuid,
    pub(super) event: Bytes,
    reply: oneshot::Sender<Outcome>,
    /// Given back when the function is done, whether or not somebody still waits for it.
    permit: Permit,
}

impl Invocation {
    /// Makes an invocation, and what its outcome comes by.
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

    /// Gives the outcome to who invoked, if it is still there.
    pub(super) fn answer(self, outcome: Outcome) {
        drop(self.permit);
        let _ = self.reply.send(outcome);
    }
}

/// A random UUID. It is no secret, so that the system need not be asked for each.
fn request_id() -> Uuid {
    Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid()
}
