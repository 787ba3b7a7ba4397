//! Sample records for tests.

use bytes::Bytes;
use kafka_protocol::records::TimestampType;
use local_sim_records::{Header, Record};

/// A record without key, value and headers.
pub(super) fn bare(offset: i64, timestamp: i64) -> Record {
    Record {
        offset,
        timestamp,
        timestamp_type: TimestampType::Creation,
        key: None,
        value: None,
        headers: Vec::new(),
    }
}

/// A header from strings.
pub(super) fn header(name: &str, value: Option<&str>) -> Header {
    let copy = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    (copy(name), value.map(copy))
}
