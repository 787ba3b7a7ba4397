//! When the extension is called, with which requests, and how its responses are handled.

use sluice_aws::fake::{Answer, Fake};
use tokio::time::{advance, pause, resume};

use super::*;

const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:AmazonMSK_a/b-AbCdEf";

fn extension(variables: &[(&str, &str)]) -> Result<SecretsExtension, String> {
    let lookup = |name: &str| {
        let found = variables.iter().find(|(found, _)| *found == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    SecretsExtension::from_variables(&Variables(&lookup), ARN.to_owned())
        .map_err(|err| err.to_string())
}

/// A fake extension that returns these responses in order, and a client of it.
fn fake_extension<const N: usize>(responses: [Answer; N]) -> (Fake, SecretsExtension) {
    let fake = Fake::answering(responses);
    let port = fake.port.to_string();
    let extension = extension(&[(PORT, &port), (SESSION_TOKEN, "session+/=")]);
    (fake, extension.unwrap())
}

/// The extension's response for a secret with this text.
fn secret(text: &str) -> Answer {
    let text = serde_json::to_string(text).unwrap();
    Answer::ok(&format!(
        r#"{{"ARN":"{ARN}","Name":"n","SecretString":{text},"VersionStages":["AWSCURRENT"]}}"#
    ))
}

fn user(name: &str) -> Answer {
    secret(&format!(r#"{{"username":"{name}","password":"hunter2"}}"#))
}

#[tokio::test]
async fn a_login_is_read_from_the_secret() {
    let (fake, extension) = fake_extension([user("u")]);

    let login = extension.login().await.unwrap();

    assert_eq!(login.username, "u");
    assert_eq!(login.password.reveal(), "hunter2");
    assert_eq!(
        fake.requests(),
        [format!(
            "GET /secretsmanager/get?secretId=arn%3Aaws%3Asecretsmanager%3Aeu%2Dcentral%2D1%3A123456789012%3Asecret%3AAmazonMSK%5Fa%2Fb%2DAbCdEf HTTP/1.1\r\nhost: localhost:{}\r\nx-aws-parameters-secrets-token: session+/=\r\n\r\n",
            fake.port
        )]
    );
    assert!(!format!("{extension:?} {login:?}").contains("hunter2"));
    assert!(!format!("{extension:?}").contains("session+"));
}

#[tokio::test]
async fn a_rejected_login_is_fetched_again_past_the_extensions_cache() {
    let (fake, extension) = fake_extension([user("old"), user("new")]);

    for _ in 0..2 {
        assert_eq!(extension.login().await.unwrap().username, "old");
    }
    extension.forget();
    for _ in 0..2 {
        assert_eq!(extension.login().await.unwrap().username, "new");
    }

    let requests = fake.requests();
    assert_eq!(requests.len(), 2);
    assert!(!requests[0].contains("refreshNow"), "{requests:?}");
    assert!(
        requests[1].contains("&refreshNow=true HTTP/1.1\r\n"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_login_that_is_rejected_repeatedly_is_fetched_once_a_second() {
    let (fake, extension) = fake_extension([user("a"), user("b"), user("c")]);
    let reject = async || {
        extension.forget();
        extension.login().await.unwrap().username
    };

    assert_eq!(extension.login().await.unwrap().username, "a");
    assert_eq!(reject().await, "b");
    pause();
    for _ in 0..3 {
        assert_eq!(reject().await, "b");
    }
    advance(REFRESH_INTERVAL).await;
    resume();
    assert_eq!(reject().await, "c");

    assert_eq!(fake.requests().len(), 3);
}

#[tokio::test]
async fn a_login_is_stale_once_either_clock_has_passed_the_interval() {
    pause();
    let wall = SystemTime::now();
    let cached = CachedLogin {
        login: Login {
            username: "u".to_owned(),
            password: Secret::new("hunter2".to_owned()),
        },
        refreshed: Some((Instant::now(), wall)),
    };
    assert!(cached.is_fresh(wall));
    // The wall clock was set back.
    assert!(cached.is_fresh(wall - REFRESH_INTERVAL * 100));
    // The function was frozen.
    assert!(!cached.is_fresh(wall + REFRESH_INTERVAL));
    advance(REFRESH_INTERVAL).await;
    assert!(!cached.is_fresh(wall));
}

#[tokio::test]
async fn a_rejected_refresh_falls_back_to_a_plain_fetch() {
    let (fake, extension) = fake_extension([user("a"), Answer::status(400), user("b")]);
    assert_eq!(extension.login().await.unwrap().username, "a");
    extension.forget();
    assert_eq!(extension.login().await.unwrap().username, "b");
    assert!(!fake.requests()[2].contains("refreshNow"));
}

#[tokio::test]
async fn a_failed_fetch_is_repeated_at_the_next_call() {
    let (fake, extension) = fake_extension([Answer::status(400), user("u")]);
    assert!(extension.login().await.is_err());
    assert_eq!(extension.login().await.unwrap().username, "u");
    assert_eq!(fake.requests().len(), 2);
}

/// The error for this response, as it would be logged.
async fn check(response: Answer) -> String {
    let (_fake, extension) = fake_extension([response]);
    let error = extension.login().await.expect_err("no login");
    assert_eq!(error.variable, "KAFKA_SASL_SECRET_ARN");
    assert_eq!(
        error.to_string(),
        "cannot read the credentials that KAFKA_SASL_SECRET_ARN names"
    );
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    error.cause.to_string()
}

#[tokio::test]
async fn an_unreadable_secret_is_an_error_that_names_the_variable() {
    let no_json = "the answer is something else, expected JSON with a string field SecretString";
    let no_user = "the answer is something else, expected a SecretString of JSON with string fields username and password";
    assert_eq!(
        check(Answer::status(400)).await,
        "the answer is status 400, expected 200"
    );
    assert_eq!(check(Answer::ok("hunter2")).await, no_json);
    assert_eq!(
        check(Answer::ok(r#"{"SecretBinary":"hunter2"}"#)).await,
        no_json
    );
    assert_eq!(
        check(Answer::ok(r#"{"SecretString":["hunter2"]}"#)).await,
        no_json
    );
    assert_eq!(check(secret("hunter2")).await, no_user);
    assert_eq!(check(secret(r#"{"username":"u"}"#)).await, no_user);
    assert_eq!(
        check(secret(r#"{"username":"u","password":["hunter2"]}"#)).await,
        no_user
    );
    for empty in [
        r#"{"username":"","password":"hunter2"}"#,
        r#"{"username":"u","password":""}"#,
    ] {
        assert_eq!(
            check(secret(empty)).await,
            "the answer is something else, expected a SecretString with a non-empty username and password"
        );
    }
    assert_eq!(
        check(Answer::ok(&"x".repeat(1024 * 1024))).await,
        "the answer is longer than 131072 bytes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fetch_from_a_silent_extension_times_out() {
    assert_eq!(check(Answer::Silence).await, "no answer within 800 ms");
}

#[test]
fn the_port_is_read_from_the_extensions_own_variable() {
    let port = |found: &str| extension(&[(PORT, found), (SESSION_TOKEN, "t")]).map(|e| e.port);
    assert_eq!(port(""), Ok(2773));
    assert_eq!(port("80"), Ok(80));
    for wrong in ["0", "65536", "x", "-1"] {
        assert_eq!(
            port(wrong),
            Err(format!(
                "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT is {wrong:?}, expected a port from 1 to 65535"
            ))
        );
    }
}

#[test]
fn the_token_is_one_of_lambdas() {
    let token = |variables: &[_]| extension(variables).map(|e| e.token.reveal().to_owned());
    let session = (SESSION_TOKEN, "session");
    let container = (CONTAINER_TOKEN, "container");
    assert_eq!(token(&[session, container]), Ok("session".to_owned()));
    assert_eq!(token(&[container]), Ok("container".to_owned()));
    assert_eq!(
        token(&[]),
        Err("AWS_SESSION_TOKEN is not set, expected Lambda's session token (needed because KAFKA_SASL_SECRET_ARN is set)".to_owned())
    );
}

#[test]
fn the_longest_arn_fits_in_a_uri() {
    let arn = |len: usize| format!("{ARN}{}", "+".repeat(len - ARN.len()));
    assert!(is_secret_arn(&arn(ARN_BYTES_MAX)));
    assert!(!is_secret_arn(&arn(ARN_BYTES_MAX + 1)));
    let encoded = "%2B".repeat(ARN_BYTES_MAX);
    assert!(Uri::try_from(format!("http://localhost/{encoded}&refreshNow=true")).is_ok());
}
