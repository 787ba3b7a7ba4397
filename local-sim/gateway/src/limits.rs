//! API Gateway's published quotas, and the bounds that the simulator adds to its own waits and queues.
//!
//! Quotas: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>

mod bucket;
pub(crate) mod throttle;

use std::time::Duration;

/// A frame may carry this many bytes; a longer one closes the socket with 1009.
pub(crate) const FRAME_BYTES_MAX: usize = 32 * 1024;
/// A message may carry this many bytes over all its frames, in either direction.
pub(crate) const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// A connection without traffic is closed after this long.
pub(crate) const IDLE_MAX: Duration = Duration::from_mins(10);
/// A connection is closed after this long, busy or not.
pub(crate) const LIFE_MAX: Duration = Duration::from_hours(2);
/// The URL of a handshake may be this long, in bytes.
pub(crate) const URL_BYTES_MAX: usize = 4096;

/// An account and region may open this many connections a second.
pub(crate) const ACCOUNT_CONNECTIONS_PER_SECOND: u32 = 500;
/// An account and region may make this many requests a second: connects, messages and callbacks.
pub(crate) const ACCOUNT_REQUESTS_PER_SECOND: u32 = 10_000;
/// So many of them may come at once.
pub(crate) const ACCOUNT_BURST: u32 = 5_000;

/// A Lambda authorizer may take this long.
pub(crate) const AUTHORIZER_WAIT: Duration = Duration::from_secs(29);
/// Its answer may be this long, in bytes.
pub(crate) const AUTHORIZER_RESPONSE_BYTES_MAX: usize = 8 * 1024;

/// So many sockets may be open that are no WebSockets (yet): handshakes that wait for their `$connect`, and clients of
/// `@connections`. Who comes beyond them waits to be accepted.
pub(crate) const PENDING_MAX: usize = 10_000;
/// The head of a request may be this long, in bytes: the longest URL, and 10,240 bytes of headers.
pub(crate) const HEAD_BYTES_MAX: usize = URL_BYTES_MAX + 10_240;
/// A request may have this many headers.
pub(crate) const HEADERS_MAX: usize = 100;
/// A client has this long to send the head of a request.
pub(crate) const HEAD_WAIT: Duration = Duration::from_secs(10);
/// A client of `@connections` has this long to send its next request, as long as its connection is kept.
pub(crate) const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(60);
/// It has this long to send the body of one.
pub(crate) const BODY_WAIT: Duration = Duration::from_secs(10);
/// A client has this long to take the next piece of the answer to a request.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// The sub-protocol that `$connect` chooses may be this long, in bytes; some clients have a token for one.
pub(crate) const SUB_PROTOCOL_BYTES_MAX: usize = 4096;
/// Both sides have this long to complete a close, before the socket is dropped.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// A client that broke the protocol, and was told, has stopped sending when it is quiet for this long.
pub(crate) const DRAIN_QUIET: Duration = Duration::from_millis(250);
/// The same as [`CLOSE_WAIT`] when the gateway itself is ending.
pub(crate) const SHUTDOWN_CLOSE_WAIT: Duration = Duration::from_millis(500);
/// A connection's messages that are not answered yet; beyond them nothing more is read from it.
pub(crate) const MESSAGES_IN_FLIGHT_MAX: usize = 256;
/// A connection is closed with 1008 when its throttled messages outnumber the others by this.
pub(crate) const FLOOD_MAX: i32 = 100;
/// What waits to be written to a client, in bytes: a few of the largest messages.
pub(crate) const OUTBOUND_BYTES_MAX: usize = 512 * 1024;
/// What a message counts there beside its text, so that empty ones have a bound too.
pub(crate) const OUTBOUND_MESSAGE_BYTES: usize = 64;
/// What is written to a client and not on the wire yet, in bytes: the largest message, and the answers to pings,
/// of which the older ones are left out where a client reads none.
pub(crate) const WRITE_BUFFER_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// A socket's read buffer, in bytes: small, because most connections are idle.
pub(crate) const READ_BUFFER_BYTES: usize = 2048;
/// Sockets that stay open with their plug pulled, whether their connections have ended or not.
pub(crate) const UNPLUGGED_MAX: usize = 1000;
/// Whoever pulls a plug waits for this long at most until the socket is left alone: it may close at this moment.
pub(crate) const UNPLUG_WAIT: Duration = Duration::from_secs(1);
/// A message waits for this long at most to be overtaken by others: as long as an integration may take, too.
pub const REORDER_MAX: Duration = Duration::from_secs(29);
/// Who watches connections may be behind by so many changes.
pub(crate) const CHANGES_MAX: usize = 1024;
/// How long the listener waits after it could not accept, most likely for want of descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
