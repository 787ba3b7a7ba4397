//! Reads and writes Kafka's record batches.
//!
//! ```text
//! bytes of a log ─Frame─▶ one batch ─BatchHeader─▶ header fields, checksum
//!                                   └─Payload────▶ decompressed records ─RecordView─▶ one, borrowed
//!                                                                        └─Record─────▶ one, owned
//! ```
//! Declared lengths never cause an allocation, and the size of decompressed records is limited. The
//! formats are described in <https://kafka.apache.org/documentation/#messageformat>.

mod batch_header;
mod decompress;
mod field;
mod frame;
mod payload;
mod record;
mod record_view;

pub use self::{
    batch_header::{BATCH_HEADER_BYTES, BatchHeader, HeaderError},
    field::TooLong,
    frame::Frame,
    payload::{Payload, PayloadError},
    record::{Header, Record},
    record_view::{Headers, Malformed, RecordView},
};
