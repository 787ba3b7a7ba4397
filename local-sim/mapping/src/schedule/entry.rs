//! Records with their JSON, and the size limit of an event.

use local_sim_records::Record;
use serde_json::value::RawValue;

/// A waiting record and its JSON for an event.
#[derive(Debug)]
pub(in super::super) struct Entry {
    pub(in super::super) record: Record,
    pub(in super::super) json: Box<RawValue>,
}

impl Entry {
    /// The bytes that it adds to an event.
    pub(super) fn bytes(&self) -> usize {
        // One more for the comma that follows.
        self.json.get().len() + 1
    }

    /// The memory that it takes, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        ENTRY_BYTES + self.json.get().len() + self.record.bytes()
    }
}

/// The most bytes of records in an event. Lambda's limit is 6 MB per invocation; the rest of the
/// event is small and fits in the difference to 6 MiB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub(in super::super) const BATCH_BYTES_MAX: usize = 6_000_000;
/// The memory overhead of a record: its queue entry and the handles of its fields.
const ENTRY_BYTES: usize = 256;
