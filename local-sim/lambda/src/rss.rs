//! Measures the memory usage of an environment.

use std::time::{Duration, Instant};

use super::process::group::Group;

/// Peak resident memory of an environment's processes, as of the last reading.
#[derive(Debug, Default)]
pub(super) struct PeakRss {
    bytes_max: u64,
    read_at: Option<Instant>,
}

impl PeakRss {
    /// The peak in megabytes, rounded up; 0 except on Linux.
    ///
    /// Reads it again unless the last reading is recent.
    pub(super) fn megabytes(&mut self, group: Option<Group>, now: Instant) -> u64 {
        let is_fresh = self
            .read_at
            .is_some_and(|read_at| now < read_at + READ_AGAIN_AFTER);
        if let (Some(group), false) = (group, is_fresh) {
            self.read(group, now);
        }
        self.bytes_max.div_ceil(1 << 20)
    }

    /// Reads the memory usage now.
    pub(super) fn read(&mut self, group: Group, now: Instant) {
        self.read_at = Some(now);
        self.bytes_max = self.bytes_max.max(group.memory_peak());
    }
}

/// Minimum time between readings: one costs as much as an empty invocation.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_outlives_its_process() {
        let mut memory = PeakRss {
            bytes_max: 1 << 20,
            read_at: None,
        };
        let gone = Group::example(i32::MAX);
        assert_eq!(memory.megabytes(Some(gone), Instant::now()), 1);
        assert_eq!(memory.megabytes(None, Instant::now()), 1);
    }
}
