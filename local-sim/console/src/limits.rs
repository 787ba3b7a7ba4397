//! The console's bounds.

use std::time::Duration;

/// Connections at once: a page, a script, a test and many more.
pub(super) const CONNECTIONS_MAX: usize = 256;
/// Readers of the stream at once, so that they leave connections to others.
pub(super) const STREAMS_MAX: usize = 64;
/// The head of a request may be this long, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// A client has this long to send the head of its next request.
pub(super) const HEAD_WAIT: Duration = Duration::from_secs(30);
/// The body of a request may be this long, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// A client has this long to send it.
pub(super) const BODY_WAIT: Duration = Duration::from_secs(10);
/// A client has this long to take the next piece of an answer, or of the stream.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// A client of the stream is sent so many events at once, at most.
pub(super) const EVENTS_AT_ONCE_MAX: usize = 64;
/// It hears something at least so often, so that nobody in between takes it for dead.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the listener waits after it could not accept, most likely for want of descriptors.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
