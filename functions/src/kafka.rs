//! The sink that is Kafka: acknowledged by all in-sync replicas, or not at all.
//!
//! ```text
//! Record ─▶ Producer ─▶ Attempts ─▶ Session ─▶ one connection per partition
//!              │ again until the deadline, each time in a new session,
//!              │ after what a session cannot outlive
//!              ▼
//!           Verdict: final (a code for the client), or worth another attempt
//! ```
//!
//! A record whose confirmation was lost is sent again, so it may be stored
//! twice. Both carry the same `ce_id`, and the log says which.

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
