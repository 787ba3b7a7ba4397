//! Credentials that are refused, that cannot be had, and that are good for a while.

use std::sync::{Arc, atomic::Ordering};

use sluice_aws::fake::{Answer, Fake};

use super::*;

const PLAIN: [(&str, &str); 2] = [
    ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
    ("KAFKA_SASL_MECHANISM", "PLAIN"),
];

fn accepted(broker: &Broker) -> usize {
    broker.state.accepted.load(Ordering::SeqCst)
}

/// A producer that has this password in its environment.
fn producer_with_password(broker: &Broker, password: &str) -> Producer {
    let address = broker.address();
    let login = [
        (BROKERS, address.as_str()),
        ("KAFKA_SASL_USERNAME", "user"),
        ("KAFKA_SASL_PASSWORD", password),
    ];
    producer_with(&[&PLAIN[..], &login].concat()).0
}

#[tokio::test]
async fn a_password_that_is_refused_is_tried_once_and_the_log_has_the_brokers_words() {
    let broker = Broker::start(1, &[]).await;
    let producer = producer_with_password(&broker, "wrong");

    let failure = publish(&producer, "k").await.expect_err("refused");

    assert_eq!(failure.code, Code::Unavailable);
    let chain = chain(&failure);
    assert!(chain.contains("wrong, says the broker"), "{chain}");
    assert_eq!(accepted(&broker), 1);
}

#[tokio::test]
async fn a_password_that_is_accepted_opens_each_connection() {
    let broker = Broker::start(1, &[]).await;
    let producer = producer_with_password(&broker, "right");
    assert!(publish(&producer, "k").await.is_ok());
    assert_eq!(accepted(&broker), 2);
}

#[tokio::test]
async fn a_session_that_was_authenticated_is_replaced_before_it_ends() {
    let broker = Broker::start(1, &[]).await;
    let lifetime = Duration::from_mins(1);
    *broker.state.lifetime.lock() = lifetime;
    let producer = producer_with_password(&broker, "right");
    publish(&producer, "k").await.expect("stored");
    let now = SystemTime::now();
    let session = async |after| {
        let shared = producer.attempts.shared_session(now + after);
        shared.outcome().await.expect("connected")
    };
    let first = session(Duration::ZERO).await;

    let later = session(lifetime / 2).await;
    assert!(Arc::ptr_eq(&first, &later));
    let last = session(lifetime * 9 / 10).await;
    assert!(!Arc::ptr_eq(&first, &last));
}

/// What becomes of a record when the extension answers so; and how often it,
/// and the broker, had to be asked.
async fn check<const N: usize>(
    answers: [Answer; N],
) -> (Result<Receipt, Failure>, Vec<String>, usize) {
    let broker = Broker::start(1, &[]).await;
    let extension = Fake::answering(answers);
    let (address, port) = (broker.address(), extension.port.to_string());
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:AmazonMSK_x";
    let secret = [
        (BROKERS, address.as_str()),
        ("KAFKA_SASL_SECRET_ARN", arn),
        ("AWS_SESSION_TOKEN", "token"),
        ("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", &port),
    ];
    let (producer, _) = producer_with(&[&PLAIN[..], &secret].concat());
    let result = publish(&producer, "k").await;
    (result, extension.requests(), accepted(&broker))
}

/// A secret with this password.
fn secret(password: &str) -> Answer {
    let secret = serde_json::json!({"username": "user", "password": password});
    let document = serde_json::json!({"SecretString": secret.to_string()});
    Answer::ok(&document.to_string())
}

#[tokio::test]
async fn a_secret_that_is_refused_is_fetched_anew_once() {
    let (result, requests, connections) = check([secret("old"), secret("right")]).await;
    assert!(result.is_ok(), "{result:?}");
    assert!(requests[1].contains("refreshNow=true"), "{requests:?}");
    assert_eq!((requests.len(), connections), (2, 1 + 2));

    let (result, requests, connections) = check([secret("old"), secret("older")]).await;
    let failure = result.expect_err("refused");
    assert_eq!(failure.code, Code::Unavailable);
    assert!(chain(&failure).contains("wrong, says the broker"));
    assert_eq!((requests.len(), connections), (2, 2));
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_told_at_once() {
    for answer in [
        Answer::status(400),
        Answer::status(403),
        Answer::ok("no secret"),
        secret(""),
    ] {
        let (result, requests, connections) = check([answer, secret("right")]).await;
        let failure = result.expect_err("no credentials");
        assert_eq!(failure.code, Code::Unavailable);
        let chain = chain(&failure);
        assert!(chain.contains("KAFKA_SASL_SECRET_ARN"), "{chain}");
        assert_eq!((requests.len(), connections), (1, 0));
    }
}

#[tokio::test]
async fn a_secret_that_may_be_had_in_a_moment_is_asked_for_again() {
    for answer in [
        Answer::status(500),
        Answer::Silence,
        Answer::Raw(String::new()),
    ] {
        let (result, requests, connections) = check([answer, secret("right")]).await;
        assert!(result.is_ok(), "{result:?}");
        assert_eq!((requests.len(), connections), (2, 2));
    }
}
