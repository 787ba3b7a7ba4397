//! Lambda's event source mapping for Kafka: hands batches of records to a function.
//!
//! ```text
//!            ┌─ partition_reader, one for each partition (batch) ◀── cluster: leaders (broker_conn)
//!  poller ◀──┤
//!    │  ▲    └─ group: the committed offsets, where reading begins (start)
//!    │  └────── schedule: which records are sent together, retried or given up (no I/O, no clock)
//!    ├─ event ─▶ Lambda ─▶ report: which records the function reports as failed
//!    └─ dead_letter: the records given up
//! ```
//! At least once, in order within each partition, and a partition that is stuck holds up no other. It reads any
//! cluster, the embedded broker too, as any client would.

mod answer_shape;
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
#[cfg(test)]
mod sample;
mod schedule;
#[cfg(test)]
mod scripted_broker;
mod start;

pub use self::{poller::Mapping, start::StartError};
