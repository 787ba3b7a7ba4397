//! From one event to one report.

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
    delivery::deliver,
    event::{self, EventError, Response},
    memory::Memory,
    report::Report,
    work::Work,
};

/// Delivers the records of events, and remembers what may come again.
#[derive(Debug)]
pub struct Handler<C> {
    connections: C,
    log: Log,
    memory: Mutex<Memory>,
}

/// One invocation, as Lambda describes it.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's id for it, for the log.
    pub request_id: String,
    /// How long Lambda lets it run.
    pub time_left: Duration,
}

impl<C: Connections> Handler<C> {
    /// A handler that delivers to `connections`.
    pub fn new(connections: C, log: Log) -> Self {
        Self {
            connections,
            log,
            memory: Mutex::default(),
        }
    }

    /// Delivers the records of an event, and reports those to send again.
    ///
    /// # Errors
    /// The JSON is not an event of a mapping.
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
            let memory = self.memory();
            Work::new(&batch, |partition, record, to| {
                memory.has(partition, record, to)
            })
        };
        deliver(&self.connections, &mut work, deadline.into_std()).await;
        let report = work.report();
        self.memory().learn(&batch, &report);
        self.tell(&batch, &report, invocation);
        Ok(Response::new(&report))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs records that were not delivered, and the counts if there are any.
    fn tell(&self, batch: &Batch, report: &Report<'_>, invocation: &Invocation) {
        let place = |partition, offset: i64, connection| Place {
            request_id: &invocation.request_id,
            partition,
            offset: offset.to_string(),
            connection,
        };
        for (partition, offset, poison) in batch.poison().take(LINES_MAX) {
            let place = place(partition, offset, None);
            self.log.warn(poison, &place.fields());
        }
        for rejection in report.rejections.iter().take(LINES_MAX) {
            let to = Some(rejection.connection.as_str());
            let place = place(rejection.partition, rejection.offset, to);
            self.log.warn(&rejection.refusal, &place.fields());
        }
        for failure in report.failures.iter().take(LINES_MAX) {
            let to = Some(failure.connection.as_str());
            let place = place(failure.partition, failure.offset, to);
            match &failure.refusal {
                Some(refusal) => self.log.error(refusal, &place.fields()),
                None => self.log.error(&OutOfTime, &place.fields()),
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

/// The log's fields that say which record a line is about.
struct Place<'a> {
    request_id: &'a str,
    partition: &'a str,
    offset: String,
    connection: Option<&'a str>,
}

impl Place<'_> {
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

/// An invocation writes at most this many lines of one kind, so that a topic
/// full of foreign records does not fill the log. The counts include all.
const LINES_MAX: usize = 100;

#[derive(Debug, Error)]
#[error("no time was left to deliver this")]
struct OutOfTime;
