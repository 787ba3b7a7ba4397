//! API Gateway's published quotas, and the simulator's own timeouts and queue limits.
//!
//! Quotas:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>

mod bucket;
pub(crate) mod throttle;

use std::time::Duration;

/// The maximum payload of a frame in bytes. A longer frame closes the connection with 1009.
pub(crate) const FRAME_BYTES_MAX: usize = 32 * 1024;
/// The maximum payload of a message in bytes, over all its frames, in either direction.
pub(crate) const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// The idle timeout of a connection.
pub(crate) const IDLE_MAX: Duration = Duration::from_mins(10);
/// The maximum duration of a connection, whether idle or not.
pub(crate) const LIFE_MAX: Duration = Duration::from_hours(2);
/// The maximum length of a handshake's URL in bytes.
pub(crate) const URL_BYTES_MAX: usize = 4096;

/// New connections per second, per account and region.
pub(crate) const ACCOUNT_CONNECTIONS_PER_SECOND: u32 = 500;
/// Requests (connects, messages and callbacks) per second, per account and region.
pub(crate) const ACCOUNT_REQUESTS_PER_SECOND: u32 = 10_000;
/// The burst limit for [`ACCOUNT_REQUESTS_PER_SECOND`].
pub(crate) const ACCOUNT_BURST: u32 = 5_000;

/// The timeout of a Lambda authorizer.
pub(crate) const AUTHORIZER_WAIT: Duration = Duration::from_secs(29);
/// The maximum size of a Lambda authorizer's response in bytes.
pub(crate) const AUTHORIZER_RESPONSE_BYTES_MAX: usize = 8 * 1024;

/// The maximum number of open sockets that are not WebSockets.
///
/// These are pending handshakes and clients of `@connections`. Further connections wait in the
/// listener's backlog.
pub(crate) const PENDING_MAX: usize = 10_000;
/// The maximum size of a request head in bytes: the longest URL and 10,240 bytes of headers.
pub(crate) const HEAD_BYTES_MAX: usize = URL_BYTES_MAX + 10_240;
/// The maximum number of headers in a request.
pub(crate) const HEADERS_MAX: usize = 100;
/// The timeout for receiving the head of the first request on a socket.
pub(crate) const HEAD_WAIT: Duration = Duration::from_secs(10);
/// How long a client of `@connections` has to send the head of its next request (keep-alive).
pub(crate) const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(60);
/// The timeout for receiving the body of a request to `@connections`.
pub(crate) const BODY_WAIT: Duration = Duration::from_secs(10);
/// The write timeout: how long a client may take to read the next part of a response.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// The maximum length of the subprotocol that `$connect` selects, in bytes. Some clients send a
/// token in it.
pub(crate) const SUB_PROTOCOL_BYTES_MAX: usize = 4096;
/// The timeout for the closing handshake. Then the socket is dropped.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// After a protocol error, the gateway reads and discards until nothing arrives for this long.
pub(crate) const DRAIN_QUIET: Duration = Duration::from_millis(250);
/// The timeout for the closing handshake during shutdown, instead of [`CLOSE_WAIT`].
pub(crate) const SHUTDOWN_CLOSE_WAIT: Duration = Duration::from_millis(500);
/// The maximum number of a connection's messages in flight. At this limit the gateway stops reading
/// from its socket.
pub(crate) const MESSAGES_IN_FLIGHT_MAX: usize = 256;
/// A connection with this many more throttled than accepted messages is closed with 1008.
pub(crate) const FLOOD_MAX: i32 = 100;
/// The maximum size of a connection's outbound queue in bytes: a few of the largest messages.
pub(crate) const OUTBOUND_BYTES_MAX: usize = 512 * 1024;
/// The overhead that each message counts in the outbound queue, in bytes.
///
/// It bounds the number of empty messages.
pub(crate) const OUTBOUND_MESSAGE_BYTES: usize = 64;
/// The maximum size of the codec's write buffer in bytes: the largest message and pongs.
///
/// If the client does not read, older pongs are dropped.
pub(crate) const WRITE_BUFFER_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// The size of a socket's read buffer in bytes. It is small because most connections are idle.
pub(crate) const READ_BUFFER_BYTES: usize = 2048;
/// The maximum number of unplugged sockets, whether or not their connections have ended.
pub(crate) const UNPLUGGED_MAX: usize = 1000;
/// How long `unplug` waits for the connection's task to stop using the socket.
///
/// If the connection is closing, the task never handles the request.
pub(crate) const UNPLUG_WAIT: Duration = Duration::from_secs(1);
/// The maximum delay of a reordered message: the same as the longest integration timeout.
pub const REORDER_MAX: Duration = Duration::from_secs(29);
/// The number of connection changes that a subscriber may lag behind.
pub(crate) const CHANGES_MAX: usize = 1024;
/// The pause after a failed `accept`, whose most likely cause is a lack of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
