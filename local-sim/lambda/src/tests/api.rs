//! What the Runtime API tells a process, and what it takes from it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{
    told::{Told, function},
    *,
};

fn now_ms() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_millis()
}

#[tokio::test]
async fn the_deadline_is_the_start_and_the_timeout() {
    let told = Told::start(function());
    told.tell("reply 1").await;
    let before = now_ms();
    let deadline: u128 = told.tell("reply $deadline").await.parse().unwrap();
    let timeout_ms = function().timeout.as_millis();
    assert!((before + timeout_ms..=now_ms() + timeout_ms).contains(&deadline));
    told.end().await;
}

#[tokio::test]
async fn each_invocation_has_a_trace_of_its_own() {
    let told = Told::start(function());
    let one = told.tell("reply $trace").await;
    let other = told.tell("reply $trace").await;
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
    told.end().await;
}

#[tokio::test]
async fn an_id_is_refused_once_its_invocation_is_answered() {
    let told = Told::start(function());
    assert_eq!(told.tell("reply one; reply two; last=$status").await, "one");
    assert_eq!(told.tell("reply $last").await, "400");
    told.end().await;
}

#[tokio::test]
async fn a_reply_may_have_6_mib_and_100_bytes() {
    let told = Told::start(Configuration {
        timeout: Duration::from_secs(20),
        ..function()
    });
    let long = |bytes: usize| format!("printf -v long '%{bytes}s'; reply \"$long\"; last=$status");
    let reply = told.tell(&long(REPLY_BYTES_MAX)).await;
    assert_eq!(reply.len(), REPLY_BYTES_MAX);
    let error = told.invoke(&long(REPLY_BYTES_MAX + 1)).await.unwrap_err();
    assert_eq!(error.error_type(), "Function.ResponseSizeTooLarge");
    assert_eq!(told.tell("reply $last").await, "413");
    told.end().await;
}

#[tokio::test]
async fn an_event_may_have_6_mib() {
    let told = Told::start(function());
    let error = told.invoke(&"#".repeat(EVENT_BYTES_MAX + 1)).await;
    let expected = "RequestTooLargeException: an event of 6291457 bytes, expected at most 6291456";
    assert_eq!(error.unwrap_err().to_string(), expected);
    assert!(told.lambda.environments().is_empty());
    told.end().await;
}

#[tokio::test]
async fn the_log_has_the_beginning_of_a_long_error() {
    let told = Told::start(function());
    let fail = "printf -v long '%100000s'; \
                call POST $invocation/$id/error '{\"errorType\":\"Long\",\"errorMessage\":\"'\"$long\"'\"}'";
    let error = told.invoke(fail).await.unwrap_err();
    assert_eq!(error.message().len(), 100_000);
    let line = error.to_string();
    assert!(
        line.len() < 1100 && line.ends_with("… (100000 bytes)"),
        "{line}"
    );
    told.end().await;
}

#[tokio::test]
async fn an_extension_waits_for_events_that_never_come() {
    let told = Told::start(function());
    let line =
        "ask 2020-01-01/extension/event/next; read -r -t 0.3 answer <&4; reply \"$? $answer\"";
    let reply = told.tell(line).await;
    // Above 128: the time was over.
    let (code, answer) = reply.split_once(' ').unwrap();
    assert!(
        code.parse::<u32>().unwrap() > 128 && answer.is_empty(),
        "{reply}"
    );
    told.end().await;
}
