//! The trait that stores records.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::{failure::Failure, record::Record};

/// Stores records durably.
pub trait Sink: Send + Sync {
    /// Stores a record. Returns once all in-sync replicas have it, or fails by `deadline`.
    fn publish(
        &self,
        record: Record,
        deadline: Instant,
    ) -> impl Future<Output = Result<Receipt, Failure>> + Send;
}

/// Where a record was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

impl<S: Sink> Sink for &S {
    fn publish(
        &self,
        record: Record,
        deadline: Instant,
    ) -> impl Future<Output = Result<Receipt, Failure>> + Send {
        (**self).publish(record, deadline)
    }
}

/// A sink in memory, for tests.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Vec<Record>>);

impl Memory {
    /// The records published so far.
    pub fn records(&self) -> Vec<Record> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Sink for Memory {
    async fn publish(&self, record: Record, _deadline: Instant) -> Result<Receipt, Failure> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.push(record);
        Ok(Receipt {
            partition: 0,
            offset: i64::try_from(records.len() - 1).unwrap_or(i64::MAX),
        })
    }
}
