//! The wall-clock time in the formats that events, frames and headers use.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

/// The current time in milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// The current time, in the type that signatures use.
pub(crate) fn now() -> DateTime<Utc> {
    utc(now_ms())
}

/// Formats a time as `requestTime` does: `20/Jan/2024:11:55:08 +0000`.
pub(crate) fn request_time(ms: i64) -> String {
    utc(ms).format("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// Formats a time as `@connections` does: `2020-04-30T20:10:33.236Z`.
pub(crate) fn iso_8601(ms: i64) -> String {
    utc(ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Formats a time as HTTP's `Date` header does: `Sat, 20 Jan 2024 11:55:08 GMT`.
pub(crate) fn http_date(ms: i64) -> String {
    utc(ms).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn utc(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_705_751_708_326;

    #[test]
    fn times_have_the_recorded_formats() {
        assert_eq!(request_time(MS), "20/Jan/2024:11:55:08 +0000");
        assert_eq!(iso_8601(MS), "2024-01-20T11:55:08.326Z");
        assert_eq!(http_date(MS), "Sat, 20 Jan 2024 11:55:08 GMT");
    }
}
