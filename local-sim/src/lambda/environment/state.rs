//! What an environment is doing.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use uuid::Uuid;

use super::Environment;
use crate::lambda::{
    InvokeError,
    invocation::{Invocation, Outcome},
    memory::Memory,
    platform::Status,
    process::Group,
};

/// Where an environment is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its first process starts.
    Init,
    /// It has nothing to do; where there is no process, one has failed before.
    Idle,
    /// It runs an invocation, or several.
    Busy,
    /// It has ended.
    Gone,
}

/// What is to be seen of an environment.
#[derive(Debug, Clone)]
#[expect(dead_code, reason = "for who looks at environments")]
pub(crate) struct View {
    pub(crate) function: String,
    pub(crate) id: u64,
    pub(crate) phase: Phase,
    /// Its process is stopped.
    pub(crate) is_frozen: bool,
    /// Its process's number, where there is one.
    pub(crate) process: Option<i32>,
    /// Invocations that it runs now.
    pub(crate) requests: Vec<Uuid>,
}

/// How an invocation, or a process, came to its end.
#[derive(Debug)]
pub(in crate::lambda) enum Over {
    /// By a reply.
    Answered,
    /// It took too long.
    TimedOut,
    /// The process ended, so.
    Exited(String),
    /// The process could not be started, or said itself why it does not start.
    Failed(InvokeError),
}

impl Over {
    /// What who invoked is told where there was no reply.
    pub(super) fn error(&self, request_id: Uuid, timeout: Duration) -> InvokeError {
        match self {
            Self::Failed(error) => error.clone(),
            Self::Exited(how) => InvokeError::function(
                "Runtime.ExitError",
                format!("RequestId: {request_id} Error: {how}"),
            ),
            Self::TimedOut | Self::Answered => InvokeError::function(
                "Sandbox.Timedout",
                format!(
                    "RequestId: {request_id} Error: Task timed out after {:.2} seconds",
                    timeout.as_secs_f64()
                ),
            ),
        }
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// It has not asked for an invocation yet.
    pub(super) is_starting: bool,
    pub(super) is_frozen: bool,
    pub(super) idle_since: Option<Instant>,
    pub(super) running: Option<Running>,
    /// How long the init took, until it is reported.
    pub(super) init: Option<Duration>,
    /// Polls that wait.
    pub(super) polling: usize,
    /// What the process was started for, until it polls.
    pub(super) given: Option<(Invocation, Instant)>,
    /// What the process has; the answered one too, until it polls again: that is when Lambda takes it to be done.
    pub(super) taken: Vec<Taken>,
    memory: Memory,
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
            idle_since: None,
            running: None,
            init: None,
            polling: 0,
            given: None,
            taken: Vec::new(),
            memory: Memory::default(),
        }
    }

    /// Says whether that is news.
    pub(super) fn enter(&mut self, phase: Phase) -> bool {
        self.idle_since = (phase == Phase::Idle).then(Instant::now);
        std::mem::replace(&mut self.phase, phase) != phase
    }

    /// Stops the process, if it has nothing to do; says whether it had not been stopped before.
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

    pub(super) fn thaw(&mut self) {
        if let (true, Some(running)) = (self.is_frozen, &self.running) {
            running.group.go_on();
        }
        self.is_frozen = false;
    }

    /// Asks the process to end. It goes on first: while it is stopped, any of its threads may be chosen to hear of
    /// it, and not the one that waits for it.
    pub(super) fn terminate(&mut self) {
        self.thaw();
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

    /// When the first invocation under way is to be over.
    pub(super) fn deadline(&self, timeout: Duration) -> Option<Instant> {
        let given = self.given.iter().map(|(_, started)| *started + timeout);
        self.taken.iter().map(|it| it.deadline).chain(given).min()
    }

    /// In megabytes.
    pub(super) fn memory_used(&mut self) -> u64 {
        let process = self.running.as_ref().and_then(|it| it.group.id());
        self.memory.megabytes(process, Instant::now())
    }

    pub(super) fn view(&self, environment: &Environment) -> View {
        View {
            function: environment.function.name().to_owned(),
            id: environment.member.id,
            phase: self.phase,
            is_frozen: self.is_frozen,
            process: self.running.as_ref().and_then(|it| it.group.id()),
            requests: self.taken.iter().map(|it| it.request_id).collect(),
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
        invocation: Invocation,
        started: Instant,
        timeout: Duration,
        init: Option<Duration>,
    ) -> Self {
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
