//! Tests of how processes start and end.

use super::{
    shell_function::{ShellFunction, check_gone, function, is_alive, with_init},
    *,
};

/// Registers an extension that ignores SIGTERM.
const STUBBORN_EXTENSION: &str = "trap '' TERM; call POST 2020-01-01/extension/register '{}' 'lambda-extension-name: a'; reply $$";

#[tokio::test]
async fn every_state_change_is_published() {
    let shell = ShellFunction::start(function());
    let mut changes = shell.lambda.watch();
    for _ in 0..2 {
        shell.run("reply 1").await;
        environment(&shell.lambda, "frozen").await;
    }
    shell.lambda.end_environment("message-0");
    let mut states = Vec::new();
    while states.last() != Some(&"gone") {
        match timeout(WAIT_MAX, changes.recv()).await.unwrap().unwrap() {
            Change::Environment(view) => states.push(view.state()),
            Change::Invocation(_) => {}
        }
        states.dedup();
    }
    assert_eq!(states[..3], ["init", "idle", "busy"]);
    let again = ["busy", "idle", "frozen"];
    assert_eq!(states[2..8], [again, again].concat());
    // The process ends before the environment.
    assert_eq!(states[8..], ["idle", "gone"]);
    shell.end().await;
}

#[tokio::test]
async fn an_init_times_out_after_ten_seconds_and_is_retried_during_the_invocation() {
    let once = r#"mkdir "$TMPDIR/once" && sleep 60"#;
    let shell = ShellFunction::start(with_init(once));
    let began = Instant::now();
    let process = shell.run_for_pid("reply $$").await;
    assert!((10..15).contains(&began.elapsed().as_secs()));
    let log = shell.wait_for_log("Phase: init\tStatus: timeout").await;
    assert!(log.contains("INIT_REPORT Init Duration: 100"), "{log}");
    assert_eq!(shell.run_for_pid("reply $$").await, process);
    shell.end().await;
}

#[tokio::test]
async fn a_retried_init_is_bounded_by_the_invocations_timeout() {
    let shell = ShellFunction::start(Configuration {
        timeout: Duration::from_secs(1),
        ..with_init(r#"mkdir "$TMPDIR/once" && exit 1; sleep 60"#)
    });
    let error = shell.invoke("reply 1").await.unwrap_err();
    assert_eq!(error.error_type(), "Sandbox.Timedout");
    shell.end().await;
}

#[tokio::test]
async fn the_caller_gets_the_init_error_that_the_process_reports() {
    let body = r#"{"errorType":"My.Init","errorMessage":"no"}"#;
    let line = format!("call POST 2018-06-01/runtime/init/error '{body}'; exit 1");
    let shell = ShellFunction::start(with_init(&line));
    let error = shell.invoke("reply 1").await.unwrap_err();
    assert_eq!(error.to_string(), "My.Init: no");
    shell
        .wait_for_log("Phase: init\tStatus: error\tError Type: My.Init")
        .await;
    shell.end().await;
}

#[tokio::test]
async fn a_timeout_is_logged_as_on_lambda_with_the_memory_used() {
    let shell = ShellFunction::start(function());
    // A child uses the memory, too late for a regular reading to see it.
    let line = "( sleep 0.5; printf -v many '%*s' 40000000 ''; sleep 60; : ) & sleep 60";
    let error = shell.invoke(line).await.unwrap_err();
    assert_eq!(error.error_type(), "Sandbox.Timedout");
    let log = shell.wait_for_log("\tStatus: timeout").await;
    assert!(log.contains(" Task timed out after 2.00 seconds"), "{log}");
    let used = log.split("Max Memory Used: ").nth(1).unwrap();
    let used: u64 = used.split(' ').next().unwrap().parse().unwrap();
    assert!(used >= 40, "{used}");
    shell.end().await;
}

#[tokio::test]
async fn children_are_frozen_and_killed_with_their_process() {
    let shell = ShellFunction::start(function());
    let child = shell.run_for_pid("sleep 600 & reply $!").await;
    check_stopped(child, true).await;
    shell.lambda.end_environment("message-0");
    check_gone(child).await;
    shell.end().await;
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_is_killed_after_two_seconds() {
    let shell = ShellFunction::start(function());
    let process = shell.run_for_pid(STUBBORN_EXTENSION).await;
    let began = Instant::now();
    shell.reload();
    check_gone(process).await;
    assert!((2..4).contains(&began.elapsed().as_secs()));
    shell.end().await;
}

#[tokio::test]
async fn ending_an_environment_does_not_wait_for_an_extension() {
    for has_sigterm in [false, true] {
        let shell = ShellFunction::start(function());
        let process = shell.run_for_pid(STUBBORN_EXTENSION).await;
        if has_sigterm {
            shell.reload();
            sleep(Duration::from_millis(100)).await;
            assert!(is_alive(process), "it has two seconds after SIGTERM");
        }
        let began = Instant::now();
        let view = shell.lambda.end_environment("message-0").unwrap();
        assert_eq!((view.state(), view.process), ("gone", None));
        check_gone(process).await;
        assert!(began.elapsed() < Duration::from_secs(1));
        shell.end().await;
    }
}

#[tokio::test]
async fn a_process_without_an_extension_is_killed_at_once() {
    let shell = ShellFunction::start(function());
    let process = shell.run_for_pid("trap '' TERM; reply $$").await;
    let began = Instant::now();
    shell.lambda.end_environment("message-0");
    check_gone(process).await;
    assert!(began.elapsed() < Duration::from_secs(2));
    shell.end().await;
}

/// A Managed Instance with one environment and this many slots.
fn managed(max_concurrency: u32) -> Configuration {
    Configuration {
        timeout: Duration::from_secs(1),
        reserved_concurrent_executions: Some(max_concurrency),
        max_concurrency: Some(max_concurrency),
        ..function()
    }
}

#[tokio::test]
async fn a_process_is_replaced_if_all_its_slots_time_out() {
    let shell = ShellFunction::start(managed(1));
    let first = shell.run_for_pid("reply $$").await;
    let error = shell.invoke("sleep 60").await.unwrap_err();
    assert_eq!(error.error_type(), "Sandbox.Timedout");
    assert!(is_alive(first), "the process may recover");
    assert_ne!(shell.run_for_pid("reply $$").await, first);
    check_gone(first).await;
    shell.end().await;
}

#[tokio::test]
async fn a_process_that_stops_polling_is_replaced() {
    let shell = ShellFunction::start(function());
    let stops_polling =
        "reply $$; ask $invocation/next; read -t 0.005 <&4; exec 3>&- 4>&-; sleep 60";
    let first = shell.run_for_pid(stops_polling).await;
    // It closes its poll shortly; if it is slow and gets frozen before, resume it.
    for _ in 0..30 {
        if is_stopped(first) {
            let resume = ["-CONT".to_owned(), first.to_string()];
            std::process::Command::new("kill")
                .args(resume)
                .status()
                .unwrap();
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert!(is_alive(first), "only its poll has ended");
    let next = shell.run_for_pid("reply $$").await;
    assert_ne!(next, first);
    shell.end().await;
}

#[tokio::test]
async fn a_timed_out_slot_does_not_keep_a_retired_environment_alive() {
    let shell = ShellFunction::start(managed(2));
    let first = shell.run_for_pid("reply $$").await;
    // The poll of the other slot waits meanwhile, and ends with the reload.
    let hanging = shell.invoke("ask $invocation/next; sleep 60");
    let reloading = async {
        environment(&shell.lambda, "busy").await;
        sleep(Duration::from_millis(200)).await;
        shell.reload();
    };
    let (hung, ()) = tokio::join!(hanging, reloading);
    assert_eq!(hung.unwrap_err().error_type(), "Sandbox.Timedout");
    assert_ne!(shell.run_for_pid("reply $$").await, first);
    check_gone(first).await;
    shell.end().await;
}

#[tokio::test]
async fn a_timed_out_invocation_does_not_end_concurrent_ones() {
    let shell = ShellFunction::start(Configuration {
        timeout: Duration::from_secs(3),
        ..managed(2)
    });
    // Serves the other slot.
    let second =
        r#"( exec 3<>"$api"; while call GET $invocation/next; do eval "$body"; done ) & reply 1"#;
    shell.run(second).await;
    let hanging = shell.invoke("sleep 60");
    let other = async {
        sleep(Duration::from_secs(2)).await;
        shell.run("sleep 1.7; reply ok").await
    };
    let (hung, other) = tokio::join!(hanging, other);
    assert_eq!(hung.unwrap_err().error_type(), "Sandbox.Timedout");
    assert_eq!(other, "ok");
    shell.end().await;
}
