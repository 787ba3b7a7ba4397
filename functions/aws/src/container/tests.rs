//! Which endpoints are asked, when, and how their answers are used.

use std::{fs, time::Duration};

use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::fake::{Answer, Fake};

fn container(variables: &[(&str, &str)]) -> Result<Option<Container>, String> {
    let lookup = |name: &str| {
        let found = variables.iter().find(|(found, _)| *found == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Container::from_variables(&Variables(&lookup)).map_err(|err| err.to_string())
}

/// An endpoint that gives these answers, with more variables.
fn asking<const N: usize>(answers: [Answer; N], more: &[(&str, &str)]) -> (Fake, Container) {
    let fake = Fake::answering(answers);
    let uri = format!("http://127.0.0.1:{}/v1/credentials", fake.port);
    let container = container(&[&[(FULL_URI, uri.as_str())], more].concat());
    (fake, container.unwrap().expect("an endpoint"))
}

fn at(time: &str) -> DateTime<Utc> {
    time.parse().expect("a time")
}

/// Credentials with that id and end.
fn credentials(id: &str, expiration: &str) -> Answer {
    Answer::ok(&format!(
        r#"{{"AccessKeyId":"{id}","SecretAccessKey":"hunter2","Token":"t","Expiration":"{expiration}","More":1}}"#
    ))
}

#[test]
fn only_this_machine_and_the_containers_host_are_asked() {
    for host in [
        "127.0.0.1:80",
        "127.1.2.3",
        "[::1]:80",
        "localhost:1234",
        "169.254.170.2",
        "169.254.170.23",
        "[fd00:ec2::23]",
        "[fd00:ec2::23]:80",
    ] {
        let uri = format!("http://{host}/a/b?c=d");
        assert!(
            container(&[(FULL_URI, &uri)]).is_ok_and(|found| found.is_some()),
            "{uri}"
        );
    }
    for uri in [
        "https://127.0.0.1/",
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "http://example.com/",
        "http://localhost.example.com/",
        "http://127.0.0.1@example.com/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:0/",
        "http://localhost:/",
        "localhost:80",
        "/v1/credentials",
        "http://",
        "no uri",
    ] {
        assert_eq!(
            container(&[(FULL_URI, uri)]).expect_err(uri),
            format!(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI is {uri:?}, expected http://HOST:PORT/PATH, where the host is loopback, 169.254.170.2, 169.254.170.23 or [fd00:ec2::23]"
            )
        );
    }
    assert!(container(&[]).is_ok_and(|found| found.is_none()));
}

#[tokio::test]
async fn the_endpoints_answer_is_the_credentials() {
    let (fake, container) = asking(
        [credentials("id", "2026-01-01T01:00:00Z")],
        &[(TOKEN, "Basic abc")],
    );

    let current = container.current(at("2026-01-01T00:00:00Z")).await.unwrap();

    assert_eq!(current.access_key_id, "id");
    assert_eq!(current.secret_access_key.reveal(), "hunter2");
    assert_eq!(current.session_token, Some(Secret::new("t")));
    assert_eq!(
        fake.requests(),
        [format!(
            "GET /v1/credentials HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Basic abc\r\n\r\n",
            fake.port
        )]
    );
    assert!(!format!("{container:?} {current:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_token_in_a_file_is_read_each_time() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let expired = || credentials("id", "2026-01-01T00:00:00Z");
    let path = file.path().to_str().unwrap();
    let (fake, container) = asking([expired(), expired()], &[(TOKEN_FILE, path), (TOKEN, "no")]);

    for token in ["first", "second\n"] {
        fs::write(file.path(), token).unwrap();
        container.current(at("2026-01-01T00:00:00Z")).await.unwrap();
    }

    let requests = fake.requests();
    assert!(
        requests[0].contains("authorization: first\r\n"),
        "{requests:?}"
    );
    assert!(
        requests[1].contains("authorization: second\r\n"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_token_file_that_cannot_be_read_is_named() {
    let (_fake, container) = asking([], &[(TOKEN_FILE, "/nowhere")]);
    let error = container.current(at("2026-01-01T00:00:00Z")).await;
    assert_eq!(
        error.expect_err("no token").cause.to_string(),
        "the token to ask with cannot be read from \"/nowhere\""
    );
}

#[tokio::test]
async fn credentials_are_replaced_five_minutes_before_they_expire() {
    let (fake, container) = asking(
        [
            credentials("first", "2026-01-01T01:00:00Z"),
            credentials("second", "2026-01-01T02:00:00Z"),
        ],
        &[],
    );
    for (time, id) in [
        ("2026-01-01T00:00:00Z", "first"),
        ("2026-01-01T00:54:59Z", "first"),
        ("2026-01-01T00:55:00Z", "second"),
        ("2026-01-01T00:56:00Z", "second"),
    ] {
        let current = container.current(at(time)).await.unwrap();
        assert_eq!(current.access_key_id, id, "{time}");
    }
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn without_newer_ones_credentials_are_used_until_they_expire() {
    let (_fake, container) = asking(
        [
            credentials("first", "2026-01-01T01:00:00Z"),
            Answer::status(500),
            Answer::status(500),
            credentials("second", "2026-01-01T02:00:00Z"),
        ],
        &[],
    );
    for (time, expected) in [
        ("2026-01-01T00:00:00Z", Some("first")),
        ("2026-01-01T00:59:59Z", Some("first")),
        ("2026-01-01T01:00:00Z", None),
        ("2026-01-01T01:00:01Z", Some("second")),
    ] {
        let current = container.current(at(time)).await.ok();
        let id = current.map(|credentials| credentials.access_key_id);
        assert_eq!(id.as_deref(), expected, "{time}");
    }
}

#[tokio::test]
async fn refused_credentials_are_fetched_again_once() {
    let expiration = "2026-01-01T01:00:00Z";
    let (fake, container) = asking(
        [
            credentials("old", expiration),
            credentials("new", expiration),
        ],
        &[],
    );
    let current = async || {
        let current = container.current(at("2026-01-01T00:00:00Z")).await;
        current.unwrap().access_key_id
    };
    assert_eq!(current().await, "old");
    container.forget();
    for _ in 0..2 {
        assert_eq!(current().await, "new");
    }
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn a_fetch_that_is_cancelled_does_not_keep_refused_credentials() {
    let expiration = "2026-01-01T01:00:00Z";
    let (_fake, container) = asking(
        [
            credentials("old", expiration),
            Answer::Silence,
            credentials("new", expiration),
        ],
        &[],
    );
    let current = || container.current(at("2026-01-01T00:00:00Z"));
    assert_eq!(current().await.unwrap().access_key_id, "old");
    container.forget();
    let cancelled = timeout(Duration::from_millis(50), current()).await;
    assert!(cancelled.is_err(), "{cancelled:?}");
    assert_eq!(current().await.unwrap().access_key_id, "new");
}

#[tokio::test]
async fn a_fetch_that_fails_does_not_keep_refused_credentials() {
    let expiration = "2026-01-01T01:00:00Z";
    let (_fake, container) = asking(
        [
            credentials("old", expiration),
            Answer::status(500),
            credentials("new", expiration),
        ],
        &[],
    );
    let current = async |time| container.current(at(time)).await.unwrap().access_key_id;
    assert_eq!(current("2026-01-01T00:00:00Z").await, "old");
    container.forget();
    assert_eq!(current("2026-01-01T00:00:00Z").await, "old");
    assert_eq!(current("2026-01-01T00:00:01Z").await, "new");
}

#[tokio::test]
async fn a_fetch_that_fails_is_repeated_after_a_second_and_not_by_all_who_wait() {
    let (fake, container) = asking(
        [
            credentials("old", "2026-01-01T01:00:00Z"),
            Answer::status(500),
            Answer::status(500),
        ],
        &[],
    );
    for (time, fetches) in [
        ("2026-01-01T00:00:00.000Z", 1),
        ("2026-01-01T00:55:00.000Z", 2),
        ("2026-01-01T00:55:00.000Z", 2),
        // Called earlier, and waited for the lock.
        ("2026-01-01T00:54:59.900Z", 2),
        ("2026-01-01T00:55:00.999Z", 2),
        ("2026-01-01T00:55:01.000Z", 3),
    ] {
        let current = container.current(at(time)).await.unwrap();
        assert_eq!(current.access_key_id, "old", "{time}");
        assert_eq!(fake.requests().len(), fetches, "{time}");
    }
}

/// The error that an answer leads to, as the log shows it.
async fn check(answer: Answer) -> String {
    let (_fake, container) = asking([answer], &[]);
    let error = container.current(at("2026-01-01T00:00:00Z")).await;
    let error = error.expect_err("no credentials");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    format!("{error}: {}", error.cause)
}

#[tokio::test]
async fn an_answer_without_credentials_names_the_variable() {
    let unexpected = "cannot read the credentials that AWS_CONTAINER_CREDENTIALS_FULL_URI names: the answer is something else, expected JSON with AccessKeyId, SecretAccessKey, Token and an RFC 3339 Expiration";
    assert_eq!(
        check(Answer::status(403)).await,
        "cannot read the credentials that AWS_CONTAINER_CREDENTIALS_FULL_URI names: the answer is status 403, expected 200"
    );
    assert_eq!(check(Answer::ok("garbage hunter2")).await, unexpected);
    assert_eq!(
        check(Answer::ok(r#"{"AccessKeyId":["hunter2"]}"#)).await,
        unexpected
    );
    assert_eq!(check(credentials("id", "tomorrow")).await, unexpected);
    let expiration = "2026-01-01T01:00:00Z";
    assert_eq!(check(credentials("", expiration)).await, unexpected);
    for empty in ["SecretAccessKey", "Token"] {
        let mut document = json!({
            "AccessKeyId": "id", "SecretAccessKey": "hunter2", "Token": "t", "Expiration": expiration,
        });
        document[empty] = json!("");
        assert_eq!(check(Answer::ok(&document.to_string())).await, unexpected);
    }
}
