//! Processes: how they are started, and how none is left behind. What differs between systems belongs here.

mod batch;
mod proc;

use std::{
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{ChildStdin, Command, Stdio},
    time::Duration,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, setrlimit};
use tokio::{net::unix::pipe, process::Child, time::sleep};
use tracing::warn;

pub(super) use self::proc::Ticks;

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

/// A process and its children.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group(Option<i32>);

impl Group {
    /// The group that `spawn` made. Empty where the process has been waited for already.
    pub(super) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()))
    }

    /// The number of the process that leads it.
    pub(super) fn id(self) -> Option<i32> {
        self.0
    }

    /// Stops all of it, so that it gets no more time.
    pub(super) fn stop(self) {
        self.signal(Signal::STOP);
    }

    /// Has all of it go on.
    pub(super) fn go_on(self) {
        self.signal(Signal::CONT);
    }

    /// Asks all of it to end.
    pub(super) fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// Ends all of it at once, stopped processes included.
    pub(super) fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(self, signal: Signal) {
        if let Some(group) = self.0.and_then(Pid::from_raw) {
            // Gone already is as good.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// Ends the functions when the simulator ends without doing so itself, as it does on SIGKILL.
///
/// It is a shell that reads a pipe whose other end only the simulator holds. `+ID` and `-ID` tell it of process
/// groups that come and go; when the pipe breaks, those that are left are killed, and the simulator's folder is
/// removed. That takes stopped processes and grandchildren too, and works the same on every Unix.
#[derive(Debug)]
pub(super) struct Guardian {
    pipe: Mutex<ChildStdin>,
}

impl Guardian {
    /// Starts the watch. `folder` goes with the simulator.
    pub(super) fn start(folder: &Path) -> io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", LAST_WILL, "guardian"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Signals to the simulator's own group are not meant for it.
            .process_group(0)
            .spawn()?;
        let pipe = child
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("the guardian has no pipe"))?;
        Ok(Self {
            pipe: Mutex::new(pipe),
        })
    }

    pub(super) fn watch(&self, group: Group) {
        self.tell('+', group);
    }

    pub(super) fn forget(&self, group: Group) {
        self.tell('-', group);
    }

    /// Writes a few bytes, which a pipe takes whole or not at all.
    fn tell(&self, sign: char, Group(group): Group) {
        let Some(group) = group else {
            return;
        };
        if let Err(error) = self
            .pipe
            .lock()
            .write_all(format!("{sign}{group}\n").as_bytes())
        {
            warn!("nobody would end the functions if the simulator were killed: {error}");
        }
    }
}

/// What the shell runs; `$1` is the folder.
const LAST_WILL: &str = r#"groups=' '
while IFS= read -r line; do
    id=${line#?}
    case $line in
    +*) groups="$groups$id " ;;
    -*) groups="${groups%% $id *} ${groups#* $id }" ;;
    esac
done
for id in $groups; do kill -s KILL -- "-$id"; done
rm -rf -- "$1""#;

/// A program that is busy is tried so often …
const BUSY_ATTEMPTS_MAX: u32 = 20;
/// … with this pause between two attempts: far more than the start of another process takes.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
impl Group {
    /// One for tests, which sends it no signal.
    pub(super) fn example(id: i32) -> Self {
        Self(Some(id))
    }
}

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
