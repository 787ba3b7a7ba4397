//! An execution environment: its lifecycle and its side of the Runtime API.
//!
//! ```text
//! init ─poll▶ idle ⇄ busy ─▶ gone
//!               └─ frozen after a while
//! ```
//! The console can hold an environment in any phase: its process stays stopped until it is released
//! or ended. If a process ends, the next one runs in the same environment and directory.

pub(super) mod due;
pub(super) mod end_reason;
mod state;
mod supervision;

use std::{
    future::pending,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    end_reason::EndReason,
    state::{InFlight, State},
};
use super::{
    error::InvokeError,
    function::Function,
    history::{Change, Record},
    invocation::{Invocation, Outcome},
    output::Log,
    platform::{Report, Status},
    pool::{Member, Ready},
    view::{Phase, View, name},
};

/// An execution environment.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) member: Member,
    pub(super) function: Arc<Function>,
    pub(super) executable: PathBuf,
    /// The instance id, with which the name of its log stream ends.
    pub(super) instance: String,
    pub(super) log: Log,
    /// Cancelled when the environment must end.
    end: CancellationToken,
    /// Cancelled when its process must be killed without SIGTERM.
    kill: CancellationToken,
    state: Mutex<State>,
}

impl Environment {
    /// Creates an environment without a process.
    pub(super) fn new(function: Arc<Function>, member: Member, executable: PathBuf) -> Self {
        let sink = Arc::clone(&function.host.log);
        let log = Log::new(&function.configuration, member.id, sink);
        let end = function.host.shutdown.child_token();
        Self {
            member,
            function,
            executable,
            instance: Uuid::new_v4().simple().to_string(),
            log,
            end,
            kill: CancellationToken::new(),
            state: Mutex::new(State::new()),
        }
    }

    /// Waits for the next invocation and takes it; `None` if the process has no free slot.
    ///
    /// `respond` builds the response for the process from the invocation and its deadline.
    pub(super) async fn next<T>(
        &self,
        respond: impl FnOnce(&Invocation, SystemTime) -> T,
    ) -> Option<T> {
        let _polling = Polling::begin(self)?;
        let assigned = self.state.lock().assigned.take();
        if let Some((invocation, started)) = assigned {
            return Some(self.begin(invocation, started, respond));
        }
        let Some(invocation) = self.receive().await else {
            self.retire_when_free();
            // The process gets a signal when the environment ends.
            return pending().await;
        };
        self.log.begin(invocation.request_id);
        Some(self.begin(invocation, Instant::now(), respond))
    }

    /// Waits for an invocation, and freezes the process if none arrives for a while.
    async fn receive(&self) -> Option<Invocation> {
        let is_first = self.take_starting();
        let mut poll = self.function.poll(self.member, Ready::Warm, is_first)?;
        if self.is_managed() {
            return poll.receive().await;
        }
        tokio::select! {
            biased;
            invocation = poll.receive() => invocation,
            () = sleep(FREEZE_AFTER) => {
                self.freeze();
                poll.receive().await
            }
        }
    }

    fn begin<T>(
        &self,
        invocation: Invocation,
        started: Instant,
        respond: impl FnOnce(&Invocation, SystemTime) -> T,
    ) -> T {
        let timeout = self.function.configuration.timeout;
        let response = respond(
            &invocation,
            SystemTime::now() + timeout.saturating_sub(started.elapsed()),
        );
        let mut state = self.state.lock();
        state.thaw();
        let init = state.init.take();
        state
            .in_flight
            .push(InFlight::new(invocation, started, timeout, init));
        self.enter(&mut state, Phase::Busy);
        response
    }

    /// Sends an outcome to the caller.
    ///
    /// Returns `false` if no invocation with this id is in progress.
    pub(super) fn answer(&self, request_id: &str, outcome: Outcome) -> bool {
        let Ok(request_id) = Uuid::try_parse(request_id) else {
            return false;
        };
        let mut state = self.state.lock();
        let Some(index) = state.unanswered(request_id) else {
            return false;
        };
        let first = state.in_flight[index].answer(outcome.clone());
        let Some(invocation) = first else {
            return false;
        };
        // With concurrent invocations no poll marks the end of this one, so it ends here.
        let ended = self.is_managed().then(|| state.in_flight.remove(index));
        self.settle(&mut state);
        drop(state);
        invocation.answer(outcome);
        if let Some(in_flight) = ended {
            self.report(in_flight, &EndReason::Answered);
        }
        true
    }

    /// Whether an unanswered invocation has this id.
    pub(super) fn is_in_progress(&self, request_id: &str) -> bool {
        Uuid::try_parse(request_id).is_ok_and(|id| self.state.lock().unanswered(id).is_some())
    }

    /// Records that the process has an extension, so it gets SIGTERM before SIGKILL.
    pub(super) fn register_extension(&self) {
        if let Some(running) = &mut self.state.lock().running {
            running.has_extension = true;
        }
    }

    /// Stores the init error that the process reports.
    pub(super) fn init_failed(&self, error: InvokeError) {
        if let Some(running) = &mut self.state.lock().running {
            running.init_error = Some(error);
        }
    }

    /// The environment's name, for example `message-0`.
    pub(super) fn name(&self) -> String {
        name(self.function.name(), self.member.id)
    }

    /// Stops the process, even a busy one, until [`Self::release`] or the process's end.
    ///
    /// Its current and new invocations wait.
    pub(super) fn hold(&self) {
        let mut state = self.state.lock();
        if state.hold() {
            self.publish(&state);
        }
    }

    /// Undoes [`Self::hold`]; the process resumes unless it is also frozen.
    pub(super) fn release(&self) {
        let mut state = self.state.lock();
        if state.release() {
            self.publish(&state);
        }
    }

    /// Ends the environment at once, without SIGTERM. Its invocations fail.
    pub(super) fn kill(&self) {
        self.kill.cancel();
        self.end.cancel();
    }

    /// Ends the environment as soon as it has no unanswered invocation.
    fn retire_when_free(&self) {
        let mut state = self.state.lock();
        state.is_retired = true;
        self.settle(&mut state);
    }

    /// Updates the state after the process may have become free.
    fn settle(&self, state: &mut State) {
        state.update_silence();
        if state.is_retired && state.is_free() {
            self.end.cancel();
        }
    }

    /// Whether it runs on a Managed Instance: with concurrent invocations, and never frozen.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html>
    fn is_managed(&self) -> bool {
        self.function.configuration.max_concurrency.is_some()
    }

    /// Completes when the environment must end.
    pub(super) async fn end_requested(&self) {
        self.end.cancelled().await;
    }

    /// Completes when the process must be killed without waiting for its exit.
    pub(super) async fn kill_requested(&self) {
        self.kill.cancelled().await;
    }

    /// Returns a snapshot for the console.
    pub(super) fn view(&self) -> View {
        self.view_of(&self.state.lock())
    }

    fn view_of(&self, state: &State) -> View {
        state.view(self.function.name(), self.member.id)
    }

    /// Stops the process between invocations, as Lambda does.
    fn freeze(&self) {
        let mut state = self.state.lock();
        if state.freeze() {
            self.publish(&state);
        }
    }

    fn enter(&self, state: &mut MutexGuard<'_, State>, phase: Phase) {
        if state.enter(phase) {
            self.publish(state);
        }
    }

    /// Publishes the new state to the subscribers of the history.
    fn publish(&self, state: &State) {
        let history = &self.function.host.history;
        history.publish(|| Change::Environment(self.view_of(state)));
    }

    /// Logs the report of an ended invocation and adds it to the history.
    fn report(&self, in_flight: InFlight, reason: &EndReason) {
        let configuration = &self.function.configuration;
        let elapsed = in_flight.started.elapsed();
        let duration = match reason {
            EndReason::TimedOut => elapsed.min(configuration.timeout),
            EndReason::Answered | EndReason::Exited(_) | EndReason::Failed(_) => elapsed,
        };
        let status = in_flight.status(reason);
        let memory_used = {
            let mut state = self.state.lock();
            if !matches!(status, Status::Success) {
                state.read_memory();
            }
            state.memory_used()
        };
        let log = self.log.report(&Report {
            request_id: in_flight.request_id,
            duration,
            init: in_flight.init,
            memory_size: configuration.memory_size,
            memory_used,
            status,
        });
        let outcome = in_flight
            .outcome
            .unwrap_or_else(|| Err(reason.error(in_flight.request_id, configuration.timeout)));
        self.function.host.history.add(Record {
            function: configuration.name.clone(),
            environment: self.member.id,
            request_id: in_flight.request_id,
            event: in_flight.event,
            outcome,
            log,
            started: in_flight.started_at,
            duration,
            init: in_flight.init,
        });
    }
}

/// A waiting poll. Dropped when it gets an invocation or its connection closes.
struct Polling<'a>(&'a Environment);

impl<'a> Polling<'a> {
    /// Ends the answered invocations; `None` if the process has no free slot.
    fn begin(environment: &'a Environment) -> Option<Self> {
        let configuration = &environment.function.configuration;
        let mut state = environment.state.lock();
        let unanswered = state
            .in_flight
            .iter()
            .filter(|it| it.is_unanswered())
            .count();
        if state.polling + unanswered >= configuration.slots() {
            return None;
        }
        state.polling += 1;
        state.update_silence();
        let ended: Vec<InFlight> = state
            .in_flight
            .extract_if(.., |it| !it.is_unanswered())
            .collect();
        if state.phase == Phase::Init {
            state.init = state.running.as_ref().map(|it| it.started.elapsed());
            state.memory_used();
        }
        if state.in_flight.is_empty() && state.assigned.is_none() {
            environment.enter(&mut state, Phase::Idle);
        }
        drop(state);
        for in_flight in ended {
            environment.report(in_flight, &EndReason::Answered);
        }
        Some(Self(environment))
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.polling -= 1;
        // A process without a waiting poll must not stay frozen.
        if state.thaw() {
            self.0.publish(&state);
        }
        self.0.settle(&mut state);
    }
}

/// An idle process is frozen after this time.
///
/// Lambda freezes at once. Under load, the next invocation comes within this delay, which saves the
/// signals.
const FREEZE_AFTER: Duration = Duration::from_millis(20);
