//! CPU and memory statistics from `/proc`; available on Linux only.

use std::{fs, path::Path};

use super::group::Group;

/// CPU time of all processors since boot, in clock ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticks {
    pub(crate) idle: u64,
    pub(crate) all: u64,
}

impl Ticks {
    /// Reads the current values; `None` without `/proc`.
    pub(crate) fn now() -> Option<Self> {
        Self::read(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// Parses the first line, which is the sum over all processors.
    ///
    /// Its fields are user, nice, system, idle, iowait, irq, softirq and steal.
    fn read(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<u64> = line
            .split_whitespace()
            .take(8)
            .map_while(|it| it.parse().ok())
            .collect();
        let (idle, waiting) = (times.get(3)?, times.get(4)?);
        Some(Self {
            idle: idle + waiting,
            all: times.iter().sum(),
        })
    }
}

impl Group {
    /// The sum of the peak resident memory of its processes, in bytes; 0 without `/proc`.
    ///
    /// Walks from parent to child: scanning every process of the machine would cost too much.
    pub(crate) fn memory_peak(self) -> u64 {
        let mut bytes = 0;
        let mut processes: Vec<i32> = self.id().into_iter().collect();
        while let Some(process) = processes.pop() {
            let directory = Path::new("/proc").join(process.to_string());
            let status = fs::read_to_string(directory.join("status")).unwrap_or_default();
            bytes += peak(&status).unwrap_or_default();
            processes.extend(children(&directory));
        }
        bytes
    }
}

/// The children of a process, started by any of its threads.
fn children(process: &Path) -> Vec<i32> {
    let threads = fs::read_dir(process.join("task")).into_iter().flatten();
    let of_thread = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children")).ok();
    let lists: Vec<String> = threads.flatten().filter_map(of_thread).collect();
    let numbers = lists.iter().flat_map(|list| list.split_whitespace());
    numbers.filter_map(|number| number.parse().ok()).collect()
}

/// Peak resident memory in bytes: `VmHWM` of `proc(5)`.
fn peak(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_the_sum_over_all_processors() {
        let stat = "cpu  10 1 5 70 4 3 2 1 9 9\ncpu0 1 1 1 1\n";
        assert_eq!(Ticks::read(stat), Some(Ticks { idle: 74, all: 96 }));
        assert_eq!(Ticks::read("cpu  10 1"), None);
        assert_eq!(Ticks::read("intr 5"), None);
    }

    #[test]
    fn the_peak_is_read_from_vmhwm() {
        let status = "Name:\tmessage\nVmPeak:\t  5000 kB\nVmHWM:\t    2500 kB\nVmRSS:\t 100 kB\n";
        assert_eq!(peak(status), Some(2_560_000));
        assert_eq!(peak("Name:\tmessage\n"), None);
        assert_eq!(peak("VmHWM:\tx kB"), None);
    }

    #[test]
    fn an_exited_process_uses_no_memory() {
        assert_eq!(Group::gone().memory_peak(), 0);
        assert_eq!(Group::example(i32::MAX).memory_peak(), 0);
    }
}
