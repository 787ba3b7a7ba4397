//! Kafka's record batches, read and written.
//!
//! ```text
//! bytes of a log ─Frame─▶ one batch ─BatchHeader─▶ its fields, its checksum
//!                                   └─Payload────▶ its records, uncompressed ─RecordView─▶ one record, borrowed
//!                                                                             └─Record─────▶ one record, owned
//! ```
//! Nothing is reserved by what a length says, and what compression hides is bounded. The layouts are in
//! <https://kafka.apache.org/documentation/#messageformat>.

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
