//! The bounds of the embedded broker.
//!
//! A doc comment names Apache Kafka's setting if there is one. Defaults that differ from Kafka's
//! are smaller, because this broker keeps everything in the memory of a developer's machine.

use std::time::Duration;

/// Maximum bytes of a stored record batch: `message.max.bytes`, with Kafka's default.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1_048_588;
/// Maximum bytes of a request: `socket.request.max.bytes`. A longer one closes the connection.
///
/// A producer's requests stay near 1 MB by default (`max.request.size`), so several full batches
/// fit.
pub(crate) const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Maximum bytes of records in a fetch response: `fetch.max.bytes`.
///
/// A single batch may be larger.
pub(crate) const FETCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Maximum elements of an array in a request. The broker has no more partitions than this.
pub(crate) const ARRAY_LENGTH_MAX: usize = 10_000;
/// Maximum tagged fields of a structure in a request. Clients send one or two at most.
pub(crate) const TAGGED_FIELDS_MAX: usize = 16;

/// Default for the memory that the records of all topics may take, in bytes.
///
/// Beyond it the oldest batches of the largest partitions are dropped, as with Kafka's
/// `log.retention.bytes`.
pub const RETENTION_BYTES_DEFAULT: usize = 256 * 1024 * 1024;
/// Memory overhead of a stored batch, in bytes: the log entry and the allocator's share.
///
/// Counting it keeps many tiny batches within the retention limit too.
pub(crate) const BATCH_OVERHEAD_BYTES: usize = 128;
/// Maximum number of topics.
pub(crate) const TOPICS_MAX: usize = 1_000;
/// Maximum number of partitions, over all topics.
pub(crate) const PARTITIONS_MAX: usize = 10_000;
/// Maximum characters of a topic name, the same as in Kafka.
pub(crate) const TOPIC_NAME_LENGTH_MAX: usize = 249;
/// Maximum idempotent producers of a partition. The least recently active is evicted.
pub(crate) const PRODUCERS_MAX: usize = 256;
/// Number of batches remembered per partition and idempotent producer, the same as in Kafka.
///
/// Clients rely on it: they have at most five requests in flight.
pub(crate) const PRODUCER_BATCHES_MAX: usize = 5;

/// Maximum number of groups. A new group evicts the empty group that was idle longest.
///
/// Some tools create a new group for each run.
pub(crate) const GROUPS_MAX: usize = 200;
/// Maximum bytes of a group id. Kafka limits it only by the length of a protocol string.
pub(crate) const GROUP_ID_BYTES_MAX: usize = 255;
/// Maximum number of members, over all groups.
pub(crate) const MEMBERS_MAX: usize = 1_000;
/// Maximum bytes of a member's metadata, and of its assignment.
///
/// This is enough for several thousand partitions.
pub(crate) const MEMBER_BYTES_MAX: usize = 128 * 1024;
/// Minimum session timeout: `group.min.session.timeout.ms`, with Kafka's default.
pub(crate) const SESSION_TIMEOUT_MIN: Duration = Duration::from_secs(6);
/// Maximum session timeout: `group.max.session.timeout.ms`, with Kafka's default.
pub(crate) const SESSION_TIMEOUT_MAX: Duration = Duration::from_mins(30);
/// Maximum rebalance timeout. A member's longer timeout is reduced to it.
///
/// Some clients, once Kafka Streams among them, ask for the largest integer because the session
/// timeout already detects members that are gone.
pub(crate) const REBALANCE_TIMEOUT_MAX: Duration = Duration::from_mins(30);
/// Maximum number of committed offsets, over all groups.
pub(crate) const OFFSETS_MAX: usize = 20_000;
/// Maximum bytes of an offset's metadata: `offset.metadata.max.bytes`, with Kafka's default.
pub(crate) const OFFSET_METADATA_BYTES_MAX: usize = 4_096;

/// Maximum open connections: `max.connections`. Further ones wait to be accepted.
///
/// An environment opens about one connection per partition it writes to, so hundreds of
/// environments fit.
pub(crate) const CONNECTIONS_MAX: usize = 4_096;
/// Maximum idle time of a connection: `connections.max.idle.ms`, with Kafka's default.
pub(crate) const IDLE_MAX: Duration = Duration::from_mins(10);
/// Timeout from the first byte of a request to its last. Exceeding it closes the connection.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout for writing a response to the client.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum time that a fetch waits for records. Longer requested waits are reduced to it.
pub(crate) const FETCH_WAIT_MAX: Duration = Duration::from_secs(60);
/// Pause after a failed accept, which is most likely caused by a lack of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Maximum time that a fault delays a response or throttles a client.
///
/// It exceeds the timeouts of clients.
pub const FAULT_WAIT_MAX: Duration = Duration::from_mins(15);
/// Number of recent batches, over all partitions, that are searched for a record.
///
/// This covers more than the remembered invocations: each stores about one batch.
pub(crate) const RECENT_BATCHES_MAX: usize = 4_096;
/// Maximum bytes of the recent batches.
///
/// This memory comes on top of the retention limit, because retention may have dropped the batches.
pub(crate) const RECENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Minimum capacity for a read, in bytes: small, because most requests are.
pub(crate) const READ_BYTES_MIN: usize = 4 * 1024;
/// Maximum capacity for a read, in bytes.
///
/// Memory grows with the bytes that a client sends, not with the length that it announces.
pub(crate) const READ_BYTES_MAX: usize = 64 * 1024;
