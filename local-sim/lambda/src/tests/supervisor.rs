//! How processes begin and end.

use super::{
    told::{Told, check_gone, function, is_alive, with_init},
    *,
};

/// Registers an extension that does not heed SIGTERM.
const DEAF_EXTENSION: &str = "trap '' TERM; call POST 2020-01-01/extension/register '{}' 'lambda-extension-name: a'; reply $$";

#[tokio::test]
async fn each_state_can_be_seen() {
    let told = Told::start(function());
    let mut changes = told.lambda.watch();
    for _ in 0..2 {
        told.tell("reply 1").await;
        environment(&told.lambda, "frozen").await;
    }
    told.lambda.end_environment("message-0");
    let mut states = Vec::new();
    while states.last() != Some(&"gone") {
        match timeout(PATIENCE, changes.recv()).await.unwrap().unwrap() {
            Change::Environment(view) => states.push(view.state()),
            Change::Invocation(_) => {}
        }
        states.dedup();
    }
    assert_eq!(states[..3], ["init", "idle", "busy"]);
    let again = ["busy", "idle", "frozen"];
    assert_eq!(states[2..8], [again, again].concat());
    // Its process has gone before it.
    assert_eq!(states[8..], ["idle", "gone"]);
    told.end().await;
}

#[tokio::test]
async fn an_init_may_take_ten_seconds_and_is_tried_again_in_the_invocation() {
    let once = r#"mkdir "$TMPDIR/once" && sleep 60"#;
    let told = Told::start(with_init(once));
    let began = Instant::now();
    let process = told.tell_number("reply $$").await;
    assert!((10..15).contains(&began.elapsed().as_secs()));
    let log = told.says("Phase: init\tStatus: timeout").await;
    assert!(log.contains("INIT_REPORT Init Duration: 100"), "{log}");
    assert_eq!(told.tell_number("reply $$").await, process);
    told.end().await;
}

#[tokio::test]
async fn a_second_init_that_takes_too_long_ends_with_the_invocations_timeout() {
    let told = Told::start(Configuration {
        timeout: Duration::from_secs(1),
        ..with_init(r#"mkdir "$TMPDIR/once" && exit 1; sleep 60"#)
    });
    let error = told.invoke("reply 1").await.unwrap_err();
    assert_eq!(error.error_type(), "Sandbox.Timedout");
    told.end().await;
}

#[tokio::test]
async fn what_a_process_says_of_its_failed_init_is_the_answer() {
    let said = r#"{"errorType":"My.Init","errorMessage":"no"}"#;
    let line = format!("call POST 2018-06-01/runtime/init/error '{said}'; exit 1");
    let told = Told::start(with_init(&line));
    let error = told.invoke("reply 1").await.unwrap_err();
    assert_eq!(error.to_string(), "My.Init: no");
    told.says("Phase: init\tStatus: error\tError Type: My.Init")
        .await;
    told.end().await;
}

#[tokio::test]
async fn a_timeout_is_logged_as_lambda_does_with_what_memory_was_used() {
    let told = Told::start(function());
    // It is a child that takes the memory, and too late to be seen by chance.
    let line = "( sleep 0.5; printf -v many '%*s' 40000000 ''; sleep 60; : ) & sleep 60";
    let error = told.invoke(line).await.unwrap_err();
    assert_eq!(error.error_type(), "Sandbox.Timedout");
    let log = told.says("\tStatus: timeout").await;
    assert!(log.contains(" Task timed out after 2.00 seconds"), "{log}");
    let used = log.split("Max Memory Used: ").nth(1).unwrap();
    let used: u64 = used.split(' ').next().unwrap().parse().unwrap();
    assert!(used >= 40, "{used}");
    told.end().await;
}

#[tokio::test]
async fn children_are_stopped_and_end_with_their_process() {
    let told = Told::start(function());
    let child = told.tell_number("sleep 600 & reply $!").await;
    check_stopped(child, true).await;
    told.lambda.end_environment("message-0");
    check_gone(child).await;
    told.end().await;
}

#[tokio::test]
async fn who_does_not_heed_sigterm_is_killed_two_seconds_later() {
    let told = Told::start(function());
    let process = told.tell_number(DEAF_EXTENSION).await;
    let began = Instant::now();
    told.reload();
    check_gone(process).await;
    assert!((2..4).contains(&began.elapsed().as_secs()));
    told.end().await;
}

#[tokio::test]
async fn an_end_on_demand_does_not_wait_for_an_extension() {
    for is_told_before in [false, true] {
        let told = Told::start(function());
        let process = told.tell_number(DEAF_EXTENSION).await;
        if is_told_before {
            told.reload();
            sleep(Duration::from_millis(100)).await;
            assert!(is_alive(process), "it has two seconds");
        }
        let began = Instant::now();
        let view = told.lambda.end_environment("message-0").unwrap();
        assert_eq!((view.state(), view.process), ("gone", None));
        check_gone(process).await;
        assert!(began.elapsed() < Duration::from_secs(1));
        told.end().await;
    }
}

#[tokio::test]
async fn who_has_no_extension_is_killed_at_once() {
    let told = Told::start(function());
    let process = told.tell_number("trap '' TERM; reply $$").await;
    let began = Instant::now();
    told.lambda.end_environment("message-0");
    check_gone(process).await;
    assert!(began.elapsed() < Duration::from_secs(2));
    told.end().await;
}

/// One environment only, which takes so many at once.
fn managed(max_concurrency: u32) -> Configuration {
    Configuration {
        timeout: Duration::from_secs(1),
        reserved_concurrent_executions: Some(max_concurrency),
        max_concurrency: Some(max_concurrency),
        ..function()
    }
}

#[tokio::test]
async fn a_process_whose_slots_are_all_late_is_replaced() {
    let told = Told::start(managed(1));
    let first = told.tell_number("reply $$").await;
    let error = told.invoke("sleep 60").await.unwrap_err();
    assert_eq!(error.error_type(), "Sandbox.Timedout");
    assert!(is_alive(first), "it may come back");
    assert_ne!(told.tell_number("reply $$").await, first);
    check_gone(first).await;
    told.end().await;
}

#[tokio::test]
async fn a_process_that_polls_no_more_is_replaced() {
    let told = Told::start(function());
    let deaf = "reply $$; ask $invocation/next; read -t 0.005 <&4; exec 3>&- 4>&-; sleep 60";
    let first = told.tell_number(deaf).await;
    // It closes its poll in a moment, even where it is so slow that it has been frozen before.
    for _ in 0..30 {
        if is_stopped(first) {
            let go_on = ["-CONT".to_owned(), first.to_string()];
            std::process::Command::new("kill")
                .args(go_on)
                .status()
                .unwrap();
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert!(is_alive(first), "nothing but its poll has ended");
    let then = told.tell_number("reply $$").await;
    assert_ne!(then, first);
    told.end().await;
}

#[tokio::test]
async fn a_late_slot_does_not_keep_an_environment_that_is_to_end() {
    let told = Told::start(managed(2));
    let first = told.tell_number("reply $$").await;
    // The other slot's poll waits meanwhile, and is told that it is the last.
    let hanging = told.invoke("ask $invocation/next; sleep 60");
    let reloading = async {
        environment(&told.lambda, "busy").await;
        sleep(Duration::from_millis(200)).await;
        told.reload();
    };
    let (hung, ()) = tokio::join!(hanging, reloading);
    assert_eq!(hung.unwrap_err().error_type(), "Sandbox.Timedout");
    assert_ne!(told.tell_number("reply $$").await, first);
    check_gone(first).await;
    told.end().await;
}

#[tokio::test]
async fn one_that_takes_too_long_does_not_end_the_others() {
    let told = Told::start(Configuration {
        timeout: Duration::from_secs(3),
        ..managed(2)
    });
    // The process of the other slot.
    let second =
        r#"( exec 3<>"$api"; while call GET $invocation/next; do eval "$body"; done ) & reply 1"#;
    told.tell(second).await;
    let hanging = told.invoke("sleep 60");
    let other = async {
        sleep(Duration::from_secs(2)).await;
        told.tell("sleep 1.7; reply ok").await
    };
    let (hung, other) = tokio::join!(hanging, other);
    assert_eq!(hung.unwrap_err().error_type(), "Sandbox.Timedout");
    assert_eq!(other, "ok");
    told.end().await;
}
