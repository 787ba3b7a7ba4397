//! Kafka's record batches.

mod decompress;

pub use self::decompress::decompress;
