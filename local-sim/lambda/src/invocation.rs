//! An invocation on its way to a process, and the way back.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use uuid::{Builder, Uuid};

use super::{concurrency::Permit, error::InvokeError};

/// What an invocation ends with.
pub(super) type Outcome = Result<Bytes, InvokeError>;

/// An invocation that has ended.
#[derive(Debug)]
pub struct Invoked {
    /// Its request id; `None` if it did not reach an environment.
    pub request_id: Option<Uuid>,
    /// How long the environment took to start, if this was a cold start.
    pub init: Option<Duration>,
    /// The reply, or why there is none.
    pub outcome: Result<Bytes, InvokeError>,
}

impl Invoked {
    /// An invocation that no environment was to run.
    pub(super) fn refused(error: InvokeError) -> Self {
        Self {
            request_id: None,
            init: None,
            outcome: Err(error),
        }
    }
}

/// One event, and who waits for what becomes of it.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: Uuid,
    pub(super) event: Bytes,
    /// Of a cold start; known once an environment has taken the invocation.
    pub(super) init: Option<Duration>,
    reply: oneshot::Sender<Invoked>,
    /// Given back when the function is done, whether or not somebody still waits for it.
    permit: Permit,
}

impl Invocation {
    /// Makes an invocation, and what its outcome comes by.
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

    /// Gives the outcome to who invoked, if it is still there.
    pub(super) fn answer(self, outcome: Outcome) {
        drop(self.permit);
        let _ = self.reply.send(Invoked {
            request_id: Some(self.request_id),
            init: self.init,
            outcome,
        });
    }
}

/// A random UUID. It is no secret, so that the system need not be asked for each.
fn request_id() -> Uuid {
    Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid()
}
