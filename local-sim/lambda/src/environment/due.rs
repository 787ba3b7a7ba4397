//! What is due in an environment.

use std::time::Instant;

/// What is due in an environment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing before then.
    At(Instant),
    /// Its init takes too long.
    Init,
    /// Its invocation takes too long.
    Invocation,
    /// It has nothing to do, and has asked for nothing for as long as an invocation may take.
    Silence,
    /// It has been idle for long.
    Idle,
}
