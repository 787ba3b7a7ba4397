//! Reads invocation durations from Lambda's REPORT lines.

use std::time::Duration;

/// The start of a REPORT line, and the texts before and after its duration.
const REPORT: &str = "REPORT RequestId: ";
const BEFORE: &str = "\tDuration: ";
const AFTER: &str = " ms\t";

/// The longest invocation in a log.
pub(super) fn slowest(log: &str) -> Duration {
    let reports = log.lines().filter(|line| line.contains(REPORT));
    let times = reports.map(|report| {
        let time = report
            .split_once(BEFORE)
            .and_then(|(_, rest)| rest.split_once(AFTER))
            .and_then(|(time, _)| time.parse::<f64>().ok());
        let milliseconds = time.unwrap_or_else(|| panic!("no time in {report:?}"));
        Duration::from_secs_f64(milliseconds / 1_000.0)
    });
    times.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_is_found_among_other_lines() {
        let log = "message 0 8f50 | START RequestId: 8f50 Version: $LATEST\n\
                   message 0 8f50 | REPORT RequestId: 8f50\tDuration: 1.52 ms\tBilled Duration: 9 ms\tMemory Size: 256 MB\n\
                   message 1 9a61 | REPORT RequestId: 9a61\tDuration: 9700.25 ms\tBilled Duration: 9701 ms\tMemory Size: 256 MB\n\
                   message 0 8f51 | REPORT RequestId: 8f51\tDuration: 2.00 ms\tBilled Duration: 2 ms\tMemory Size: 256 MB\n";
        assert_eq!(slowest(log), Duration::from_micros(9_700_250));
        assert_eq!(slowest(""), Duration::ZERO);
    }
}
