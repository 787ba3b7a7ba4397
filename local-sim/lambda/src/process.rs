//! Processes: how they are started, and how none is left behind. What differs between systems belongs here.

mod batch;
pub(super) mod group;
pub(super) mod guardian;
pub(super) mod proc;

use std::{io, path::Path, process::Stdio, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{net::unix::pipe, process::Child, time::sleep};
use tracing::warn;

use self::group::Group;

/// Starts a process in a group of its own, so that its children end with it; gives what it prints, too.
///
/// A program that was written a moment ago may still be open in a process that was being started then, and nothing
/// runs a file that is open for writing: it is tried again.
pub(super) async fn spawn(
    executable: &Path,
    folder: &Path,
    variables: &[(String, String)],
) -> io::Result<(Child, pipe::Receiver)> {
    let mut attempts = 1;
    loop {
        match try_spawn(executable, folder, variables) {
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
    folder: &Path,
    variables: &[(String, String)],
) -> io::Result<(Child, pipe::Receiver)> {
    let (printed, output) = pipe::pipe()?;
    let printed = printed.into_blocking_fd()?;
    let child = tokio::process::Command::new(executable)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        // One pipe for both, which keeps the order of lines.
        .stdout(printed.try_clone()?)
        .stderr(printed)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    batch::have_wait(Group::of(&child));
    Ok((child, output))
}

/// A program that is busy is tried so often …
const BUSY_ATTEMPTS_MAX: u32 = 20;
/// … with this pause between two attempts: far more than the start of another process takes.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Allows as many open files as the system lets this process have: each connection and each environment takes some.
pub fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let most = most_descriptors(current, maximum);
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum,
        },
    ) {
        warn!("cannot raise the limit on open files: {error}");
    }
}

/// What may be asked for; `None` is no limit. macOS names no hard limit, and refuses more than its `OPEN_MAX`.
fn most_descriptors(current: Option<u64>, maximum: Option<u64>) -> Option<u64> {
    match maximum {
        None if cfg!(target_os = "macos") => Some(current.unwrap_or_default().max(MACOS_OPEN_MAX)),
        maximum => maximum,
    }
}

/// `OPEN_MAX` of macOS's `sys/syslimits.h`; `setrlimit(2)` there.
const MACOS_OPEN_MAX: u64 = 10_240;
