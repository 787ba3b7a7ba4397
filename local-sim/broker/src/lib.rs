//! The embedded Kafka broker: one node, in memory, for a developer's machine.
//!
//! It serves ordinary Kafka clients (rskafka, librdkafka, Java's). It supports topics, partitions,
//! offsets, long polling, idempotent producers and consumer groups. It does not support
//! transactions, static group membership, replication or security.
//!
//! Records and offsets are lost when the process ends. The oldest records are dropped when the
//! records exceed [`Options::retention_bytes`].
//!
//! ```text
//! broker ───▶ connection ─▶ request ──▶ api ───────▶ cluster ─▶ store, groups, faults
//! listener    frames        bytes to    one handler  shared     topics, partitions, logs, retention;
//!                           fields      per API      state ▲    members, offsets; injected faults
//! control ─────────────────────────────────────────────────┘
//! for the console
//! ```
//! Each module uses only the modules to its right. `limits` holds every bound.

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
