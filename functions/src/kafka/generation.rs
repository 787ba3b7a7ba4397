//! The session in use: begun by the first who needs it, shared by all.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

use super::{clock::has_passed, opening::Opening};

/// A session that was idle for longer is not trusted, nor is one of its
/// connections: on its way, a NAT or a
/// load balancer forgets a silent connection after 350 s, and tells nobody.
pub(super) const IDLE_MAX: Duration = Duration::from_mins(1);

/// A session, from when it is begun.
pub(super) type Generation<S> = Arc<Opening<S>>;

/// The generation in use, if any.
#[derive(Debug)]
pub(super) struct Current<S>(Mutex<Option<Slot<S>>>);

/// A generation, and when it was used last by the wall clock: the monotonic
/// one may stand still while a function is frozen.
#[derive(Debug)]
struct Slot<S> {
    generation: Generation<S>,
    used: SystemTime,
}

impl<S> Current<S> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The generation in use, or what `begin` makes where there is none that
    /// can be trusted `now`.
    pub(super) fn generation(
        &self,
        now: SystemTime,
        begin: impl FnOnce() -> Opening<S>,
    ) -> Generation<S> {
        let mut current = self.0.lock();
        let trusted = current
            .take()
            .filter(|slot| !has_passed(IDLE_MAX, slot.used, now));
        let generation = trusted.map_or_else(|| Arc::new(begin()), |slot| slot.generation);
        *current = Some(Slot {
            generation: Arc::clone(&generation),
            used: now,
        });
        generation
    }

    /// Lets go of a generation, unless another one has taken its place already.
    /// Records that wait in it may still be confirmed.
    pub(super) fn discard(&self, generation: &Generation<S>) {
        let mut current = self.0.lock();
        if current
            .as_ref()
            .is_some_and(|slot| Arc::ptr_eq(&slot.generation, generation))
        {
            *current = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: SystemTime = SystemTime::UNIX_EPOCH;

    /// Whether a generation is still in use so many seconds after it was.
    fn check(idle: u64) -> bool {
        let current = Current::new();
        let begin = || Opening::start(async { Ok(()) });
        let first = current.generation(BEGUN, begin);
        let then = current.generation(BEGUN + Duration::from_secs(idle), begin);
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
        let current = Current::new();
        let begin = || Opening::start(async { Ok(()) });
        let first = current.generation(BEGUN, begin);
        for seconds in (0..600).step_by(60) {
            let now = BEGUN + Duration::from_secs(seconds);
            assert!(Arc::ptr_eq(&first, &current.generation(now, begin)));
        }
    }

    #[tokio::test]
    async fn a_session_is_discarded_once_and_not_its_successor() {
        let current = Current::new();
        let begin = || Opening::start(async { Ok(()) });
        let first = current.generation(BEGUN, begin);

        current.discard(&first);
        let second = current.generation(BEGUN, begin);
        current.discard(&first);

        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &current.generation(BEGUN, begin)));
    }
}
