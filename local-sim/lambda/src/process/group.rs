//! Process groups and the signals sent to them.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// A process group: a function's process and its children.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group(Option<i32>);

impl Group {
    /// The group of a spawned process; empty if the process was already reaped.
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()))
    }

    /// The id of the group and of its leader.
    pub(crate) fn id(self) -> Option<i32> {
        self.0
    }

    /// Sends SIGSTOP, which stops all its processes.
    pub(crate) fn stop(self) {
        self.signal(Signal::STOP);
    }

    /// Sends SIGCONT, which resumes all its processes.
    pub(crate) fn resume(self) {
        self.signal(Signal::CONT);
    }

    /// Sends SIGTERM, which asks all its processes to exit.
    pub(crate) fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGKILL, which ends all its processes, including stopped ones.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(self, signal: Signal) {
        if let Some(group) = self.0.and_then(Pid::from_raw) {
            // Fails only if the group is already gone.
            let _ = kill_process_group(group, signal);
        }
    }
}

#[cfg(test)]
impl Group {
    /// A group with this id, for tests that send no signals.
    pub(crate) fn example(id: i32) -> Self {
        Self(Some(id))
    }

    /// A group whose process was reaped.
    pub(crate) fn gone() -> Self {
        Self(None)
    }
}
