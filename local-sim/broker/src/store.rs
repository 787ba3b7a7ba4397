//! Stores topics, their partitions and their record batches, without sockets or requests.

pub(crate) mod batch;
pub(crate) mod log;
pub(crate) mod partition;
pub(crate) mod producers;
pub(crate) mod recent;
pub(crate) mod records;
pub(crate) mod retention;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod topics;
