//! An execution environment: one process, from its start to its end.

use std::{io, process::ExitStatus, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    net::TcpListener,
    process::Child,
    task::JoinSet,
    time::{Duration, Instant, sleep_until, timeout},
};
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    InvokeError,
    function::{Function, Invocation, Poll},
    process, runtime_api,
    variables::variables,
};

/// What the Runtime API sees of an environment.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) id: u64,
    pub(super) function: Arc<Function>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Init is over.
    polled: bool,
    /// The process wants to be told before it is killed.
    extension: bool,
    /// The process waits for an invocation.
    polling: bool,
    in_flight: Option<Invocation>,
    /// Of the last invocation, until the process polls again: that is when Lambda takes it to be done.
    deadline: Option<Instant>,
}

impl Environment {
    /// Waits for the next invocation and takes it; `None` where the process has one, or waits for one, already.
    ///
    /// What is sent to the process comes from `tell`, which is given the invocation and its timeout.
    pub(super) async fn next<T>(&self, tell: impl FnOnce(&Invocation, Duration) -> T) -> Option<T> {
        let (_polling, poll) = Polling::begin(&self.state)?;
        let invocation = self.function.poll(self.id, poll).await.ok()?;
        let timeout = self.function.configuration.timeout;
        let told = tell(&invocation, timeout);
        let mut state = self.state.lock();
        state.in_flight = Some(invocation);
        state.deadline = Some(Instant::now() + timeout);
        Some(told)
    }

    /// Takes note that the process has registered an extension: it will get SIGTERM before SIGKILL.
    pub(super) fn register_extension(&self) {
        self.state.lock().extension = true;
    }

    /// Hands over the invocation of this id, if it is the one under way.
    pub(super) fn take(&self, request_id: &str) -> Option<Invocation> {
        let request_id = Uuid::try_parse(request_id).ok()?;
        self.state
            .lock()
            .in_flight
            .take_if(|it| it.request_id == request_id)
    }

    /// Whether a time limit is over; else when to look again.
    ///
    /// All invocations have the same timeout: one that comes after this look cannot be over before the next.
    fn overdue(&self, init_deadline: Instant) -> Result<Instant, InvokeError> {
        let now = Instant::now();
        let timeout = self.function.configuration.timeout;
        let state = self.state.lock();
        let deadline = match state.deadline {
            Some(deadline) => deadline,
            None if state.polled => now + timeout,
            None => init_deadline,
        };
        if deadline > now {
            return Ok(deadline.min(now + timeout));
        }
        Err(match &state.in_flight {
            Some(invocation) => timed_out(invocation.request_id, timeout),
            None if state.polled => {
                InvokeError::function("Sandbox.Timedout", "did not poll again in time".to_owned())
            }
            None => InvokeError::function(
                "Runtime.InitTimeout",
                format!("did not poll within {INIT_MAX:?}"),
            ),
        })
    }
}

/// A process that waits for an invocation, for as long as its connection is there.
struct Polling<'a>(&'a Mutex<State>);

impl<'a> Polling<'a> {
    /// Says too which poll of the process it is; `None` where the process is not free to poll.
    fn begin(state: &'a Mutex<State>) -> Option<(Self, Poll)> {
        let mut locked = state.lock();
        if locked.polling || locked.in_flight.is_some() {
            return None;
        }
        locked.polling = true;
        let first = !std::mem::replace(&mut locked.polled, true);
        let poll = match locked.deadline.take() {
            Some(_) => Poll::Next,
            None if first => Poll::First,
            None => Poll::Again,
        };
        Some((Self(state), poll))
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.lock().polling = false;
    }
}

/// Starts a process for `function` and looks after it until it has gone.
pub(super) async fn run(function: Arc<Function>, id: u64) {
    let environment = Arc::new(Environment {
        id,
        function,
        state: Mutex::default(),
    });
    let function = &environment.function;
    let error = match start(&environment).await {
        Ok((listener, child)) => live(&environment, listener, child).await,
        Err(error) => {
            let executable = function.configuration.executable.display();
            warn!(
                "{}: cannot start {executable}: {error}",
                function.configuration.name
            );
            InvokeError::function(
                "Runtime.InvalidEntrypoint",
                format!("cannot start {executable}: {error}"),
            )
        }
    };
    let State {
        polled, in_flight, ..
    } = std::mem::take(&mut *environment.state.lock());
    if let Some(invocation) = in_flight {
        invocation.answer(Err(error));
        function.ended(id, None);
    } else {
        function.ended(id, (!polled).then_some(error));
    }
}

async fn start(environment: &Environment) -> io::Result<(TcpListener, Child)> {
    let listener = runtime_api::bind().await?;
    let Function {
        configuration,
        host,
        ..
    } = &*environment.function;
    let variables = variables(
        configuration,
        &host.task_root,
        environment.id,
        listener.local_addr()?,
    );
    let child = process::spawn(&configuration.executable, &host.task_root, variables)?;
    Ok((listener, child))
}

/// Serves the Runtime API to a process until one of them ends; says why.
async fn live(
    environment: &Arc<Environment>,
    listener: TcpListener,
    mut child: Child,
) -> InvokeError {
    let function = &environment.function;
    let group = process::Group::of(&child);
    function.host.guardian.watch(group);
    let mut connections = JoinSet::new();
    let init_deadline = Instant::now() + INIT_MAX;
    let mut alarm = Instant::now() + INIT_MAX.min(function.configuration.timeout);
    let error = loop {
        tokio::select! {
            status = child.wait() => break exited(status),
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(runtime_api::serve(Arc::clone(environment), socket));
                }
                Err(error) => warn!("{}: Runtime API: {error}", function.configuration.name),
            },
            Some(_) = connections.join_next() => {}
            () = sleep_until(alarm) => match environment.overdue(init_deadline) {
                Ok(next) => alarm = next,
                Err(error) => break error,
            },
            () = function.host.shutdown.cancelled() => {
                if environment.state.lock().extension {
                    group.terminate();
                    // Whoever does not end in time is killed.
                    let _ = timeout(TERMINATE_MAX, child.wait()).await;
                }
                break InvokeError::function("Runtime.ExitError", "the simulator ends".to_owned());
            }
        }
    };
    group.kill();
    if let Err(error) = child.wait().await {
        warn!("{}: {error}", function.configuration.name);
    }
    function.host.guardian.forget(group);
    debug!(
        "{}: environment {} has ended: {error}",
        function.configuration.name, environment.id
    );
    error
}

fn exited(status: io::Result<ExitStatus>) -> InvokeError {
    let how = match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    InvokeError::function(
        "Runtime.ExitError",
        format!("Runtime exited with error: {how}"),
    )
}

fn timed_out(request_id: Uuid, timeout: Duration) -> InvokeError {
    let seconds = timeout.as_secs_f64();
    InvokeError::function(
        "Sandbox.Timedout",
        format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds"),
    )
}

/// A process has this long to poll for the first time. <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const INIT_MAX: Duration = Duration::from_secs(10);
/// A process with an extension has this long between SIGTERM and SIGKILL, as internal extensions have on Lambda.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const TERMINATE_MAX: Duration = Duration::from_millis(500);
