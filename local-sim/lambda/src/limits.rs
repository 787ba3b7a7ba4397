//! Lambda's quotas.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>

/// Maximum size of an event.
pub(super) const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Maximum size of a reply, slightly larger than that of an event.
pub(super) const REPLY_BYTES_MAX: usize = EVENT_BYTES_MAX + 100;
