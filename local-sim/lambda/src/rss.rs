//! How much memory an environment has used.

use std::time::{Duration, Instant};

use super::process::group::Group;

/// The most memory that the processes of an environment ever had resident, as far as it was looked at.
#[derive(Debug, Default)]
pub(super) struct PeakRss {
    bytes_max: u64,
    read_at: Option<Instant>,
}

impl PeakRss {
    /// In megabytes, rounded up; 0 where the system does not tell, which only Linux does. It is looked at again
    /// unless it was lately.
    pub(super) fn megabytes(&mut self, group: Option<Group>, now: Instant) -> u64 {
        let is_fresh = self
            .read_at
            .is_some_and(|read_at| now < read_at + READ_AGAIN_AFTER);
        if let (Some(group), false) = (group, is_fresh) {
            self.read(group, now);
        }
        self.bytes_max.div_ceil(1 << 20)
    }

    /// Looks at it now.
    pub(super) fn read(&mut self, group: Group, now: Instant) {
        self.read_at = Some(now);
        self.bytes_max = self.bytes_max.max(group.memory_peak());
    }
}

/// Reading costs as much as an empty invocation: under load it is not done for each.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_kept_when_its_process_has_gone() {
        let mut memory = PeakRss {
            bytes_max: 1 << 20,
            read_at: None,
        };
        let gone = Group::example(i32::MAX);
        assert_eq!(memory.megabytes(Some(gone), Instant::now()), 1);
        assert_eq!(memory.megabytes(None, Instant::now()), 1);
    }
}
