//! The life of an environment: one process after the other, until it ends.

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
    environment::{Environment, due::Due, over::Over},
    error::InvokeError,
    invocation::Invocation,
    platform::{Init, Line, Status},
    pool::Ready,
    process::{self, group::Group},
    runtime_api::Api,
    sandbox_dir::SandboxDir,
    variables::variables,
};

/// Looks after an environment from its start to its end.
pub(super) async fn run(environment: &Arc<Environment>) {
    let name = environment.name();
    let folder = SandboxDir::create(&environment.function.host.root, &name);
    loop {
        let ending = match start(environment, &folder).await {
            Ok(process) => live(environment, process).await,
            Err(error) => cannot_start(environment, &error),
        };
        let (over, is_last) = match ending {
            Ending::Process(over) => (over, false),
            Ending::Environment => (Over::Exited("the environment was ended".to_owned()), true),
        };
        report_init(environment, &over);
        environment.process_ended(&over);
        if is_last || !revived(environment).await {
            break;
        }
    }
    environment.gone();
    debug!("{name} has ended");
    if let Ok(folder) = folder {
        // As much as a function has left there, and nobody waits for it.
        let _ = spawn_blocking(move || folder.remove()).await;
    }
}

/// What has ended.
enum Ending {
    /// A process: another one can follow.
    Process(Over),
    Environment,
}

/// A process, and what it is reached by.
struct Process {
    child: Child,
    api: Api,
    output: Arc<pipe::Receiver>,
}

async fn start(environment: &Environment, folder: &io::Result<SandboxDir>) -> io::Result<Process> {
    let folder = folder
        .as_ref()
        .map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let configuration = &environment.function.configuration;
    environment.log.say(&Line::InitStart(Init {
        kind: configuration.initialization_type(),
        function: &configuration.name,
        instance: &environment.instance,
        memory_size: configuration.memory_size,
    }));
    let api = Api::bind().await?;
    let variables = variables(
        configuration,
        folder,
        &environment.instance,
        api.local_addr()?,
    );
    let (child, output) =
        process::spawn(&environment.executable, &folder.task(), &variables).await?;
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
    Ending::Process(Over::Failed(InvokeError::function(
        "Runtime.InvalidEntrypoint",
        format!("cannot start {executable}: {error}"),
    )))
}

/// Looks after a process until it, or the environment, ends, and sees it out; says why.
async fn live(environment: &Arc<Environment>, process: Process) -> Ending {
    let Process {
        mut child,
        mut api,
        output,
    } = process;
    let guardian = &environment.function.host.guardian;
    let group = Group::of(&child);
    guardian.watch(group);
    environment.runs(group);
    let ending = serve(environment, &mut child, &mut api, &output).await;
    if child.id().is_some() {
        // It has not ended by itself.
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

/// Serves the Runtime API to a process, and reads what it prints, until there is a reason for an end.
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
                Due::Init | Due::Invocation => return Ending::Process(Over::TimedOut),
                Due::Silence => {
                    let name = environment.name();
                    warn!("{name}: its process asks for no invocation any more: it is ended");
                    return Ending::Process(Over::TimedOut);
                }
            },
            () = environment.ended() => {
                if environment.terminate() {
                    // Whoever does not end in time is killed.
                    tokio::select! {
                        _ = timeout(terminate_max(environment), child.wait()) => {}
                        () = environment.ended_at_once() => {}
                    }
                }
                return Ending::Environment;
            }
        }
    }
}

fn exited(environment: &Environment, status: io::Result<ExitStatus>) -> Over {
    match (environment.init_error(), status) {
        (Some(said), _) => Over::Failed(said),
        (None, Ok(status)) => Over::Exited(how(status)),
        (None, Err(error)) => Over::Exited(error.to_string()),
    }
}

/// How a process ended, in the words that Lambda uses.
fn how(status: ExitStatus) -> String {
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

/// Says on the log that the process did not get as far as to ask for an invocation.
fn report_init(environment: &Environment, over: &Over) {
    let Some(duration) = environment.in_init() else {
        return;
    };
    let status = match over {
        Over::TimedOut => Status::Timeout,
        Over::Failed(error) => Status::Error(error.error_type()),
        Over::Exited(_) | Over::Answered => Status::Error("Runtime.ExitError"),
    };
    environment.log.say(&Line::InitReport {
        kind: environment.function.configuration.initialization_type(),
        duration,
        status,
    });
}

/// Waits, without a process, for an invocation to start another one for. Says whether one came.
async fn revived(environment: &Environment) -> bool {
    let function = &environment.function;
    let is_first = environment.has_started();
    let Some(mut turn) = function.poll(environment.member, Ready::Cold, is_first) else {
        return false;
    };
    loop {
        let reap_at = Instant::now() + function.host.settings.reap_after;
        tokio::select! {
            biased;
            invocation = turn.come() => return give(environment, invocation),
            // An invocation that it was sent goes to another environment.
            () = environment.ended() => return false,
            () = sleep_until(reap_at) => environment.retire(),
        }
    }
}

/// Starts the next process for an invocation, if there is one.
fn give(environment: &Environment, invocation: Option<Invocation>) -> bool {
    let is_given = invocation.is_some();
    if let Some(invocation) = invocation {
        environment.give(invocation);
    }
    is_given
}

fn terminate_max(environment: &Environment) -> Duration {
    if environment.function.host.shutdown.is_cancelled() {
        LAST_TERMINATE_MAX
    } else {
        TERMINATE_MAX
    }
}

/// A process with an extension has this long between SIGTERM and SIGKILL.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const TERMINATE_MAX: Duration = Duration::from_secs(2);
/// When the simulator ends, nobody wants to wait as long.
const LAST_TERMINATE_MAX: Duration = Duration::from_millis(500);
/// An environment that was not free after all is looked at again after so long.
const RETIRE_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Signals that end a process, by the names that Lambda has for them.
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
    fn an_end_is_told_in_lambdas_words() {
        let check = |status| how(ExitStatus::from_raw(status));
        assert_eq!(check(0), "Runtime exited without providing a reason");
        assert_eq!(check(1 << 8), "Runtime exited with error: exit status 1");
        assert_eq!(check(9), "Runtime exited with error: signal: killed");
        assert_eq!(check(6), "Runtime exited with error: signal: aborted");
        assert_eq!(check(64), "Runtime exited with error: signal: 64");
    }
}
