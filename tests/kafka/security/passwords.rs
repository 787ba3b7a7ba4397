//! Passwords that are wrong, then right, then wrong.

use serde_json::{Value, json};
use tests::client::Client;
use tests::secured_kafka::{Listener, SecuredKafka, USERNAME, password};
use tests::simulator::Launch;
use tests::wait::eventually;

use super::{
    ack, check_refusal, check_said, contract, functions, is_unavailable, launch, live, message,
};
use crate::own_topics;

const WRONG: &str = "a-wrong-password-that-nobody-may-read";

/// What the log says of a password that a broker does not take.
const REFUSED: &str = "a broker refused the credentials with error 58";

/// The variables of a user, in the environment of `local-sim`, so that the contract may give
/// others to a function.
fn login(launch: Launch, mechanism: &str, username: &str, password: &str) -> Launch {
    launch
        .inherits("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
        .inherits("KAFKA_SASL_MECHANISM", mechanism)
        .inherits("KAFKA_SASL_USERNAME", username)
        .inherits("KAFKA_SASL_PASSWORD", password)
}

/// Checks what a client sees of a function whose password is wrong, and what nobody sees.
async fn check(mechanism: &str) {
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let right = password(mechanism);
    let start = async |connect: Value, message: Value| {
        let launch = launch(kafka, Listener::SaslPlaintext, &topics)
            .contract(&contract(&topics, &connect, &message));
        login(launch, mechanism, USERNAME, &right)
            .start(&["--create-topics"])
            .await
    };
    let wrong = json!({"KAFKA_SASL_PASSWORD": WRONG});

    let simulator = start(json!({}), wrong.clone()).await;
    let mut client = Client::connect(&simulator.websocket).await;
    let answer = client.ask(&message(1)).await;
    assert!(is_unavailable(&answer, 1), "{answer}");
    check_said(&simulator, REFUSED, &[WRONG, &right]).await;
    simulator.stop().await;

    let simulator = start(wrong, json!({})).await;
    assert_eq!(Client::refused(&simulator.websocket).await, 503);
    check_said(&simulator, REFUSED, &[WRONG, &right]).await;
    simulator.stop().await;

    let launch = launch(kafka, Listener::SaslPlaintext, &topics);
    let refusal = login(launch, mechanism, USERNAME, WRONG).refusal(&[]).await;
    check_refusal(&refusal, REFUSED, &[WRONG]);
}

#[tokio::test]
async fn a_wrong_password_with_plain() {
    check("PLAIN").await;
}

#[tokio::test]
async fn a_wrong_password_with_scram_sha_256() {
    check("SCRAM-SHA-256").await;
}

#[tokio::test]
async fn a_wrong_password_with_scram_sha_512() {
    check("SCRAM-SHA-512").await;
}

#[tokio::test]
async fn a_password_that_becomes_wrong_and_right_again_while_functions_live() {
    const USERNAME: &str = "changing";
    const OURS: &str = "the-password-that-functions-know";
    const THEIRS: &str = "another-password-that-they-do-not";
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    kafka.set_password(USERNAME, OURS).await;
    let launch = launch(kafka, Listener::Brief, &topics).contract(&contract(
        &topics,
        &json!({}),
        &json!({}),
    ));
    let simulator = login(launch, "SCRAM-SHA-256", USERNAME, OURS)
        .start(&["--create-topics"])
        .await;
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(client.ask(&message(1)).await, ack(1));
    let before = functions(&simulator);

    kafka.set_password(USERNAME, THEIRS).await;
    // Whoever is connected stays so until the session ends.
    eventually("a refusal", async || {
        let answer = client.ask(&message(2)).await;
        let refused = is_unavailable(&answer, 2);
        assert!(refused || answer == ack(2), "{answer}");
        refused.then_some(())
    })
    .await;
    assert_eq!(Client::refused(&simulator.websocket).await, 503);
    check_said(&simulator, REFUSED, &[OURS, THEIRS]).await;

    kafka.set_password(USERNAME, OURS).await;
    assert_eq!(client.ask(&message(3)).await, ack(3));
    let mut another = Client::connect(&simulator.websocket).await;
    assert_eq!(another.ask(&message(4)).await, ack(4));
    assert!(live(&before));
    simulator.stop().await;
}
