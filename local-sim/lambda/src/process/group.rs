//! A process with its children, and the signals that it gets.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// A process and its children.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group(Option<i32>);

impl Group {
    /// The group that `spawn` made. Empty where the process has been waited for already.
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()))
    }

    /// The number of the process that leads it.
    pub(crate) fn id(self) -> Option<i32> {
        self.0
    }

    /// Stops all of it, so that it gets no more time.
    pub(crate) fn stop(self) {
        self.signal(Signal::STOP);
    }

    /// Has all of it go on.
    pub(crate) fn go_on(self) {
        self.signal(Signal::CONT);
    }

    /// Asks all of it to end.
    pub(crate) fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// Ends all of it at once, stopped processes included.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(self, signal: Signal) {
        if let Some(group) = self.0.and_then(Pid::from_raw) {
            // Gone already is as good.
            let _ = kill_process_group(group, signal);
        }
    }
}

#[cfg(test)]
impl Group {
    /// One for tests, which sends it no signal.
    pub(crate) fn example(id: i32) -> Self {
        Self(Some(id))
    }

    /// One that has gone.
    pub(crate) fn gone() -> Self {
        Self(None)
    }
}
