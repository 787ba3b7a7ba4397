//! The part of an environment that its supervisor uses.

use std::time::{Duration, Instant};

use super::{
    Environment,
    due::Due,
    end_reason::EndReason,
    state::{InFlight, Running},
};
use crate::{
    error::InvokeError, invocation::Invocation, platform::Line, process::group::Group, view::Phase,
};

impl Environment {
    /// Records that a process has been started.
    pub(crate) fn process_started(&self, group: Group) {
        let mut state = self.state.lock();
        state.set_running(Running::new(group));
        self.publish(&state);
    }

    /// Assigns an invocation to the next process; its time starts now.
    pub(crate) fn assign(&self, invocation: Invocation) {
        self.log.begin(invocation.request_id);
        let mut state = self.state.lock();
        state.assigned = Some((invocation, Instant::now()));
        self.enter(&mut state, Phase::Busy);
    }

    /// The elapsed init time if the first process has not polled yet.
    pub(crate) fn in_init(&self) -> Option<Duration> {
        let state = self.state.lock();
        let running = state.running.as_ref()?;
        (state.phase == Phase::Init).then(|| running.started.elapsed())
    }

    /// Takes the init error that the process reported.
    pub(crate) fn init_error(&self) -> Option<InvokeError> {
        self.state.lock().running.as_mut()?.init_error.take()
    }

    /// Returns the timeout that has expired, or when to check again.
    ///
    /// A timeout that starts after this call never expires before the next check.
    pub(crate) fn due(&self) -> Due {
        let configuration = &self.function.configuration;
        let timeout = configuration.timeout;
        let now = Instant::now();
        if self.is_managed() {
            self.fail_late(now);
        }
        let state = self.state.lock();
        let silent = state.silent_since.map(|since| since + timeout);
        if silent.is_some_and(|at| at <= now) {
            return Due::Silence;
        }
        let started = state.running.as_ref().map_or(now, |it| it.started);
        let limit = match state.phase {
            Phase::Init => Some((started + configuration.init_max(), Due::Init)),
            Phase::Idle => state
                .idle_since
                .map(|since| (since + self.function.host.settings.reap_after, Due::Idle)),
            Phase::Busy => state.deadline(timeout).map(|at| (at, Due::Invocation)),
            Phase::Gone => None,
        };
        let again = now + timeout.min(self.function.host.settings.reap_after);
        let again = silent.map_or(again, |at| at.min(again));
        match limit {
            Some((at, due)) if at <= now => due,
            Some((at, _)) => Due::At(at.min(again)),
            None => Due::At(again),
        }
    }

    /// Fails invocations past their deadline without ending the concurrent others.
    fn fail_late(&self, now: Instant) {
        let late = {
            let mut state = self.state.lock();
            let late = state.take_late(now);
            self.settle(&mut state);
            late
        };
        for mut in_flight in late {
            self.fail(&mut in_flight, &EndReason::TimedOut);
            self.report(in_flight, &EndReason::TimedOut);
        }
    }

    /// Retires the environment, unless it is just receiving an invocation.
    pub(crate) fn retire(&self) {
        let polling = self.state.lock().polling;
        self.function.retire(self.member.id, polling.max(1));
    }

    /// Reads the memory usage, which is unavailable after the process is killed.
    pub(crate) fn read_memory(&self) {
        self.state.lock().read_memory();
    }

    /// Sends SIGTERM to a process with an extension, unless it must be killed at once.
    ///
    /// Returns whether the signal was sent and the exit should be awaited.
    pub(crate) fn terminate(&self) -> bool {
        let mut state = self.state.lock();
        let has_extension = state.running.as_ref().is_some_and(|it| it.has_extension);
        let is_sent = has_extension && !self.kill.is_cancelled();
        if is_sent {
            state.terminate();
        }
        is_sent
    }

    /// Records that the process has ended, and fails its unanswered invocations.
    pub(crate) fn process_ended(&self, reason: &EndReason) {
        self.log.detach();
        let timeout = self.function.configuration.timeout;
        let mut state = self.state.lock();
        state.clear_running();
        let mut left: Vec<InFlight> = state.in_flight.drain(..).collect();
        let assigned = state.assigned.take();
        state.enter(Phase::Idle);
        self.publish(&state);
        drop(state);
        left.extend(assigned.map(|(it, started)| InFlight::new(it, started, timeout, None)));
        for mut in_flight in left {
            self.fail(&mut in_flight, reason);
            self.report(in_flight, reason);
        }
    }

    /// Marks the start as over, successful or not. Returns `true` the first time.
    pub(crate) fn take_starting(&self) -> bool {
        std::mem::take(&mut self.state.lock().is_starting)
    }

    /// Fails an invocation: logs why and sends the error to the caller.
    fn fail(&self, in_flight: &mut InFlight, reason: &EndReason) {
        let request_id = in_flight.request_id;
        let timeout = self.function.configuration.timeout;
        match reason {
            EndReason::TimedOut => self.log.platform(&Line::TimedOut {
                request_id,
                timeout,
            }),
            EndReason::Exited(how) => self.log.platform(&Line::Exited { request_id, how }),
            EndReason::Answered | EndReason::Failed(_) => {}
        }
        let outcome = Err(reason.error(request_id, timeout));
        if let Some(invocation) = in_flight.answer(outcome.clone()) {
            invocation.answer(outcome);
        }
    }

    /// Marks the environment as gone.
    pub(crate) fn gone(&self) {
        let mut state = self.state.lock();
        self.enter(&mut state, Phase::Gone);
    }
}
