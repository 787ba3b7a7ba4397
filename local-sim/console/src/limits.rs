//! The console's limits.

use std::time::Duration;

/// Maximum number of open connections.
pub(super) const CONNECTIONS_MAX: usize = 256;
/// Maximum number of clients of the stream; the remaining connections serve other requests.
pub(super) const STREAMS_MAX: usize = 64;
/// Maximum size of a request head, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Timeout for the head of the next request.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of a request body, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Timeout for the body of a request.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout for a client to accept the next part of a response or of the stream.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum number of events sent to a client of the stream at once.
pub(super) const EVENTS_AT_ONCE_MAX: usize = 64;
/// Interval of comments on an idle stream, which keep proxies from closing it.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// Pause after a failed accept, most likely because file descriptors ran out.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
