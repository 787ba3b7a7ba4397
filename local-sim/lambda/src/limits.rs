//! Lambda's own bounds.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>

/// An event may be this long …
pub(super) const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;
/// … and a reply a little longer.
pub(super) const REPLY_BYTES_MAX: usize = EVENT_BYTES_MAX + 100;
