//! The bounds of the embedded broker.
//!
//! Where Apache Kafka has a setting for it, the doc comment names the setting; a default that differs from Kafka's is
//! smaller, because this broker keeps everything in the memory of a developer's machine.

use std::time::Duration;

/// A record batch may have this many bytes, as stored: `message.max.bytes`, with Kafka's default.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1_048_588;
/// A request may have this many bytes: `socket.request.max.bytes`. A longer one closes the connection.
///
/// A producer's requests stay near 1 MB by default (`max.request.size`); there is room for several full batches.
pub(crate) const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A fetch is answered with at most this many bytes of records, or with one batch: `fetch.max.bytes`.
pub(crate) const FETCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// An array in a request may have this many elements: more than the broker has partitions, so no sane request does.
pub(crate) const ARRAY_LENGTH_MAX: usize = 10_000;
/// A structure in a request may have this many tagged fields. No client sends more than one or two.
pub(crate) const TAGGED_FIELDS_MAX: usize = 16;

/// The records of all topics may take this many bytes of memory unless the caller says otherwise.
///
/// Beyond it the oldest batches of the largest partitions go, as with Kafka's `log.retention.bytes`.
pub const RETENTION_BYTES_DEFAULT: usize = 256 * 1024 * 1024;
/// What a stored batch costs besides its own bytes: the log's entry, and the allocator's share. Counted, so that a
/// flood of tiny batches stays within the bound too.
pub(crate) const BATCH_OVERHEAD_BYTES: usize = 128;
/// The broker holds this many topics.
pub(crate) const TOPICS_MAX: usize = 1_000;
/// The broker holds this many partitions, over all topics.
pub(crate) const PARTITIONS_MAX: usize = 10_000;
/// A topic's name may have this many characters, as everywhere in Kafka.
pub(crate) const TOPIC_NAME_LENGTH_MAX: usize = 249;
/// A partition remembers this many idempotent producers; the one that was silent longest is forgotten first.
pub(crate) const PRODUCERS_MAX: usize = 256;
/// A partition remembers this many batches of each idempotent producer. Kafka keeps as many, and clients rely on it:
/// they have at most five requests in flight.
pub(crate) const PRODUCER_BATCHES_MAX: usize = 5;

/// The broker knows this many groups; for a further one, the empty group that was silent longest is forgotten.
///
/// Tools make up a new group for each of their runs, so they come and go.
pub(crate) const GROUPS_MAX: usize = 200;
/// A group's id may have this many bytes. Kafka has no bound but the string's own.
pub(crate) const GROUP_ID_BYTES_MAX: usize = 255;
/// All groups together have this many members.
pub(crate) const MEMBERS_MAX: usize = 1_000;
/// What a member tells the leader, and what the leader assigns to a member, may have this many bytes: enough for some
/// thousand partitions.
pub(crate) const MEMBER_BYTES_MAX: usize = 128 * 1024;
/// A session is at least this long: `group.min.session.timeout.ms`, with Kafka's default.
pub(crate) const SESSION_TIMEOUT_MIN: Duration = Duration::from_secs(6);
/// A session is at most this long: `group.max.session.timeout.ms`, with Kafka's default.
pub(crate) const SESSION_TIMEOUT_MAX: Duration = Duration::from_mins(30);
/// A round of joining waits at most this long for a member, whatever the member asks for.
///
/// Some ask for the largest number there is (Kafka Streams once did), since their sessions tell when they are gone.
pub(crate) const REBALANCE_TIMEOUT_MAX: Duration = Duration::from_mins(30);
/// All groups together have this many committed offsets.
pub(crate) const OFFSETS_MAX: usize = 20_000;
/// The note of a committed offset may have this many bytes: `offset.metadata.max.bytes`, with Kafka's default.
pub(crate) const OFFSET_METADATA_BYTES_MAX: usize = 4_096;

/// This many connections are served at once: `max.connections`. Others wait to be accepted.
///
/// A function has about one for each partition that it writes to, so this is room for hundreds of environments.
pub(crate) const CONNECTIONS_MAX: usize = 4_096;
/// A connection without a request is closed after this long: `connections.max.idle.ms`, with Kafka's default.
pub(crate) const IDLE_MAX: Duration = Duration::from_mins(10);
/// A request that has begun must be complete after this long; half a request closes the connection.
pub(crate) const REQUEST_WAIT: Duration = Duration::from_secs(30);
/// A client must take its response within this time.
pub(crate) const RESPONSE_WAIT: Duration = Duration::from_secs(30);
/// A fetch waits at most this long for records, whatever the client asks for; then it is answered without any.
pub(crate) const FETCH_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long the listener waits after it could not accept, most likely for want of descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A fault holds an answer back, or a client off, for at most this long: longer than any client's patience.
pub const FAULT_WAIT_MAX: Duration = Duration::from_mins(15);
/// This many batches, the newest of all partitions, are looked through for a record: more than invocations are
/// remembered, and a function stores a batch or so in each.
pub(crate) const RECENT_BATCHES_MAX: usize = 4_096;
/// The batches that are looked through take this many bytes. Retention may have dropped some of them already, so this
/// comes on top of what it allows.
pub(crate) const RECENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The least room for a read, in bytes: small, because most requests are.
pub(crate) const READ_BYTES_MIN: usize = 4 * 1024;
/// The most room for a read, in bytes: memory grows with what a client sent, not with what it announced.
pub(crate) const READ_BYTES_MAX: usize = 64 * 1024;
