//! Runs an environment's processes, one after the other, until the environment ends.

use std::{
    io, os::unix::process::ExitStatusExt as _, pin::pin, process::ExitStatus, sync::Arc,
    time::Duration,
};

use tokio::{
    net::unix::pipe,
    process::Child,
    task::spawn_blocking,
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, warn};

use super::{
    environment::{Environment, due::Due, end_reason::EndReason},
    error::InvokeError,
    invocation::Invocation,
    platform::{Init, Line, Status},
    pool::Ready,
    process::{self, group::Group},
    runtime_api::Api,
    sandbox_dir::SandboxDir,
    variables::variables,
};

/// Runs an environment until it ends, then removes its directory.
pub(super) async fn run(environment: &Arc<Environment>) {
    let name = environment.name();
    let sandbox = SandboxDir::create(&environment.function.host.root, &name);
    loop {
        let ending = match start(environment, &sandbox).await {
            Ok(process) => run_process(environment, process).await,
            Err(error) => cannot_start(environment, &error),
        };
        let (reason, is_last) = match ending {
            Ending::Process(reason) => (reason, false),
            Ending::Environment => (
                EndReason::Exited("the environment was ended".to_owned()),
                true,
            ),
        };
        report_init(environment, &reason);
        environment.process_ended(&reason);
        if is_last || !wait_for_invocation(environment).await {
            break;
        }
    }
    environment.gone();
    debug!("{name} has ended");
    if let Ok(sandbox) = sandbox {
        // Blocking: a function may have left many files. A failure is harmless.
        let _ = spawn_blocking(move || sandbox.remove()).await;
    }
}

/// What ended: a process or the whole environment.
enum Ending {
    /// Only the process: the environment can start another one.
    Process(EndReason),
    Environment,
}

/// A running process, its Runtime API and the pipe with its output.
struct Process {
    child: Child,
    api: Api,
    output: Arc<pipe::Receiver>,
}

async fn start(environment: &Environment, sandbox: &io::Result<SandboxDir>) -> io::Result<Process> {
    let sandbox = sandbox
        .as_ref()
        .map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let configuration = &environment.function.configuration;
    environment.log.platform(&Line::InitStart(Init {
        kind: configuration.initialization_type(),
        function: &configuration.name,
        instance: &environment.instance,
        memory_size: configuration.memory_size,
    }));
    let api = Api::bind().await?;
    let variables = variables(
        configuration,
        sandbox,
        &environment.instance,
        api.local_addr()?,
    );
    let (child, output) =
        process::spawn(&environment.executable, &sandbox.task(), &variables).await?;
    let output = Arc::new(output);
    environment.log.attach(Arc::clone(&output));
    Ok(Process { child, api, output })
}

fn cannot_start(environment: &Environment, error: &io::Error) -> Ending {
    let executable = environment.executable.display();
    warn!(
        "{}: cannot start {executable}: {error}",
        environment.function.name()
    );
    Ending::Process(EndReason::Failed(InvokeError::function(
        "Runtime.InvalidEntrypoint",
        format!("cannot start {executable}: {error}"),
    )))
}

/// Serves a process until it or the environment ends, cleans up, and returns what ended.
async fn run_process(environment: &Arc<Environment>, process: Process) -> Ending {
    let Process {
        mut child,
        mut api,
        output,
    } = process;
    let guardian = &environment.function.host.guardian;
    let group = Group::of(&child);
    guardian.watch(group);
    environment.process_started(group);
    let ending = serve(environment, &mut child, &mut api, &output).await;
    if child.id().is_some() {
        // The process still runs.
        environment.read_memory();
    }
    group.kill();
    api.end().await;
    if let Err(error) = child.wait().await {
        warn!("{}: {error}", environment.function.name());
    }
    guardian.forget(group);
    ending
}

/// Serves the Runtime API and reads the output until the process has ended or must end.
async fn serve(
    environment: &Arc<Environment>,
    child: &mut Child,
    api: &mut Api,
    output: &pipe::Receiver,
) -> Ending {
    let mut serving = pin!(api.serve(environment));
    let mut prints = true;
    let mut alarm = Instant::now();
    loop {
        tokio::select! {
            status = child.wait() => return Ending::Process(exited(environment, status)),
            never = &mut serving => match never {},
            _ = output.readable(), if prints => prints = environment.log.read(output),
            () = sleep_until(alarm) => match environment.due() {
                Due::At(next) => alarm = next.into(),
                Due::Idle => {
                    environment.retire();
                    alarm = Instant::now() + RETIRE_AGAIN_AFTER;
                }
                Due::Init | Due::Invocation => return Ending::Process(EndReason::TimedOut),
                Due::Silence => {
                    let name = environment.name();
                    warn!("{name}: killing its process: it stopped polling for invocations");
                    return Ending::Process(EndReason::TimedOut);
                }
            },
            () = environment.end_requested() => {
                if environment.terminate() {
                    // The caller kills a process that does not exit in time.
                    tokio::select! {
                        _ = timeout(terminate_max(environment), child.wait()) => {}
                        () = environment.kill_requested() => {}
                    }
                }
                return Ending::Environment;
            }
        }
    }
}

fn exited(environment: &Environment, status: io::Result<ExitStatus>) -> EndReason {
    match (environment.init_error(), status) {
        (Some(error), _) => EndReason::Failed(error),
        (None, Ok(status)) => EndReason::Exited(exit_text(status)),
        (None, Err(error)) => EndReason::Exited(error.to_string()),
    }
}

/// Describes how a process exited, in Lambda's words.
fn exit_text(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(signal)) => {
            let name = SIGNALS.iter().find(|(number, _)| *number == signal);
            let name = name.map_or_else(|| signal.to_string(), |(_, name)| (*name).to_owned());
            format!("Runtime exited with error: signal: {name}")
        }
        (None, None) => format!("Runtime exited with error: {status}"),
    }
}

/// Logs `INIT_REPORT` if the process ended before its first poll.
fn report_init(environment: &Environment, reason: &EndReason) {
    let Some(duration) = environment.in_init() else {
        return;
    };
    let status = match reason {
        EndReason::TimedOut => Status::Timeout,
        EndReason::Failed(error) => Status::Error(error.error_type()),
        EndReason::Exited(_) | EndReason::Answered => Status::Error("Runtime.ExitError"),
    };
    environment.log.platform(&Line::InitReport {
        kind: environment.function.configuration.initialization_type(),
        duration,
        status,
    });
}

/// Waits without a process for the next invocation.
///
/// Returns `false` if the environment ends first.
async fn wait_for_invocation(environment: &Environment) -> bool {
    let function = &environment.function;
    let is_first = environment.take_starting();
    let Some(mut poll) = function.poll(environment.member, Ready::Cold, is_first) else {
        return false;
    };
    loop {
        let reap_at = Instant::now() + function.host.settings.reap_after;
        tokio::select! {
            biased;
            invocation = poll.receive() => return assign(environment, invocation),
            // An invocation sent by now goes to another environment.
            () = environment.end_requested() => return false,
            () = sleep_until(reap_at) => environment.retire(),
        }
    }
}

/// Assigns an invocation, if there is one, to the next process.
///
/// Returns whether there was one.
fn assign(environment: &Environment, invocation: Option<Invocation>) -> bool {
    let is_assigned = invocation.is_some();
    if let Some(invocation) = invocation {
        environment.assign(invocation);
    }
    is_assigned
}

fn terminate_max(environment: &Environment) -> Duration {
    if environment.function.host.shutdown.is_cancelled() {
        LAST_TERMINATE_MAX
    } else {
        TERMINATE_MAX
    }
}

/// Time between SIGTERM and SIGKILL for a process with an extension.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const TERMINATE_MAX: Duration = Duration::from_secs(2);
/// The same while the simulator shuts down: shorter, so that Ctrl-C returns quickly.
const LAST_TERMINATE_MAX: Duration = Duration::from_millis(500);
/// Delay before an idle environment that could not be retired is checked again.
const RETIRE_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Signals that end a process, with Lambda's names for them.
const SIGNALS: &[(i32, &str)] = &[
    (2, "interrupt"),
    (4, "illegal instruction"),
    (6, "aborted"),
    (8, "floating point exception"),
    (9, "killed"),
    (11, "segmentation fault"),
    (13, "broken pipe"),
    (15, "terminated"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_described_in_lambdas_words() {
        let check = |status| exit_text(ExitStatus::from_raw(status));
        assert_eq!(check(0), "Runtime exited without providing a reason");
        assert_eq!(check(1 << 8), "Runtime exited with error: exit status 1");
        assert_eq!(check(9), "Runtime exited with error: signal: killed");
        assert_eq!(check(6), "Runtime exited with error: signal: aborted");
        assert_eq!(check(64), "Runtime exited with error: signal: 64");
    }
}
