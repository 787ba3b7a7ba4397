//! When to stop and report.

use std::time::Duration;

/// The report needs this time to reach Lambda; without it the whole batch
/// would come back, delivered records and all.
const REPORT_MARGIN: Duration = Duration::from_millis(300);

/// A function whose time is unknown has this long: Lambda's default timeout.
const UNKNOWN: Duration = Duration::from_secs(3);

/// How long posts may take of the time that Lambda leaves an invocation.
///
/// Where there is less time than twice the margin, half of it is for the report.
pub(crate) fn time_for_posts(remaining: Option<Duration>) -> Duration {
    let time = remaining.unwrap_or(UNKNOWN);
    time - REPORT_MARGIN.min(time / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_leaves_before_lambda_ends_the_invocation() {
        let check =
            |millis: Option<u64>| time_for_posts(millis.map(Duration::from_millis)).as_millis();
        assert_eq!(check(Some(10_000)), 9_700);
        assert_eq!(check(Some(400)), 200);
        assert_eq!(check(Some(0)), 0);
        assert_eq!(check(None), 2_700);
    }
}
