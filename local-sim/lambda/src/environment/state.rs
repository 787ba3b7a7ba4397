//! The mutable state of an environment.

use std::{
    mem,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use uuid::Uuid;

use super::end_reason::EndReason;
use crate::{
    error::InvokeError,
    invocation::{Invocation, Outcome},
    platform::Status,
    process::group::Group,
    rss::PeakRss,
    view::{Phase, View},
};

#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// It has not polled yet.
    pub(super) is_starting: bool,
    /// Its process is stopped between invocations, as on Lambda.
    is_frozen: bool,
    /// Its process, or the next one if none runs, is stopped by the console.
    is_held: bool,
    pub(super) idle_since: Option<Instant>,
    pub(super) running: Option<Running>,
    /// The duration of the init, until an invocation reports it.
    pub(super) init: Option<Duration>,
    /// The number of waiting polls.
    pub(super) polling: usize,
    /// Since when the process has neither an invocation nor a waiting poll.
    pub(super) silent_since: Option<Instant>,
    /// It gets no more invocations, and ends once it has none.
    pub(super) is_retired: bool,
    /// The invocation that the process was started for, until it polls.
    pub(super) assigned: Option<(Invocation, Instant)>,
    /// The invocations of the process.
    ///
    /// An answered one stays until the next poll, which is when Lambda considers it done.
    pub(super) in_flight: Vec<InFlight>,
    memory: PeakRss,
}

/// The running process.
#[derive(Debug)]
pub(super) struct Running {
    group: Group,
    pub(super) started: Instant,
    /// It gets SIGTERM before SIGKILL.
    pub(super) has_extension: bool,
    pub(super) init_error: Option<InvokeError>,
}

impl Running {
    pub(super) fn new(group: Group) -> Self {
        Self {
            group,
            started: Instant::now(),
            has_extension: false,
            init_error: None,
        }
    }
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Init,
            is_starting: true,
            is_frozen: false,
            is_held: false,
            idle_since: None,
            running: None,
            init: None,
            polling: 0,
            silent_since: None,
            is_retired: false,
            assigned: None,
            in_flight: Vec::new(),
            memory: PeakRss::default(),
        }
    }

    /// Enters a phase. Returns whether the phase changed.
    pub(super) fn enter(&mut self, phase: Phase) -> bool {
        self.idle_since = (phase == Phase::Idle).then(Instant::now);
        mem::replace(&mut self.phase, phase) != phase
    }

    /// Sets the running process, and stops it if the environment is held.
    pub(super) fn set_running(&mut self, running: Running) {
        if self.is_held {
            running.group.stop();
        }
        self.running = Some(running);
    }

    /// Removes the process and what applied only to it.
    pub(super) fn clear_running(&mut self) {
        self.running = None;
        self.silent_since = None;
        self.is_frozen = false;
        self.is_held = false;
    }

    /// Stops an idle process. Returns whether it was running before.
    pub(super) fn freeze(&mut self) -> bool {
        let Some(running) = &self.running else {
            return false;
        };
        if self.is_frozen || self.phase != Phase::Idle {
            return false;
        }
        running.group.stop();
        self.is_frozen = true;
        true
    }

    /// Undoes [`Self::freeze`]. Returns whether the process was frozen.
    pub(super) fn thaw(&mut self) -> bool {
        let was_frozen = mem::take(&mut self.is_frozen);
        if was_frozen && !self.is_held {
            self.resume();
        }
        was_frozen
    }

    /// Stops the current or next process even if it is busy.
    ///
    /// Returns whether it was not held before.
    pub(super) fn hold(&mut self) -> bool {
        if let Some(running) = &self.running {
            running.group.stop();
        }
        !mem::replace(&mut self.is_held, true)
    }

    /// Undoes [`Self::hold`]. Returns whether the process was held.
    pub(super) fn release(&mut self) -> bool {
        let was_held = mem::take(&mut self.is_held);
        if was_held && !self.is_frozen {
            self.resume();
        }
        was_held
    }

    fn resume(&self) {
        if let Some(running) = &self.running {
            running.group.resume();
        }
    }

    /// Sends SIGTERM, after resuming the process.
    ///
    /// The kernel may deliver a signal sent to a stopped process to a thread that does not handle
    /// it.
    pub(super) fn terminate(&mut self) {
        self.thaw();
        self.release();
        if let Some(running) = &self.running {
            running.group.terminate();
        }
    }

    /// The index of the unanswered invocation with this id.
    pub(super) fn unanswered(&self, request_id: Uuid) -> Option<usize> {
        self.in_flight
            .iter()
            .position(|it| it.request_id == request_id && it.is_unanswered())
    }

    /// Removes and returns the invocations past their deadline.
    pub(super) fn take_late(&mut self, now: Instant) -> Vec<InFlight> {
        self.in_flight
            .extract_if(.., |it| it.deadline <= now)
            .collect()
    }

    /// Whether the process has answered all its invocations.
    pub(super) fn is_free(&self) -> bool {
        self.in_flight.iter().all(|it| !it.is_unanswered())
    }

    /// Updates `silent_since`, except during the init and without a process.
    pub(super) fn update_silence(&mut self) {
        let is_silent = self.polling == 0 && self.in_flight.is_empty() && self.assigned.is_none();
        if is_silent && self.phase != Phase::Init && self.running.is_some() {
            self.silent_since.get_or_insert_with(Instant::now);
        } else {
            self.silent_since = None;
        }
    }

    /// The earliest deadline of an invocation.
    pub(super) fn deadline(&self, timeout: Duration) -> Option<Instant> {
        let assigned = self.assigned.iter().map(|(_, started)| *started + timeout);
        self.in_flight
            .iter()
            .map(|it| it.deadline)
            .chain(assigned)
            .min()
    }

    /// Peak memory in megabytes; the value may be slightly stale.
    pub(super) fn memory_used(&mut self) -> u64 {
        let group = self.running.as_ref().map(|it| it.group);
        self.memory.megabytes(group, Instant::now())
    }

    /// Reads the memory usage now, even if it was read recently.
    pub(super) fn read_memory(&mut self) {
        if let Some(running) = &self.running {
            self.memory.read(running.group, Instant::now());
        }
    }

    pub(super) fn view(&self, function: &str, id: u64) -> View {
        let assigned = self.assigned.iter().map(|(it, _)| it.request_id);
        let in_flight = self.in_flight.iter().map(|it| it.request_id);
        View {
            function: function.to_owned(),
            id,
            phase: self.phase,
            is_frozen: self.is_frozen,
            is_held: self.is_held,
            process: self.running.as_ref().and_then(|it| it.group.id()),
            requests: assigned.chain(in_flight).collect(),
        }
    }
}

/// An invocation that the process has received.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) request_id: Uuid,
    pub(super) event: Bytes,
    pub(super) started: Instant,
    pub(super) started_at: SystemTime,
    pub(super) init: Option<Duration>,
    deadline: Instant,
    /// `None` once answered.
    invocation: Option<Invocation>,
    pub(super) outcome: Option<Outcome>,
}

impl InFlight {
    pub(super) fn new(
        mut invocation: Invocation,
        started: Instant,
        timeout: Duration,
        init: Option<Duration>,
    ) -> Self {
        invocation.init = init;
        Self {
            request_id: invocation.request_id,
            event: invocation.event.clone(),
            started,
            started_at: SystemTime::now(),
            init,
            deadline: started + timeout,
            invocation: Some(invocation),
            outcome: None,
        }
    }

    pub(super) fn is_unanswered(&self) -> bool {
        self.invocation.is_some()
    }

    /// Stores the outcome; on the first call, returns the invocation to send it to.
    pub(super) fn answer(&mut self, outcome: Outcome) -> Option<Invocation> {
        let invocation = self.invocation.take()?;
        self.outcome = Some(outcome);
        Some(invocation)
    }

    /// The status for its report.
    pub(super) fn status<'a>(&'a self, reason: &'a EndReason) -> Status<'a> {
        match reason {
            EndReason::TimedOut => Status::Timeout,
            EndReason::Exited(_) => Status::Error("Runtime.ExitError"),
            EndReason::Failed(error) => Status::Error(error.error_type()),
            EndReason::Answered => match &self.outcome {
                Some(Err(error)) => Status::Thrown(error.error_type()),
                Some(Ok(_)) | None => Status::Success,
            },
        }
    }
}
