//! The time format of signatures, and the allowed clock skew.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use sluice_sigv4::TIME_FORMAT;

/// The allowed clock skew between client and gateway in minutes.
pub(crate) const SKEW_MINUTES: i64 = 5;
/// [`SKEW_MINUTES`] as a duration.
pub(crate) const SKEW_MAX: TimeDelta = TimeDelta::minutes(SKEW_MINUTES);

/// Parses `20150830T123600Z`, or the format of a `Date` header.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    match NaiveDateTime::parse_from_str(text, TIME_FORMAT) {
        Ok(time) => Some(time.and_utc()),
        Err(_) => DateTime::parse_from_rfc2822(text)
            .ok()
            .map(|time| time.to_utc()),
    }
}

/// Formats a time as `20150830T123600Z`.
pub(crate) fn stamp(time: DateTime<Utc>) -> String {
    time.format(TIME_FORMAT).to_string()
}
