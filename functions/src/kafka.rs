//! Stores records in Kafka: acknowledged by all in-sync replicas, or not at all.
//!
//! ```text
//! Record ─▶ Producer ─▶ Attempts ─▶ Session ─▶ one connection per partition
//!              │ retries until the deadline, in a new session after an
//!              │ error that a session does not survive
//!              ▼
//!           Verdict: final (a code for the client), or worth a retry
//! ```
//!
//! A record whose confirmation was lost is sent again, so it may be stored twice. Both copies have
//! the same `ce_id`, and the log names it.

mod attempt;
mod clock;
mod current_session;
mod error;
mod missing_topic;
mod producer;
mod session;
mod shared_init;
mod topics;
mod verdict;

pub use self::{
    error::{AttemptError, Step},
    producer::Producer,
};
