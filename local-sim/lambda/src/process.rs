//! Starts the functions' processes. All code that depends on the operating system is here.

mod batch;
pub(super) mod group;
pub(super) mod guardian;
pub(super) mod proc;

use std::{io, path::Path, process::Stdio, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{net::unix::pipe, process::Child, time::sleep};
use tracing::warn;

use self::group::Group;

/// Starts a process in its own group and returns it with the pipe that receives its output.
///
/// Retries `ETXTBSY`: a concurrent fork may briefly keep a just written executable open for
/// writing.
pub(super) async fn spawn(
    executable: &Path,
    directory: &Path,
    variables: &[(String, String)],
) -> io::Result<(Child, pipe::Receiver)> {
    let mut attempts = 1;
    loop {
        match try_spawn(executable, directory, variables) {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy
                    && attempts < BUSY_ATTEMPTS_MAX =>
            {
                attempts += 1;
                sleep(BUSY_PAUSE).await;
            }
            spawned => return spawned,
        }
    }
}

fn try_spawn(
    executable: &Path,
    directory: &Path,
    variables: &[(String, String)],
) -> io::Result<(Child, pipe::Receiver)> {
    let (writer, output) = pipe::pipe()?;
    let writer = writer.into_blocking_fd()?;
    let child = tokio::process::Command::new(executable)
        .current_dir(directory)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        // One pipe for both keeps the order of lines.
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    batch::set_batch_policy(Group::of(&child));
    Ok((child, output))
}

/// Attempts to start a program that is busy (`ETXTBSY`).
const BUSY_ATTEMPTS_MAX: u32 = 20;
/// Pause between two attempts: much longer than a concurrent fork takes.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Raises the limit on open files as far as the system allows.
///
/// Each connection and each environment needs several.
pub fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = max_descriptors(current, maximum);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current, maximum }) {
        warn!("cannot raise the limit on open files: {error}");
    }
}

/// The highest limit that can be set; `None` means unlimited.
///
/// macOS reports no hard limit but rejects more than its `OPEN_MAX`.
fn max_descriptors(current: Option<u64>, maximum: Option<u64>) -> Option<u64> {
    match maximum {
        None if cfg!(target_os = "macos") => Some(current.unwrap_or_default().max(MACOS_OPEN_MAX)),
        maximum => maximum,
    }
}

/// `OPEN_MAX` of `sys/syslimits.h` on macOS, see `setrlimit(2)` there.
const MACOS_OPEN_MAX: u64 = 10_240;
