//! What the extension is asked, when, and what becomes of its answers.

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

/// An extension that gives these answers.
fn asking<const N: usize>(answers: [Answer; N]) -> (Fake, SecretsExtension) {
    let fake = Fake::answering(answers);
    let port = fake.port.to_string();
    let extension = extension(&[(PORT, &port), (SESSION_TOKEN, "session+/=")]);
    (fake, extension.unwrap())
}

/// What the extension says of the secret with that text.
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
async fn a_login_is_what_the_secret_says() {
    let (fake, extension) = asking([user("u")]);

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
async fn a_login_is_kept_until_it_is_refused_and_then_fetched_past_the_cache() {
    let (fake, extension) = asking([user("old"), user("new")]);

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
async fn a_login_refused_over_and_over_is_fetched_once_a_second() {
    let (fake, extension) = asking([user("a"), user("b"), user("c")]);
    let refuse = async || {
        extension.forget();
        extension.login().await.unwrap().username
    };

    assert_eq!(extension.login().await.unwrap().username, "a");
    assert_eq!(refuse().await, "b");
    pause();
    for _ in 0..3 {
        assert_eq!(refuse().await, "b");
    }
    advance(REFRESH_AFTER).await;
    resume();
    assert_eq!(refuse().await, "c");

    assert_eq!(fake.requests().len(), 3);
}

#[tokio::test]
async fn a_login_is_no_longer_new_once_either_clock_says_so() {
    pause();
    let wall = SystemTime::now();
    let kept = Kept {
        login: Login {
            username: "u".to_owned(),
            password: Secret::new("hunter2".to_owned()),
        },
        refreshed: Some((Instant::now(), wall)),
    };
    assert!(kept.is_new(wall));
    // The wall clock was set back.
    assert!(kept.is_new(wall - REFRESH_AFTER * 100));
    // The function was frozen.
    assert!(!kept.is_new(wall + REFRESH_AFTER));
    advance(REFRESH_AFTER).await;
    assert!(!kept.is_new(wall));
}

#[tokio::test]
async fn an_extension_that_cannot_refresh_is_asked_plainly() {
    let (fake, extension) = asking([user("a"), Answer::status(400), user("b")]);
    assert_eq!(extension.login().await.unwrap().username, "a");
    extension.forget();
    assert_eq!(extension.login().await.unwrap().username, "b");
    assert!(!fake.requests()[2].contains("refreshNow"));
}

#[tokio::test]
async fn what_could_not_be_fetched_is_fetched_the_next_time() {
    let (fake, extension) = asking([Answer::status(400), user("u")]);
    assert!(extension.login().await.is_err());
    assert_eq!(extension.login().await.unwrap().username, "u");
    assert_eq!(fake.requests().len(), 2);
}

/// What is wrong with an answer, as a log would have it.
async fn check(answer: Answer) -> String {
    let (_fake, extension) = asking([answer]);
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
async fn a_secret_that_cannot_be_read_names_the_variable() {
    let no_json = "the answer is something else, expected JSON with a text SecretString";
    let no_user = "the answer is something else, expected a secret that is JSON, with the texts username and password";
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
            "the answer is something else, expected a secret whose username and password are not empty"
        );
    }
    assert_eq!(
        check(Answer::ok(&"x".repeat(1024 * 1024))).await,
        "the answer is longer than 131072 bytes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_extension_is_given_up() {
    assert_eq!(check(Answer::Silence).await, "no answer within 800 ms");
}

#[test]
fn the_extension_listens_where_its_own_variable_says() {
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
fn the_extension_wants_a_token_of_lambda() {
    let token = |variables: &[_]| extension(variables).map(|e| e.token.reveal().to_owned());
    let session = (SESSION_TOKEN, "session");
    let container = (CONTAINER_TOKEN, "container");
    assert_eq!(token(&[session, container]), Ok("session".to_owned()));
    assert_eq!(token(&[container]), Ok("container".to_owned()));
    assert_eq!(
        token(&[]),
        Err("AWS_SESSION_TOKEN is not set, expected what Lambda sets, since KAFKA_SASL_SECRET_ARN is".to_owned())
    );
}

#[test]
fn an_arn_has_a_bound_within_which_it_fits_in_a_uri() {
    let arn = |len: usize| format!("{ARN}{}", "+".repeat(len - ARN.len()));
    assert!(is_secret_arn(&arn(ARN_BYTES_MAX)));
    assert!(!is_secret_arn(&arn(ARN_BYTES_MAX + 1)));
    let encoded = "%2B".repeat(ARN_BYTES_MAX);
    assert!(Uri::try_from(format!("http://localhost/{encoded}&refreshNow=true")).is_ok());
}
