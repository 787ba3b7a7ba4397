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

pub(crate) use broker::Broker;
pub(crate) use cluster::Options;
pub(crate) use control::Control;
pub(crate) use faults::{Fault, Kind};
pub(crate) use limits::{FAULT_WAIT_MAX, RETENTION_BYTES_DEFAULT};
pub(crate) use store::recent::Place;
