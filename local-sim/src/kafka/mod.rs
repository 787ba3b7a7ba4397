//! The embedded Kafka broker: one node, in memory, for one developer's machine.
//!
//! Ordinary clients (rskafka, librdkafka, Java's) find here what Apache Kafka would answer: topics, partitions,
//! offsets, long polls, idempotent producers. Records are lost when the process ends, and the oldest go when memory is
//! short. There are no groups, no transactions, no replicas and no security.
//!
//! ```text
//! broker ───▶ connection ─▶ request ──▶ api ───────▶ cluster ─▶ store
//! listener    frames        bytes to    a function   what all   topics, partitions,
//!                           fields      for each     share      logs, retention
//! ```
//! Each names only what is to its right. `limits` has every bound.

mod api;
mod broker;
mod cluster;
mod connection;
mod limits;
mod request;
mod shape;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use broker::Broker;
pub(crate) use cluster::Options;
pub(crate) use limits::RETENTION_BYTES_DEFAULT;
