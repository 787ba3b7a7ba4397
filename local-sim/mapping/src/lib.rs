//! Lambda's event source mapping for Kafka: hands batches of records to a function.
//!
//! ```text
//!            ┌─ source, one for each partition (batch) ◀── cluster: leaders, connections (wire)
//!  poller ◀──┤
//!    │  ▲    └─ group: the offsets committed, ours to go on from (join)
//!    │  └────── schedule: which records go out together, which again, which are given up (no I/O, no clock)
//!    ├─ event ─▶ Lambda ─▶ report: what the function says has failed
//!    └─ dead_letter: what was given up
//! ```
//! At least once, in order within each partition, and a partition that is stuck holds up no other. It reads any
//! cluster, the embedded broker too, as any client would.

mod answer_shape;
mod batch;
mod cluster;
mod dead_letter;
mod event;
mod group;
mod guarded;
mod join;
mod poller;
mod report;
#[cfg(test)]
mod sample;
mod schedule;
#[cfg(test)]
mod scripted_broker;
mod source;
mod wire;

pub use self::{join::JoinError, poller::Mapping};
