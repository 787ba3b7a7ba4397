//! What is asked and told by who looks after an environment's processes.

use std::time::{Duration, Instant};

use super::{
    Environment,
    due::Due,
    over::Over,
    state::{Running, Taken},
};
use crate::{
    error::InvokeError, invocation::Invocation, platform::Line, process::group::Group, view::Phase,
};

impl Environment {
    /// A process has been started.
    pub(crate) fn runs(&self, group: Group) {
        let mut state = self.state.lock();
        state.run(Running::new(group));
        self.tell(&state);
    }

    /// The next process is for this invocation, which begins now.
    pub(crate) fn give(&self, invocation: Invocation) {
        self.log.begin(invocation.request_id);
        let mut state = self.state.lock();
        state.given = Some((invocation, Instant::now()));
        self.enter(&mut state, Phase::Busy);
    }

    /// How long the first process runs already, where it has not got as far as to poll.
    pub(crate) fn in_init(&self) -> Option<Duration> {
        let state = self.state.lock();
        let running = state.running.as_ref()?;
        (state.phase == Phase::Init).then(|| running.started.elapsed())
    }

    /// What the process said of its failed init.
    pub(crate) fn init_error(&self) -> Option<InvokeError> {
        self.state.lock().running.as_mut()?.init_error.take()
    }

    /// Looks for time limits that are over; else says when to look again.
    ///
    /// What begins after this look cannot be over before the next.
    pub(crate) fn due(&self) -> Due {
        let configuration = &self.function.configuration;
        let timeout = configuration.timeout;
        let now = Instant::now();
        if self.is_managed() {
            self.give_up_late(now);
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

    /// Of many invocations at once, one that takes too long does not end the others.
    fn give_up_late(&self, now: Instant) {
        let late = {
            let mut state = self.state.lock();
            let late = state.late(now);
            self.settle(&mut state);
            late
        };
        for mut taken in late {
            self.fail(&mut taken, &Over::TimedOut);
            self.report(taken, &Over::TimedOut);
        }
    }

    /// Takes it out of use, unless it is given an invocation at this moment.
    pub(crate) fn retire(&self) {
        let polling = self.state.lock().polling;
        self.function.retire(self.member.id, polling.max(1));
    }

    /// The process is about to be ended: what it has used until now cannot be known later.
    pub(crate) fn read_memory(&self) {
        self.state.lock().read_memory();
    }

    /// Asks a process with an extension to end by itself, unless it is to end at once. Says whether there is one to
    /// wait for.
    pub(crate) fn terminate(&self) -> bool {
        let mut state = self.state.lock();
        let has_extension = state.running.as_ref().is_some_and(|it| it.has_extension);
        let is_asked = has_extension && !self.ending_at_once.is_cancelled();
        if is_asked {
            state.terminate();
        }
        is_asked
    }

    /// The process has gone: nobody waits for it in vain.
    pub(crate) fn process_ended(&self, over: &Over) {
        self.log.detach();
        let timeout = self.function.configuration.timeout;
        let mut state = self.state.lock();
        state.stop_running();
        let mut left: Vec<Taken> = state.taken.drain(..).collect();
        let given = state.given.take();
        state.enter(Phase::Idle);
        self.tell(&state);
        drop(state);
        left.extend(given.map(|(it, started)| Taken::new(it, started, timeout, None)));
        for mut taken in left {
            self.fail(&mut taken, over);
            self.report(taken, over);
        }
    }

    /// Its start is over, however it went. Says so once.
    pub(crate) fn has_started(&self) -> bool {
        std::mem::take(&mut self.state.lock().is_starting)
    }

    /// Says why an invocation gets no reply, on the log and to who invoked.
    fn fail(&self, taken: &mut Taken, over: &Over) {
        let request_id = taken.request_id;
        let timeout = self.function.configuration.timeout;
        match over {
            Over::TimedOut => self.log.say(&Line::TimedOut {
                request_id,
                timeout,
            }),
            Over::Exited(how) => self.log.say(&Line::Exited { request_id, how }),
            Over::Answered | Over::Failed(_) => {}
        }
        let outcome = Err(over.error(request_id, timeout));
        if let Some(invocation) = taken.answer(outcome.clone()) {
            invocation.answer(outcome);
        }
    }

    /// It is no more.
    pub(crate) fn gone(&self) {
        let mut state = self.state.lock();
        self.enter(&mut state, Phase::Gone);
    }
}
