//! What an environment is doing.

use std::{
    mem,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use uuid::Uuid;

use super::over::Over;
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
    /// It has not asked for an invocation yet.
    pub(super) is_starting: bool,
    /// Its process is stopped between two invocations.
    is_frozen: bool,
    /// Its process is stopped on demand; where there is none, the next one is.
    is_held: bool,
    pub(super) idle_since: Option<Instant>,
    pub(super) running: Option<Running>,
    /// How long the init took, until it is reported.
    pub(super) init: Option<Duration>,
    /// Polls that wait.
    pub(super) polling: usize,
    /// Since when the process has nothing to do, and asks for nothing either.
    pub(super) silent_since: Option<Instant>,
    /// It is not to be used again: it ends once it has nothing to do.
    pub(super) is_retired: bool,
    /// What the process was started for, until it polls.
    pub(super) given: Option<(Invocation, Instant)>,
    /// What the process has; the answered one too, until it polls again: that is when Lambda takes it to be done.
    pub(super) taken: Vec<Taken>,
    memory: PeakRss,
}

/// A process.
#[derive(Debug)]
pub(super) struct Running {
    group: Group,
    pub(super) started: Instant,
    /// It wants to be told before it is killed.
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
            given: None,
            taken: Vec::new(),
            memory: PeakRss::default(),
        }
    }

    /// Says whether that is news.
    pub(super) fn enter(&mut self, phase: Phase) -> bool {
        self.idle_since = (phase == Phase::Idle).then(Instant::now);
        mem::replace(&mut self.phase, phase) != phase
    }

    /// Takes note of a process, which is stopped at once if that was asked for.
    pub(super) fn run(&mut self, running: Running) {
        if self.is_held {
            running.group.stop();
        }
        self.running = Some(running);
    }

    /// The process has gone, and with it why it was stopped.
    pub(super) fn stop_running(&mut self) {
        self.running = None;
        self.silent_since = None;
        self.is_frozen = false;
        self.is_held = false;
    }

    /// Stops the process, if it has nothing to do; says whether that is news.
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

    /// Ends what [`Self::freeze`] began; says whether that is news.
    pub(super) fn thaw(&mut self) -> bool {
        let was_frozen = mem::take(&mut self.is_frozen);
        if was_frozen && !self.is_held {
            self.go_on();
        }
        was_frozen
    }

    /// Stops the process whatever it does, or the next one where there is none; says whether that is news.
    pub(super) fn hold(&mut self) -> bool {
        if let Some(running) = &self.running {
            running.group.stop();
        }
        !mem::replace(&mut self.is_held, true)
    }

    /// Ends what [`Self::hold`] began; says whether that is news.
    pub(super) fn release(&mut self) -> bool {
        let was_held = mem::take(&mut self.is_held);
        if was_held && !self.is_frozen {
            self.go_on();
        }
        was_held
    }

    fn go_on(&self) {
        if let Some(running) = &self.running {
            running.group.go_on();
        }
    }

    /// Asks the process to end. It goes on first: while it is stopped, any of its threads may be chosen to hear of
    /// it, and not the one that waits for it.
    pub(super) fn terminate(&mut self) {
        self.thaw();
        self.release();
        if let Some(running) = &self.running {
            running.group.terminate();
        }
    }

    /// Where the invocation is that still waits for this id's answer.
    pub(super) fn unanswered(&self, request_id: Uuid) -> Option<usize> {
        self.taken
            .iter()
            .position(|it| it.request_id == request_id && it.is_unanswered())
    }

    /// Takes those that took too long.
    pub(super) fn late(&mut self, now: Instant) -> Vec<Taken> {
        self.taken.extract_if(.., |it| it.deadline <= now).collect()
    }

    /// Whether the process has none that it has not answered.
    pub(super) fn is_free(&self) -> bool {
        self.taken.iter().all(|it| !it.is_unanswered())
    }

    /// Takes note of the moment from which on the process does nothing at all. It has been heard before, and may be
    /// so again.
    pub(super) fn listen(&mut self) {
        let is_silent = self.polling == 0 && self.taken.is_empty() && self.given.is_none();
        if is_silent && self.phase != Phase::Init && self.running.is_some() {
            self.silent_since.get_or_insert_with(Instant::now);
        } else {
            self.silent_since = None;
        }
    }

    /// When the first invocation under way is to be over.
    pub(super) fn deadline(&self, timeout: Duration) -> Option<Instant> {
        let given = self.given.iter().map(|(_, started)| *started + timeout);
        self.taken.iter().map(|it| it.deadline).chain(given).min()
    }

    /// In megabytes.
    pub(super) fn memory_used(&mut self) -> u64 {
        let group = self.running.as_ref().map(|it| it.group);
        self.memory.megabytes(group, Instant::now())
    }

    /// Looks at the memory now, however lately that was done.
    pub(super) fn read_memory(&mut self) {
        if let Some(running) = &self.running {
            self.memory.read(running.group, Instant::now());
        }
    }

    pub(super) fn view(&self, function: &str, id: u64) -> View {
        let given = self.given.iter().map(|(it, _)| it.request_id);
        let taken = self.taken.iter().map(|it| it.request_id);
        View {
            function: function.to_owned(),
            id,
            phase: self.phase,
            is_frozen: self.is_frozen,
            is_held: self.is_held,
            process: self.running.as_ref().and_then(|it| it.group.id()),
            requests: given.chain(taken).collect(),
        }
    }
}

/// An invocation that the process has.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) request_id: Uuid,
    pub(super) event: Bytes,
    pub(super) started: Instant,
    pub(super) started_at: SystemTime,
    pub(super) init: Option<Duration>,
    deadline: Instant,
    /// Until there is an answer.
    invocation: Option<Invocation>,
    pub(super) outcome: Option<Outcome>,
}

impl Taken {
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

    /// Takes note of the answer; gives what it is to be sent to, the first time.
    pub(super) fn answer(&mut self, outcome: Outcome) -> Option<Invocation> {
        let invocation = self.invocation.take()?;
        self.outcome = Some(outcome);
        Some(invocation)
    }
    /// What its report says.
    pub(super) fn status<'a>(&'a self, over: &'a Over) -> Status<'a> {
        match over {
            Over::TimedOut => Status::Timeout,
            Over::Exited(_) => Status::Error("Runtime.ExitError"),
            Over::Failed(error) => Status::Error(error.error_type()),
            Over::Answered => match &self.outcome {
                Some(Err(error)) => Status::Thrown(error.error_type()),
                Some(Ok(_)) | None => Status::Success,
            },
        }
    }
}
