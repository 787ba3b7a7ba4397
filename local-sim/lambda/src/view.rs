//! An environment as the console shows it.

use uuid::Uuid;

/// The phase of an environment's lifecycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its first process is starting.
    Init,
    /// It has no invocation, and no process either if the last one failed.
    Idle,
    /// It runs one or more invocations.
    Busy,
    /// It has ended.
    Gone,
}

/// A snapshot of an environment.
#[derive(Debug, Clone)]
pub struct View {
    /// The function's name.
    pub function: String,
    pub(crate) id: u64,
    pub(crate) phase: Phase,
    pub(crate) is_frozen: bool,
    /// Its process is stopped by [`freeze_environment`](crate::Lambda::freeze_environment).
    pub is_held: bool,
    /// The process id, if a process runs.
    pub process: Option<i32>,
    /// The request ids of its invocations.
    pub requests: Vec<Uuid>,
}

impl View {
    /// The environment's name, for example `message-0`.
    pub fn name(&self) -> String {
        name(&self.function, self.id)
    }

    /// The environment's state: `init`, `idle`, `frozen`, `busy` or `gone`.
    ///
    /// `frozen` means idle and stopped, as Lambda does between invocations.
    pub fn state(&self) -> &'static str {
        match self.phase {
            Phase::Init => "init",
            Phase::Idle if self.is_frozen => "frozen",
            Phase::Idle => "idle",
            Phase::Busy => "busy",
            Phase::Gone => "gone",
        }
    }

    /// Returns the same environment as ended.
    pub(crate) fn into_gone(self) -> Self {
        Self {
            phase: Phase::Gone,
            is_frozen: false,
            is_held: false,
            process: None,
            requests: Vec::new(),
            ..self
        }
    }
}

/// The name of a function's environment with this number.
pub(crate) fn name(function: &str, id: u64) -> String {
    format!("{function}-{id}")
}
