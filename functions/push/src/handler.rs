//! Handles an invocation: parses the event, delivers its records and reports failures.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sluice_aws::{Log, time_for_work};
use thiserror::Error;
use tokio::time::Instant;

use crate::{
    batch::Batch,
    connections::Connections,
    dedup::DedupCache,
    delivery::deliver,
    event::{self, EventError, Response},
    report::Report,
    work::Work,
};

/// Delivers the records of events. Skips redelivered records that are in its [`DedupCache`].
#[derive(Debug)]
pub struct Handler<C> {
    connections: C,
    log: Log,
    dedup: Mutex<DedupCache>,
}

/// One invocation of the function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's request id, for the log.
    pub request_id: String,
    /// The time until Lambda's timeout.
    pub time_left: Duration,
}

impl<C: Connections> Handler<C> {
    /// A handler that delivers to `connections`.
    pub fn new(connections: C, log: Log) -> Self {
        Self {
            connections,
            log,
            dedup: Mutex::default(),
        }
    }

    /// Delivers the records of an event, and reports where the mapping must redeliver.
    ///
    /// # Errors
    /// The JSON is not an event of a Kafka event source mapping.
    pub async fn handle(
        &self,
        json: &str,
        invocation: &Invocation,
    ) -> Result<Response, EventError> {
        let deadline = Instant::now() + time_for_work(invocation.time_left);
        let batch = event::parse(json).inspect_err(|error| {
            let request_id = ("requestId", &*invocation.request_id);
            self.log.error(error, &[request_id]);
        })?;
        let mut work = {
            let dedup = self.dedup();
            Work::new(&batch, |partition, record, to| {
                dedup.contains(partition, record, to)
            })
        };
        deliver(&self.connections, &mut work, deadline.into_std()).await;
        let report = work.report();
        self.dedup().update(&batch, &report);
        self.log(&batch, &report, invocation);
        Ok(Response::new(&report))
    }

    fn dedup(&self) -> MutexGuard<'_, DedupCache> {
        self.dedup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs the records that were not delivered, and the counts unless every record was delivered
    /// at the first attempt.
    fn log(&self, batch: &Batch, report: &Report<'_>, invocation: &Invocation) {
        let context = |partition, offset: i64, connection| LogContext {
            request_id: &invocation.request_id,
            partition,
            offset: offset.to_string(),
            connection,
        };
        for (partition, offset, poison) in batch.poison().take(LINES_MAX) {
            let context = context(partition, offset, None);
            self.log.warn(poison, &context.fields());
        }
        for rejection in report.rejections.iter().take(LINES_MAX) {
            let to = Some(rejection.connection.as_str());
            let context = context(rejection.partition, rejection.offset, to);
            self.log.warn(&rejection.error, &context.fields());
        }
        for failure in report.failures.iter().take(LINES_MAX) {
            let to = Some(failure.connection.as_str());
            let context = context(failure.partition, failure.offset, to);
            match &failure.error {
                Some(error) => self.log.error(error, &context.fields()),
                None => self.log.error(&OutOfTime, &context.fields()),
            }
        }
        let counts = report.counts.named();
        if counts
            .iter()
            .any(|(name, count)| *name != "delivered" && *count > 0)
        {
            let request_id = ("requestId", &*invocation.request_id);
            self.log.counts("posted", &[request_id], &counts);
        }
    }
}

/// The fields of a log line that identify its record.
struct LogContext<'a> {
    request_id: &'a str,
    partition: &'a str,
    offset: String,
    connection: Option<&'a str>,
}

impl LogContext<'_> {
    fn fields(&self) -> Vec<(&str, &str)> {
        let mut fields = vec![
            ("requestId", self.request_id),
            ("partition", self.partition),
            ("offset", &self.offset),
        ];
        fields.extend(self.connection.map(|id| ("connectionId", id)));
        fields
    }
}

/// The most lines of one kind that an invocation logs, so that a topic full of invalid records does
/// not flood the log. The counts include all records.
const LINES_MAX: usize = 100;

#[derive(Debug, Error)]
#[error("not delivered before the deadline (the record will be redelivered)")]
struct OutOfTime;
