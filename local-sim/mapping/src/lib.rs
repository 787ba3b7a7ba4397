//! Lambda's event source mapping for Kafka: invokes a function with batches of records.
//!
//! ```text
//!            ┌─ partition_reader, one per partition (batch) ◀── cluster: leaders (broker_conn)
//!  poller ◀──┤
//!    │  ▲    └─ group: the committed offsets, where reading starts (start)
//!    │  └────── schedule: forms batches, decides on retries and giving up (no I/O, no clock)
//!    ├─ event ─▶ Lambda ─▶ report: the records that the function reports as failed
//!    └─ dead_letter: stores the records given up
//! ```
//! Delivers each record at least once, in order within its partition. A failing partition does not
//! delay the others. Works with any Kafka cluster and with the embedded broker.

mod batch;
mod broker_conn;
mod catch_panic;
mod cluster;
mod dead_letter;
mod event;
mod group;
mod partition_reader;
mod poller;
mod report;
mod response_shape;
#[cfg(test)]
mod sample;
mod schedule;
#[cfg(test)]
mod scripted_broker;
mod start;

pub use self::{poller::Mapping, start::StartError};
