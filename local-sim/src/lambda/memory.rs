//! How much memory a process has used.

use std::{
    fs,
    time::{Duration, Instant},
};

/// The most memory that the processes of an environment ever had resident, as far as it was looked at.
#[derive(Debug, Default)]
pub(super) struct Memory {
    bytes_max: u64,
    read_at: Option<Instant>,
}

impl Memory {
    /// In megabytes, rounded up; 0 where the system does not tell, which only Linux does.
    pub(super) fn megabytes(&mut self, process: Option<i32>, now: Instant) -> u64 {
        let is_fresh = self
            .read_at
            .is_some_and(|read_at| now < read_at + READ_AGAIN_AFTER);
        if let (Some(process), false) = (process, is_fresh) {
            self.read_at = Some(now);
            let path = format!("/proc/{process}/status");
            let peak = fs::read_to_string(path).ok().as_deref().and_then(peak);
            self.bytes_max = self.bytes_max.max(peak.unwrap_or_default());
        }
        self.bytes_max.div_ceil(1 << 20)
    }
}

/// The process's peak (`VmHWM` of `proc(5)`), in bytes.
fn peak(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// Reading costs as much as an empty invocation: under load it is not done for each.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_what_the_kernel_says() {
        let status = "Name:\tmessage\nVmPeak:\t  5000 kB\nVmHWM:\t    2500 kB\nVmRSS:\t 100 kB\n";
        assert_eq!(peak(status), Some(2_560_000));
        assert_eq!(peak("Name:\tmessage\n"), None);
        assert_eq!(peak("VmHWM:\tx kB"), None);
    }

    #[test]
    fn a_peak_is_kept_when_its_process_has_gone() {
        let mut memory = Memory {
            bytes_max: 1 << 20,
            read_at: None,
        };
        assert_eq!(memory.megabytes(Some(i32::MAX), Instant::now()), 1);
        assert_eq!(memory.megabytes(None, Instant::now()), 1);
    }
}
