//! The session in use, started by the first record that needs it and shared by all.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

use super::{clock::has_passed, shared_init::SharedInit};

/// A session, or a connection of it, that was idle for longer is replaced: a NAT or load balancer
/// forgets a silent connection after 350 s without notice.
pub(super) const IDLE_MAX: Duration = Duration::from_mins(1);

/// A session that is being started, or has been.
pub(super) type SharedSession<S> = Arc<SharedInit<S>>;

/// The session in use, if any.
#[derive(Debug)]
pub(super) struct CurrentSession<S>(Mutex<Option<Slot<S>>>);

/// A session, and when it was last used by the wall clock, since the monotonic clock may stop while
/// a function is frozen.
#[derive(Debug)]
struct Slot<S> {
    shared: SharedSession<S>,
    used: SystemTime,
}

impl<S> CurrentSession<S> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The session in use, or the one that `begin` starts if there is none or it was idle too long `now`.
    pub(super) fn shared_session(
        &self,
        now: SystemTime,
        begin: impl FnOnce() -> SharedInit<S>,
    ) -> SharedSession<S> {
        let mut current = self.0.lock();
        let trusted = current
            .take()
            .filter(|slot| !has_passed(IDLE_MAX, slot.used, now));
        let shared = trusted.map_or_else(|| Arc::new(begin()), |slot| slot.shared);
        *current = Some(Slot {
            shared: Arc::clone(&shared),
            used: now,
        });
        shared
    }

    /// Drops a session, unless another one has replaced it already. Records in flight may still be
    /// confirmed.
    pub(super) fn discard(&self, shared: &SharedSession<S>) {
        let mut current = self.0.lock();
        if current
            .as_ref()
            .is_some_and(|slot| Arc::ptr_eq(&slot.shared, shared))
        {
            *current = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: SystemTime = SystemTime::UNIX_EPOCH;

    /// Whether a session is still in use so many seconds after it was.
    fn check(idle: u64) -> bool {
        let current = CurrentSession::new();
        let begin = || SharedInit::start(async { Ok(()) });
        let first = current.shared_session(BEGUN, begin);
        let then = current.shared_session(BEGUN + Duration::from_secs(idle), begin);
        Arc::ptr_eq(&first, &then)
    }

    #[tokio::test]
    async fn a_session_is_shared_until_it_was_idle_too_long() {
        assert!(check(0));
        assert!(check(60));
        assert!(!check(61));
    }

    #[tokio::test]
    async fn a_session_in_use_is_not_idle() {
        let current = CurrentSession::new();
        let begin = || SharedInit::start(async { Ok(()) });
        let first = current.shared_session(BEGUN, begin);
        for seconds in (0..600).step_by(60) {
            let now = BEGUN + Duration::from_secs(seconds);
            assert!(Arc::ptr_eq(&first, &current.shared_session(now, begin)));
        }
    }

    #[tokio::test]
    async fn a_session_is_discarded_once_and_not_its_successor() {
        let current = CurrentSession::new();
        let begin = || SharedInit::start(async { Ok(()) });
        let first = current.shared_session(BEGUN, begin);

        current.discard(&first);
        let second = current.shared_session(BEGUN, begin);
        current.discard(&first);

        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &current.shared_session(BEGUN, begin)));
    }
}
