//! An environment as the console shows it.

use uuid::Uuid;

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
pub struct View {
    /// The function that it runs.
    pub function: String,
    pub(crate) id: u64,
    pub(crate) phase: Phase,
    pub(crate) is_frozen: bool,
    /// Its process was stopped on demand, whatever it does.
    pub is_held: bool,
    /// Its process's number, where there is one.
    pub process: Option<i32>,
    /// Invocations that it has now.
    pub requests: Vec<Uuid>,
}

impl View {
    /// What the environment is called: `message-0`.
    pub fn name(&self) -> String {
        name(&self.function, self.id)
    }

    /// The word for its state: `init`, `idle`, `frozen`, which is idle and stopped as Lambda does it, `busy` or
    /// `gone`.
    pub fn state(&self) -> &'static str {
        match self.phase {
            Phase::Init => "init",
            Phase::Idle if self.is_frozen => "frozen",
            Phase::Idle => "idle",
            Phase::Busy => "busy",
            Phase::Gone => "gone",
        }
    }

    /// The same environment once it has ended.
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

/// What an environment is called.
pub(crate) fn name(function: &str, id: u64) -> String {
    format!("{function}-{id}")
}
