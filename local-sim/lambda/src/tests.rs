//! Tests of the public interface with real processes.

mod api;
mod shell_function;
mod supervisor;

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Instant};

use bytes::Bytes;
use local_sim_faults::{Striking, Trigger};
use tempfile::TempDir;
use tokio::time::{Duration, sleep, timeout};

use super::*;
use crate::limits::{EVENT_BYTES_MAX, REPLY_BYTES_MAX};

/// Replies to each event, which must have two bytes, with its process id.
const PROCESS_ID: &str = r#"#!/bin/bash
exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
head() {
    while IFS= read -r line <&3; do
        line=${line%$'\r'}
        case $line in
        lambda-runtime-aws-request-id:*) id=${line#*: } ;;
        '') break ;;
        esac
    done
}
while :; do
    printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: a\r\n\r\n' >&3
    head
    IFS= read -r -n 2 event <&3
    printf 'POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nhost: a\r\ncontent-length: %s\r\n\r\n%s' \
        "$id" "${#$}" "$$" >&3
    head
    IFS= read -r -n 15 accepted <&3
done
"#;
/// Never polls.
const SILENT: &str = "#!/bin/sh\nexec sleep 60\n";

const EVENT: Bytes = Bytes::from_static(b"{}");
/// Maximum wait for a condition.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Starts Lambda with a function `message` that runs this script.
fn start(script: &str) -> (Lambda, TempDir) {
    let root = tempfile::tempdir().unwrap();
    let executable = executable(&root, script);
    let configuration = Configuration {
        executable,
        timeout: Duration::from_secs(2),
        ..Configuration::example()
    };
    let lambda = Lambda::start(
        vec![configuration],
        Settings::sample(),
        root.path().to_owned(),
        std::sync::Arc::new(Lines::start().unwrap()),
    );
    (lambda.unwrap(), root)
}

/// Writes this script as an executable, beside an empty package.
fn executable(root: &TempDir, script: &str) -> PathBuf {
    fs::create_dir(root.path().join(PACKAGE)).unwrap();
    let executable = root.path().join("bootstrap");
    fs::write(&executable, script).unwrap();
    fs::set_permissions(&executable, fs::Permissions::from_mode(0o755)).unwrap();
    executable
}

/// Ends Lambda, then removes its directory.
async fn end(lambda: Lambda, root: TempDir) {
    lambda.end().await;
    drop(root);
}

fn striking(trigger: Trigger) -> Striking {
    Striking::new(trigger, 0, "message")
}

/// Invokes `message` and returns the id of the process that ran it.
async fn process(lambda: &Lambda) -> i32 {
    let reply = lambda.invoke("message", EVENT).await.outcome.unwrap();
    String::from_utf8(reply.to_vec()).unwrap().parse().unwrap()
}

async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look() {
                break found;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(WAIT_MAX, looking).await.expect(what)
}

/// Waits for an environment in this state.
async fn environment(lambda: &Lambda, state: &str) -> View {
    eventually(state, || {
        let views = lambda.environments();
        views.into_iter().find(|view| view.state() == state)
    })
    .await
}

/// Whether the process is stopped: state `T` in `/proc/PID/stat`.
fn is_stopped(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.contains(") T ")
}

async fn check_stopped(process: i32, expected: bool) {
    eventually("the process to be stopped or resumed", || {
        (is_stopped(process) == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_invocation_throttled_by_a_fault_does_not_run() {
    let (lambda, root) = start(PROCESS_ID);
    let faults = lambda.faults("message").unwrap();
    faults.set_throttle(Some(striking(Trigger::Next(2))));
    for _ in 0..2 {
        let refused = lambda.invoke("message", EVENT).await.outcome;
        assert!(matches!(refused, Err(InvokeError::Throttled)));
    }
    assert!(lambda.environments().is_empty());
    process(&lambda).await;
    assert!(lambda.faults("other").is_none());
    assert_eq!(lambda.functions().collect::<Vec<_>>(), ["message"]);
    end(lambda, root).await;
}

#[tokio::test]
async fn an_injected_cold_start_replaces_the_old_environment() {
    let (lambda, root) = start(PROCESS_ID);
    let warm = process(&lambda).await;
    let cold_start = Some(striking(Trigger::Next(1)));
    lambda.faults("message").unwrap().set_cold_start(cold_start);
    let cold = process(&lambda).await;
    assert_ne!(cold, warm);
    assert_eq!(process(&lambda).await, cold);
    eventually("the end of the old environment", || {
        (lambda.environments().len() == 1).then_some(())
    })
    .await;
    eventually("the report of the cold start", || {
        let records = lambda.invocations(Some("message"), 10);
        let seen = records
            .iter()
            .map(|it| (it.environment(), it.init.is_some()));
        let seen: Vec<(String, bool)> = seen.take(2).collect();
        let cold = ("message-1".to_owned(), true);
        let first = ("message-0".to_owned(), true);
        (seen == [cold, first]).then_some(())
    })
    .await;
    end(lambda, root).await;
}

#[tokio::test]
async fn consecutive_injected_cold_starts_all_complete() {
    let (lambda, root) = start(PROCESS_ID);
    let cold_start = Some(striking(Trigger::Always));
    lambda.faults("message").unwrap().set_cold_start(cold_start);
    let mut last = 0;
    for _ in 0..5 {
        let next = process(&lambda).await;
        assert_ne!(next, last);
        last = next;
    }
    assert!(lambda.environments().len() <= 2);
    end(lambda, root).await;
}

#[tokio::test]
async fn a_delayed_invocation_counts_as_concurrent_and_runs_even_if_its_caller_left() {
    let (lambda, root) = start(PROCESS_ID);
    let pause = Duration::from_millis(300);
    let latency = Some((pause, striking(Trigger::Next(1))));
    lambda.faults("message").unwrap().set_latency(latency);
    let began = Instant::now();
    let late = timeout(pause / 3, lambda.invoke("message", EVENT)).await;
    assert!(late.is_err(), "the invocation waits");
    let second = lambda.invoke("message", EVENT).await.outcome;
    assert!(matches!(second, Err(InvokeError::Throttled)));
    assert!(lambda.environments().is_empty());
    eventually("the report of the first invocation", || {
        lambda.invocations(None, 1).pop()
    })
    .await;
    assert!(began.elapsed() >= pause);
    end(lambda, root).await;
}

#[tokio::test]
async fn an_environment_can_be_frozen_in_any_phase() {
    let (lambda, root) = start(SILENT);
    let looking = async {
        let view = eventually("a process", || {
            lambda
                .environments()
                .pop()
                .filter(|it| it.process.is_some())
        })
        .await;
        let process = view.process.unwrap();
        assert_eq!((view.name().as_str(), view.state()), ("message-0", "init"));
        let mut changes = lambda.watch();
        assert!(lambda.freeze_environment("message-0").is_some());
        check_stopped(process, true).await;
        let Ok(Change::Environment(view)) = changes.try_recv() else {
            panic!("the change was not published");
        };
        assert!(view.is_held);
        assert!(lambda.thaw_environment("message-0").is_some());
        check_stopped(process, false).await;
        lambda.freeze_environment("message-0");
        check_stopped(process, true).await;
        lambda.reset();
        check_stopped(process, false).await;
        for name in ["message-1", "message-00", "message-+0", "other-0", "0", ""] {
            assert!(lambda.freeze_environment(name).is_none(), "{name}");
            assert!(lambda.thaw_environment(name).is_none(), "{name}");
            assert!(lambda.end_environment(name).is_none(), "{name}");
        }
        assert!(lambda.end_environment("message-0").is_some());
    };
    tokio::select! {
        outcome = lambda.invoke("message", EVENT) => panic!("{outcome:?}"),
        () = looking => {}
    }
    end(lambda, root).await;
}

#[tokio::test]
async fn an_invocation_of_a_frozen_environment_waits_until_it_is_thawed() {
    let (lambda, root) = start(PROCESS_ID);
    let first = process(&lambda).await;
    environment(&lambda, "frozen").await;
    assert!(is_stopped(first));
    assert!(lambda.freeze_environment("message-0").is_some());
    assert!(lambda.thaw_environment("message-0").is_some());
    assert!(is_stopped(first), "it is also frozen as on Lambda");
    lambda.freeze_environment("message-0");
    let thawing = async {
        let view = environment(&lambda, "busy").await;
        assert!(view.is_held && is_stopped(first));
        assert_eq!(view.requests.len(), 1);
        lambda.thaw_environment("message-0");
    };
    let (answered, ()) = tokio::join!(process(&lambda), thawing);
    assert_eq!(answered, first);
    end(lambda, root).await;
}

#[tokio::test]
async fn the_timeout_kills_a_frozen_process_and_the_next_one_runs() {
    let (lambda, root) = start(PROCESS_ID);
    let first = process(&lambda).await;
    environment(&lambda, "frozen").await;
    lambda.freeze_environment("message-0");
    let error = lambda.invoke("message", EVENT).await.outcome.unwrap_err();
    assert_eq!(error.error_type(), "Sandbox.Timedout");
    assert!(
        error
            .message()
            .ends_with("Task timed out after 2.00 seconds")
    );
    assert_ne!(process(&lambda).await, first);
    let view = lambda.environments().pop().unwrap();
    assert_eq!((view.name().as_str(), view.is_held), ("message-0", false));
    end(lambda, root).await;
}

#[tokio::test]
async fn a_reset_clears_the_history_but_keeps_environments_and_faults() {
    let (lambda, root) = start(PROCESS_ID);
    process(&lambda).await;
    environment(&lambda, "frozen").await;
    let faults = lambda.faults("message").unwrap();
    faults.set_throttle(Some(striking(Trigger::Always)));
    assert_eq!(lambda.invocations(None, 10).len(), 1);
    lambda.reset();
    assert!(lambda.invocations(None, 10).is_empty());
    assert_eq!(lambda.environments().len(), 1);
    assert_eq!(faults.in_force().throttle, Some(Trigger::Always));
    end(lambda, root).await;
}

#[test]
fn an_error_displays_its_type_and_message() {
    let check = |error: InvokeError| {
        let both = format!("{}: {}", error.error_type(), error.message());
        assert_eq!(both, error.to_string());
        assert!(!error.message().starts_with(error.error_type()));
    };
    check(InvokeError::function("Custom: error", "a: b".to_owned()));
    check(InvokeError::Throttled);
    check(InvokeError::NotFound);
    check(InvokeError::TooLarge { bytes: 7 });
}
