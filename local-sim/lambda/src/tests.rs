//! What is asked of Lambda from outside, with real processes.

mod api;
mod supervisor;
mod told;

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Instant};

use bytes::Bytes;
use local_sim_faults::{Striking, Trigger};
use tempfile::TempDir;
use tokio::time::{Duration, sleep, timeout};

use super::*;
use crate::limits::{EVENT_BYTES_MAX, REPLY_BYTES_MAX};

/// Answers each event with the number of its process. It takes events of two bytes.
const PROCESS_NUMBER: &str = r#"#!/bin/bash
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
/// Never asks for an event.
const SILENT: &str = "#!/bin/sh\nexec sleep 60\n";

const EVENT: Bytes = Bytes::from_static(b"{}");
/// What is waited for comes within this time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lambda with a function `message`, which runs this script.
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

/// This script as a program, beside an empty package.
fn executable(root: &TempDir, script: &str) -> PathBuf {
    fs::create_dir(root.path().join(PACKAGE)).unwrap();
    let executable = root.path().join("bootstrap");
    fs::write(&executable, script).unwrap();
    fs::set_permissions(&executable, fs::Permissions::from_mode(0o755)).unwrap();
    executable
}

/// Ends Lambda before its folder goes.
async fn end(lambda: Lambda, root: TempDir) {
    lambda.end().await;
    drop(root);
}

fn striking(trigger: Trigger) -> Striking {
    Striking::new(trigger, 0, "message")
}

/// The number of the process that ran an invocation.
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
    timeout(PATIENCE, looking).await.expect(what)
}

/// The one environment, once it is in this state.
async fn environment(lambda: &Lambda, state: &str) -> View {
    eventually(state, || {
        let views = lambda.environments();
        views.into_iter().find(|view| view.state() == state)
    })
    .await
}

/// Whether the kernel says that a process is stopped (`T` of `proc(5)`'s `stat`).
fn is_stopped(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.contains(") T ")
}

async fn check_stopped(process: i32, expected: bool) {
    eventually("the kernel to say so", || {
        (is_stopped(process) == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_throttled_on_demand_does_not_run() {
    let (lambda, root) = start(PROCESS_NUMBER);
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
async fn a_cold_start_on_demand_is_a_new_environment_in_the_place_of_the_old() {
    let (lambda, root) = start(PROCESS_NUMBER);
    let warm = process(&lambda).await;
    let cold_start = Some(striking(Trigger::Next(1)));
    lambda.faults("message").unwrap().set_cold_start(cold_start);
    let cold = process(&lambda).await;
    assert_ne!(cold, warm);
    assert_eq!(process(&lambda).await, cold);
    eventually("the end of the old one", || {
        (lambda.environments().len() == 1).then_some(())
    })
    .await;
    eventually("its report", || {
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
async fn cold_starts_always_reach_an_end() {
    let (lambda, root) = start(PROCESS_NUMBER);
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
async fn what_is_late_counts_as_under_way_and_runs_though_nobody_waits() {
    let (lambda, root) = start(PROCESS_NUMBER);
    let pause = Duration::from_millis(300);
    let latency = Some((pause, striking(Trigger::Next(1))));
    lambda.faults("message").unwrap().set_latency(latency);
    let began = Instant::now();
    let late = timeout(pause / 3, lambda.invoke("message", EVENT)).await;
    assert!(late.is_err(), "it waits");
    let second = lambda.invoke("message", EVENT).await.outcome;
    assert!(matches!(second, Err(InvokeError::Throttled)));
    assert!(lambda.environments().is_empty());
    eventually("the first one's report", || {
        lambda.invocations(None, 1).pop()
    })
    .await;
    assert!(began.elapsed() >= pause);
    end(lambda, root).await;
}

#[tokio::test]
async fn an_environment_is_stopped_on_demand_whatever_it_does() {
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
            panic!("nobody was told");
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
async fn an_invocation_of_a_stopped_environment_waits_until_it_goes_on() {
    let (lambda, root) = start(PROCESS_NUMBER);
    let first = process(&lambda).await;
    environment(&lambda, "frozen").await;
    assert!(is_stopped(first));
    assert!(lambda.freeze_environment("message-0").is_some());
    assert!(lambda.thaw_environment("message-0").is_some());
    assert!(is_stopped(first), "Lambda has stopped it too");
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
async fn the_timeout_ends_a_stopped_process_and_the_next_one_runs() {
    let (lambda, root) = start(PROCESS_NUMBER);
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
async fn a_reset_empties_the_history_and_leaves_environments_and_troubles() {
    let (lambda, root) = start(PROCESS_NUMBER);
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
fn an_error_is_its_type_and_its_message() {
    let check = |error: InvokeError| {
        let both = format!("{}: {}", error.error_type(), error.message());
        assert_eq!(both, error.to_string());
        assert!(!error.message().starts_with(error.error_type()));
    };
    check(InvokeError::function("Told: by", "a: b".to_owned()));
    check(InvokeError::Throttled);
    check(InvokeError::NotFound);
    check(InvokeError::TooLarge { bytes: 7 });
}
