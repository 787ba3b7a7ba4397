//! A wall clock that runs ahead, for processes that are given it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::simulator::Launch;

/// Debian's package `libfaketime` has it here, below the directory of the architecture.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// Where the library keeps what processes share, and how it calls that before their number.
const SHARED: &str = "/dev/shm";
const SHARED_NAMES: [&str; 2] = ["faketime_shm_", "sem.faketime_sem_"];

/// The time until it is moved, and then as much later.
#[derive(Debug)]
pub struct Clock {
    directory: TempDir,
    ahead: Duration,
}

impl Clock {
    /// Gives it to a simulator and its functions. Their monotonic clock stays as it is: a
    /// function that was frozen need not see on it that time went by.
    ///
    /// # Panics
    /// Panics where the library is missing.
    pub fn given_to(&self, launch: Launch) -> Launch {
        let variables = [
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            // The file is read each time that somebody asks for the time.
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ];
        variables.iter().fold(launch, |launch, (name, value)| {
            launch.env(name, value).inherits(name, value)
        })
    }

    /// Moves it on.
    pub fn move_on(&mut self, time: Duration) {
        self.ahead += time;
        fs::write(self.file(), format!("+{}s\n", self.ahead.as_secs())).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("offset")
    }
}

impl Default for Clock {
    fn default() -> Self {
        let mut clock = Self {
            directory: TempDir::new().unwrap(),
            ahead: Duration::ZERO,
        };
        clock.move_on(Duration::ZERO);
        clock
    }
}

impl Drop for Clock {
    /// Removes what the library leaves behind of processes that were killed.
    fn drop(&mut self) {
        for entry in fs::read_dir(SHARED).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let owner = SHARED_NAMES.iter().find_map(|it| name.strip_prefix(it));
            if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                // Another test may have been faster.
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn library() -> PathBuf {
    let architectures = fs::read_dir("/usr/lib").unwrap();
    let mut places = architectures.map(|it| it.unwrap().path().join(LIBRARY));
    places
        .find(|place| place.is_file())
        .unwrap_or_else(|| panic!("no /usr/lib/*/{LIBRARY}: the package libfaketime has it"))
}
