//! The embedded Kafka broker: one node, in memory, for one developer's machine.
//!
//! Ordinary clients (rskafka, librdkafka, Java's) find here what Apache Kafka would answer: topics, partitions,
//! offsets, long polls, idempotent producers, consumer groups. Records and offsets are lost when the process ends, and
//! the oldest records go when memory is short. There are no transactions, no static members of groups, no replicas and
//! no security.
//!
//! ```text
//! broker ───▶ connection ─▶ request ──▶ api ───────▶ cluster ─▶ store, groups
//! listener    frames        bytes to    a function   what all   topics, partitions, logs, retention;
//!                           fields      for each     share      members, offsets
//! ```
//! Each names only what is to its right. `limits` has every bound.

mod api;
mod broker;
mod cluster;
mod connection;
mod groups;
mod limits;
mod request;
mod shape;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use broker::Broker;
pub(crate) use cluster::Options;
pub(crate) use limits::RETENTION_BYTES_DEFAULT;
