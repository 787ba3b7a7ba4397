//! Topics that a user may not write, or not even see, though others may.

use serde_json::{Value, json};
use tests::admin::acls::Operation;
use tests::client::Client;
use tests::secured_kafka::{Listener, SecuredKafka, USERNAME, password};
use tests::wait::eventually;

use super::{ack, contract, functions, launch, live, message};
use crate::own_topics;

const MECHANISM: &str = "SCRAM-SHA-256";

/// Checks what a client is told once this is denied while functions live, and that nothing else
/// comes of it. Their sessions are brief, and with each they see anew which topics there are.
async fn check(operation: Operation, code: &str, text: &str) {
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let simulator = launch(kafka, Listener::Brief, &topics)
        .contract(&contract(&topics, &json!({}), &json!({})))
        .env("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
        .env("KAFKA_SASL_MECHANISM", MECHANISM)
        .env("KAFKA_SASL_USERNAME", USERNAME)
        .env("KAFKA_SASL_PASSWORD", &password(MECHANISM))
        .start(&["--create-topics"])
        .await;
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(client.ask(&message(1)).await, ack(1));
    let before = functions(&simulator);

    let admin = kafka.admin();
    admin.deny(USERNAME, &topics.messages, operation).await;
    let refusal = eventually("a refusal", async || {
        let answer = client.ask(&message(2)).await;
        (answer != ack(2)).then_some(answer)
    })
    .await;
    let expected: Value = json!({
        "type": "error", "id": 2, "code": code, "retryable": false, "message": text
    });
    assert_eq!(refusal, expected);
    // That is the one topic.
    let elsewhere = r#"{"action":"chat","room":"r","id":3}"#;
    assert_eq!(client.ask(elsewhere).await, ack(3));

    admin.deny_nothing(&topics.messages).await;
    eventually("an acknowledgement", async || {
        (client.ask(&message(4)).await == ack(4)).then_some(())
    })
    .await;
    assert!(live(&before));
    simulator.stop().await;
}

#[tokio::test]
async fn a_topic_that_may_not_be_written_is_forbidden() {
    let text = "the function may not write to the route's topic";
    check(Operation::Write, "forbidden", text).await;
}

#[tokio::test]
async fn a_topic_that_may_not_be_seen_is_no_topic() {
    let text = "the route's topic does not exist, or the function may not see it";
    check(Operation::Describe, "no_topic", text).await;
}
