//! The embedded Kafka broker: one node, in memory, for one developer's machine.
//!
//! Ordinary clients (rskafka, librdkafka, Java's) find here what Apache Kafka would answer: topics, partitions,
//! offsets, long polls, idempotent producers, consumer groups. Records and offsets are lost when the process ends, and
//! the oldest records go when memory is short. There are no transactions, no static members of groups, no replicas and
//! no security.
//!
//! ```text
//! broker ───▶ connection ─▶ request ──▶ api ───────▶ cluster ─▶ store, groups, faults
//! listener    frames        bytes to    a function   what all   topics, partitions, logs, retention;
//!                           fields      for each     share ▲    members, offsets; trouble on demand
//! control ─────────────────────────────────────────────────┘
//! the developer's hand
//! ```
//! Each names only what is to its right. `limits` has every bound.

mod api;
mod broker;
mod cluster;
mod connection;
mod control;
mod faults;
mod groups;
mod limits;
mod request;
mod shape;
mod store;
#[cfg(test)]
mod tests;

pub use broker::Broker;
pub use cluster::Options;
pub use control::Control;
pub use faults::{Fault, Kind};
pub use limits::{FAULT_WAIT_MAX, RETENTION_BYTES_DEFAULT};
pub use store::{recent::Place, topics::TopicError};
