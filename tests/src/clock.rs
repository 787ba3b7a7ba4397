//! A wall clock that a test can advance, for the processes under test (libfaketime).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::simulator::Launch;

/// The library's path in Debian's package `libfaketime`, below the architecture's directory.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The directory and the name prefixes of the library's shared memory files; a pid follows.
const SHARED: &str = "/dev/shm";
const SHARED_NAMES: [&str; 2] = ["faketime_shm_", "sem.faketime_sem_"];

/// A wall clock that shows the real time plus an offset.
#[derive(Debug)]
pub struct Clock {
    directory: TempDir,
    ahead: Duration,
}

impl Clock {
    /// Configures a simulator and its functions to use this clock.
    ///
    /// Their monotonic clock is unchanged, as on a function that was frozen.
    ///
    /// # Panics
    /// Panics if libfaketime is not installed.
    pub fn given_to(&self, launch: Launch) -> Launch {
        let variables = [
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            // The library reads the file on each call.
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ];
        variables.iter().fold(launch, |launch, (name, value)| {
            launch.env(name, value).inherits(name, value)
        })
    }

    /// Advances the clock.
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
    /// Removes the library's shared memory files of processes that were killed.
    fn drop(&mut self) {
        for entry in fs::read_dir(SHARED).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let owner = SHARED_NAMES.iter().find_map(|it| name.strip_prefix(it));
            if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                // Another test may have removed the file already.
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn library() -> PathBuf {
    let architectures = fs::read_dir("/usr/lib").unwrap();
    let mut places = architectures.map(|it| it.unwrap().path().join(LIBRARY));
    places.find(|place| place.is_file()).unwrap_or_else(|| {
        panic!("/usr/lib/*/{LIBRARY} not found (install the package libfaketime)")
    })
}
