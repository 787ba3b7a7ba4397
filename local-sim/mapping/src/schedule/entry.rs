//! Records as they stand in an event, and how many bytes an event has.

use local_sim_records::Record;
use serde_json::value::RawValue;

/// A record that waits, as it will stand in an event.
#[derive(Debug)]
pub(in super::super) struct Entry {
    pub(in super::super) record: Record,
    pub(in super::super) json: Box<RawValue>,
}

impl Entry {
    /// What it adds to an event.
    pub(super) fn bytes(&self) -> usize {
        // And the comma that follows.
        self.json.get().len() + 1
    }

    /// How much memory it takes.
    pub(super) fn held(&self) -> usize {
        ENTRY_BYTES + self.json.get().len() + self.record.bytes()
    }
}

/// Lambda takes 6 MB in an invocation. What of it is no record is little, and within the difference to 6 MiB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub(in super::super) const BATCH_BYTES_MAX: usize = 6_000_000;
/// What a record takes besides its bytes: its place in the queue, and those of its parts.
const ENTRY_BYTES: usize = 256;
