//! An invocation on its way to a process, and the way back.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use uuid::{Builder, Uuid};

use super::InvokeError;

/// What an invocation ends with.
pub(super) type Outcome = Result<Bytes, InvokeError>;

/// One event, and who waits for what becomes of it.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: Uuid,
    pub(super) event: Bytes,
    reply: oneshot::Sender<Outcome>,
    /// Given back when the function is done, whether or not somebody still waits for it.
    permits: Permits,
}

impl Invocation {
    /// Makes an invocation, and what its outcome comes by.
    pub(super) fn new(event: Bytes, permits: Permits) -> (Self, oneshot::Receiver<Outcome>) {
        let (reply, replied) = oneshot::channel();
        let invocation = Self {
            request_id: request_id(),
            event,
            reply,
            permits,
        };
        (invocation, replied)
    }

    /// Gives the outcome to who invoked, if it is still there.
    pub(super) fn answer(self, outcome: Outcome) {
        drop(self.permits);
        let _ = self.reply.send(outcome);
    }
}

/// A random UUID. It is no secret, so that the system need not be asked for each.
fn request_id() -> Uuid {
    Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid()
}

/// The right to be one of the invocations under way.
#[derive(Debug)]
pub(super) struct Permits {
    _account: OwnedSemaphorePermit,
    _reserved: Option<OwnedSemaphorePermit>,
}

impl Permits {
    /// Takes one of the account and, where it has a share of its own, of the function; `None` where one is used up.
    pub(super) fn acquire(
        account: &Arc<Semaphore>,
        reserved: Option<&Arc<Semaphore>>,
    ) -> Option<Self> {
        let take = |semaphore: &Arc<Semaphore>| Arc::clone(semaphore).try_acquire_owned().ok();
        let reserved = match reserved {
            Some(semaphore) => Some(take(semaphore)?),
            None => None,
        };
        Some(Self {
            _account: take(account)?,
            _reserved: reserved,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_of_the_account_and_of_the_function() {
        let account = Arc::new(Semaphore::new(2));
        let reserved = Arc::new(Semaphore::new(1));
        let first = Permits::acquire(&account, Some(&reserved));
        assert!(first.is_some());
        assert!(Permits::acquire(&account, Some(&reserved)).is_none());
        assert_eq!(
            account.available_permits(),
            1,
            "nothing is kept of a refusal"
        );
        drop(first);
        assert!(Permits::acquire(&account, Some(&reserved)).is_some());
    }
}
