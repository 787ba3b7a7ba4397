//! Tests of the Runtime API.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{
    shell_function::{ShellFunction, function},
    *,
};

fn now_ms() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_millis()
}

#[tokio::test]
async fn the_deadline_is_the_start_plus_the_timeout() {
    let shell = ShellFunction::start(function());
    shell.run("reply 1").await;
    let before = now_ms();
    let deadline: u128 = shell.run("reply $deadline").await.parse().unwrap();
    let timeout_ms = function().timeout.as_millis();
    assert!((before + timeout_ms..=now_ms() + timeout_ms).contains(&deadline));
    shell.end().await;
}

#[tokio::test]
async fn each_invocation_has_its_own_trace_id() {
    let shell = ShellFunction::start(function());
    let one = shell.run("reply $trace").await;
    let other = shell.run("reply $trace").await;
    assert_ne!(one, other);
    for trace in [one, other] {
        let digits = |c: char| if c.is_ascii_hexdigit() { '0' } else { c };
        let (root, rest) = trace
            .strip_prefix("Root=")
            .and_then(|it| it.split_once(";Parent="))
            .unwrap();
        let (parent, sampled) = rest.split_once(';').unwrap();
        let zeros = |count| "0".repeat(count);
        let root: String = root.replacen('1', "0", 1).chars().map(digits).collect();
        assert_eq!(root, format!("0-{}-{}", zeros(8), zeros(24)), "{trace}");
        let parent: String = parent.chars().map(digits).collect();
        assert_eq!(parent, zeros(16), "{trace}");
        assert_eq!(sampled, "Sampled=0");
    }
    shell.end().await;
}

#[tokio::test]
async fn a_second_reply_to_an_invocation_is_refused() {
    let shell = ShellFunction::start(function());
    assert_eq!(shell.run("reply one; reply two; last=$status").await, "one");
    assert_eq!(shell.run("reply $last").await, "400");
    shell.end().await;
}

#[tokio::test]
async fn a_reply_is_limited_to_6_mib_plus_100_bytes() {
    let shell = ShellFunction::start(Configuration {
        timeout: Duration::from_secs(20),
        ..function()
    });
    let long = |bytes: usize| format!("printf -v long '%{bytes}s'; reply \"$long\"; last=$status");
    let reply = shell.run(&long(REPLY_BYTES_MAX)).await;
    assert_eq!(reply.len(), REPLY_BYTES_MAX);
    let error = shell.invoke(&long(REPLY_BYTES_MAX + 1)).await.unwrap_err();
    assert_eq!(error.error_type(), "Function.ResponseSizeTooLarge");
    assert_eq!(shell.run("reply $last").await, "413");
    shell.end().await;
}

#[tokio::test]
async fn an_event_is_limited_to_6_mib() {
    let shell = ShellFunction::start(function());
    let error = shell.invoke(&"#".repeat(EVENT_BYTES_MAX + 1)).await;
    let expected =
        "RequestTooLargeException: event of 6291457 bytes exceeds the limit of 6291456 bytes";
    assert_eq!(error.unwrap_err().to_string(), expected);
    assert!(shell.lambda.environments().is_empty());
    shell.end().await;
}

#[tokio::test]
async fn a_long_error_message_is_truncated_for_the_log() {
    let shell = ShellFunction::start(function());
    let fail = "printf -v long '%100000s'; \
                call POST $invocation/$id/error '{\"errorType\":\"Long\",\"errorMessage\":\"'\"$long\"'\"}'";
    let error = shell.invoke(fail).await.unwrap_err();
    assert_eq!(error.message().len(), 100_000);
    let line = error.to_string();
    assert!(
        line.len() < 1100 && line.ends_with("… (100000 bytes)"),
        "{line}"
    );
    shell.end().await;
}

#[tokio::test]
async fn the_extension_event_request_is_never_answered() {
    let shell = ShellFunction::start(function());
    let line =
        "ask 2020-01-01/extension/event/next; read -r -t 0.3 answer <&4; reply \"$? $answer\"";
    let reply = shell.run(line).await;
    // Above 128: `read` timed out.
    let (code, answer) = reply.split_once(' ').unwrap();
    assert!(
        code.parse::<u32>().unwrap() > 128 && answer.is_empty(),
        "{reply}"
    );
    shell.end().await;
}
