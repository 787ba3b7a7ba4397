//! An execution environment as the Runtime API sees it: what it is doing, and what may be asked of it now.
//!
//! ```text
//! init ─poll▶ idle ⇄ busy ─▶ gone
//!               └─ frozen after a while
//! ```
//! On demand it is held in whatever it does: its process is stopped until it is released, or ended.
//! One process after the other runs in it; its folder stays.

pub(super) mod due;
pub(super) mod over;
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
    over::Over,
    state::{State, Taken},
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
    /// Lambda's name for it, the end of its log stream's.
    pub(super) instance: String,
    pub(super) log: Log,
    /// Cancelled when it is to end …
    ending: CancellationToken,
    /// … and when its process is not even to be asked.
    ending_at_once: CancellationToken,
    state: Mutex<State>,
}

impl Environment {
    /// An environment in which nothing runs yet.
    pub(super) fn new(function: Arc<Function>, member: Member, executable: PathBuf) -> Self {
        let sink = Arc::clone(&function.host.log);
        let log = Log::new(&function.configuration, member.id, sink);
        let ending = function.host.shutdown.child_token();
        Self {
            member,
            function,
            executable,
            instance: Uuid::new_v4().simple().to_string(),
            log,
            ending,
            ending_at_once: CancellationToken::new(),
            state: Mutex::new(State::new()),
        }
    }

    /// Waits for the next invocation and takes it; `None` where the process has as many as it may have.
    ///
    /// What is sent to the process comes from `tell`, which is given the invocation and its deadline.
    pub(super) async fn next<T>(
        &self,
        tell: impl FnOnce(&Invocation, SystemTime) -> T,
    ) -> Option<T> {
        let _polling = Polling::begin(self)?;
        let given = self.state.lock().given.take();
        if let Some((invocation, started)) = given {
            return Some(self.begin(invocation, started, tell));
        }
        let Some(invocation) = self.receive().await else {
            self.retire_where_free();
            // It hears of its end by a signal.
            return pending().await;
        };
        self.log.begin(invocation.request_id);
        Some(self.begin(invocation, Instant::now(), tell))
    }

    /// Waits for an invocation; freezes the process where none comes for a while.
    async fn receive(&self) -> Option<Invocation> {
        let is_first = self.has_started();
        let mut turn = self.function.poll(self.member, Ready::Warm, is_first)?;
        if self.is_managed() {
            return turn.come().await;
        }
        tokio::select! {
            biased;
            invocation = turn.come() => invocation,
            () = sleep(FREEZE_AFTER) => {
                self.freeze();
                turn.come().await
            }
        }
    }

    fn begin<T>(
        &self,
        invocation: Invocation,
        started: Instant,
        tell: impl FnOnce(&Invocation, SystemTime) -> T,
    ) -> T {
        let timeout = self.function.configuration.timeout;
        let told = tell(
            &invocation,
            SystemTime::now() + timeout.saturating_sub(started.elapsed()),
        );
        let mut state = self.state.lock();
        state.thaw();
        let init = state.init.take();
        state
            .taken
            .push(Taken::new(invocation, started, timeout, init));
        self.enter(&mut state, Phase::Busy);
        told
    }

    /// Gives the outcome of an invocation to who waits for it. Refuses an id that is not of one under way.
    pub(super) fn answer(&self, request_id: &str, outcome: Outcome) -> bool {
        let Ok(request_id) = Uuid::try_parse(request_id) else {
            return false;
        };
        let mut state = self.state.lock();
        let Some(index) = state.unanswered(request_id) else {
            return false;
        };
        let answered = state.taken[index].answer(outcome.clone());
        let Some(invocation) = answered else {
            return false;
        };
        // With many at once, no poll belongs to this one: it is over now.
        let over = self.is_managed().then(|| state.taken.remove(index));
        self.settle(&mut state);
        drop(state);
        invocation.answer(outcome);
        if let Some(taken) = over {
            self.report(taken, &Over::Answered);
        }
        true
    }

    /// Whether an invocation of this id is under way.
    pub(super) fn is_under_way(&self, request_id: &str) -> bool {
        Uuid::try_parse(request_id).is_ok_and(|id| self.state.lock().unanswered(id).is_some())
    }

    /// Takes note that the process has registered an extension: it will get SIGTERM before SIGKILL.
    pub(super) fn register_extension(&self) {
        if let Some(running) = &mut self.state.lock().running {
            running.has_extension = true;
        }
    }

    /// Takes note of what the process says of its failed init.
    pub(super) fn init_failed(&self, error: InvokeError) {
        if let Some(running) = &mut self.state.lock().running {
            running.init_error = Some(error);
        }
    }

    /// What it is called.
    pub(super) fn name(&self) -> String {
        name(self.function.name(), self.member.id)
    }

    /// Stops its process, whatever it does, until [`Self::release`] or the process's end: invocations that it has,
    /// or gets, wait.
    pub(super) fn hold(&self) {
        let mut state = self.state.lock();
        if state.hold() {
            self.tell(&state);
        }
    }

    /// Has its process go on, unless it is frozen too.
    pub(super) fn release(&self) {
        let mut state = self.state.lock();
        if state.release() {
            self.tell(&state);
        }
    }

    /// Has it end now, whatever wants to be told before. What it does is lost.
    pub(super) fn end_at_once(&self) {
        self.ending_at_once.cancel();
        self.ending.cancel();
    }

    /// Has it end once no invocation is under way any more.
    fn retire_where_free(&self) {
        let mut state = self.state.lock();
        state.is_retired = true;
        self.settle(&mut state);
    }

    /// Takes note that the process may have nothing to do any more.
    fn settle(&self, state: &mut State) {
        state.listen();
        if state.is_retired && state.is_free() {
            self.ending.cancel();
        }
    }

    /// Whether it takes many invocations at once, and is never frozen.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html>
    fn is_managed(&self) -> bool {
        self.function.configuration.max_concurrency.is_some()
    }

    /// Completes when it is to end.
    pub(super) async fn ended(&self) {
        self.ending.cancelled().await;
    }

    /// Completes when its process is not, or no longer, to be given time to end.
    pub(super) async fn ended_at_once(&self) {
        self.ending_at_once.cancelled().await;
    }

    /// What is to be seen of it.
    pub(super) fn view(&self) -> View {
        self.view_of(&self.state.lock())
    }

    fn view_of(&self, state: &State) -> View {
        state.view(self.function.name(), self.member.id)
    }

    /// Stops the process between two invocations, as Lambda does.
    fn freeze(&self) {
        let mut state = self.state.lock();
        if state.freeze() {
            self.tell(&state);
        }
    }

    fn enter(&self, state: &mut MutexGuard<'_, State>, phase: Phase) {
        if state.enter(phase) {
            self.tell(state);
        }
    }

    fn tell(&self, state: &State) {
        let history = &self.function.host.history;
        history.tell(|| Change::Environment(self.view_of(state)));
    }

    /// Logs an invocation that is over, and keeps it in the history.
    fn report(&self, taken: Taken, over: &Over) {
        let configuration = &self.function.configuration;
        let elapsed = taken.started.elapsed();
        let duration = match over {
            Over::TimedOut => elapsed.min(configuration.timeout),
            Over::Answered | Over::Exited(_) | Over::Failed(_) => elapsed,
        };
        let status = taken.status(over);
        let memory_used = {
            let mut state = self.state.lock();
            if !matches!(status, Status::Success) {
                state.read_memory();
            }
            state.memory_used()
        };
        let log = self.log.report(&Report {
            request_id: taken.request_id,
            duration,
            init: taken.init,
            memory_size: configuration.memory_size,
            memory_used,
            status,
        });
        let outcome = taken
            .outcome
            .unwrap_or_else(|| Err(over.error(taken.request_id, configuration.timeout)));
        self.function.host.history.add(Record {
            function: configuration.name.clone(),
            environment: self.member.id,
            request_id: taken.request_id,
            event: taken.event,
            outcome,
            log,
            started: taken.started_at,
            duration,
            init: taken.init,
        });
    }
}

/// A process that waits for an invocation, for as long as its connection is there.
struct Polling<'a>(&'a Environment);

impl<'a> Polling<'a> {
    /// The invocation before is over now. `None` where the process may not have another one.
    fn begin(environment: &'a Environment) -> Option<Self> {
        let configuration = &environment.function.configuration;
        let mut state = environment.state.lock();
        let unanswered = state.taken.iter().filter(|it| it.is_unanswered()).count();
        if state.polling + unanswered >= configuration.slots() {
            return None;
        }
        state.polling += 1;
        state.listen();
        let over: Vec<Taken> = state
            .taken
            .extract_if(.., |it| !it.is_unanswered())
            .collect();
        if state.phase == Phase::Init {
            state.init = state.running.as_ref().map(|it| it.started.elapsed());
            state.memory_used();
        }
        if state.taken.is_empty() && state.given.is_none() {
            environment.enter(&mut state, Phase::Idle);
        }
        drop(state);
        for taken in over {
            environment.report(taken, &Over::Answered);
        }
        Some(Self(environment))
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.polling -= 1;
        // Nothing waits any more: that is no process between two invocations.
        if state.thaw() {
            self.0.tell(&state);
        }
        self.0.settle(&mut state);
    }
}

/// A process that waits for so long, with its reply given, is frozen. Short, since Lambda does it at once; but
/// under load the next invocation comes sooner, and then nothing is to be done.
const FREEZE_AFTER: Duration = Duration::from_millis(20);
