//! The timeouts of an environment.

use std::time::Instant;

/// The timeout of an environment that has expired, if any.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// None: check again at this time.
    At(Instant),
    /// The init takes too long.
    Init,
    /// The invocation takes too long.
    Invocation,
    /// The process has no invocation and has not polled for as long as an invocation may take.
    Silence,
    /// The environment has been idle for `reap_after`.
    Idle,
}
