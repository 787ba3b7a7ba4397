//! Passwords that Secrets Manager keeps, and that change there.

use std::net::TcpListener;

use serde_json::json;
use tests::client::Client;
use tests::extension::{ARN, Extension, TOKEN};
use tests::path::Topics;
use tests::secured_kafka::{Listener, SecuredKafka};
use tests::simulator::Launch;
use tests::wait::eventually;

use super::{
    ack, check_refusal, check_said, check_secrecy, contract, is_unavailable, launch, message,
};
use crate::own_topics;

/// A launch whose functions have a secret's name, and the port to ask for it.
fn launch_with_secret(kafka: &SecuredKafka, topics: &Topics, port: u16) -> Launch {
    launch(kafka, Listener::Brief, topics)
        .env("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
        .env("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256")
        .env("AWS_SESSION_TOKEN", TOKEN)
        .inherits("KAFKA_SASL_SECRET_ARN", ARN)
        .env("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", &port.to_string())
}

#[tokio::test]
async fn a_secret_that_is_rotated_is_read_anew_once_the_old_one_is_refused() {
    const USERNAME: &str = "rotating";
    const OLD: &str = "the-password-before-the-rotation";
    const NEW: &str = "the-password-after-the-rotation";
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    kafka.set_password(USERNAME, OLD).await;
    let extension = Extension::start(USERNAME, OLD).await;
    let simulator = launch_with_secret(kafka, &topics, extension.port)
        .start(&["--create-topics"])
        .await;
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(client.ask(&message(1)).await, ack(1));
    assert_eq!(extension.refreshes(), 0);

    kafka.set_password(USERNAME, NEW).await;
    extension.rotate(USERNAME, NEW);
    // Whoever is connected stays so until the session ends; nobody is refused anything.
    eventually("the secret is read anew", async || {
        assert_eq!(client.ask(&message(2)).await, ack(2));
        (extension.refreshes() > 0).then_some(())
    })
    .await;
    let mut another = Client::connect(&simulator.websocket).await;
    assert_eq!(another.ask(&message(3)).await, ack(3));
    check_secrecy(&simulator.stderr(), &[OLD, NEW, TOKEN]);
    simulator.stop().await;
}

#[tokio::test]
async fn without_the_secret_nothing_is_confirmed_and_the_variable_is_named() {
    const CAUSE: &str = "cannot read the credentials that KAFKA_SASL_SECRET_ARN names";
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let refusal = launch_with_secret(kafka, &topics, port).refusal(&[]).await;
    check_refusal(&refusal, CAUSE, &[TOKEN]);
    drop(silent);
    let refusal = launch_with_secret(kafka, &topics, port).refusal(&[]).await;
    check_refusal(&refusal, CAUSE, &[TOKEN]);

    const USERNAME: &str = "kept";
    const PASSWORD: &str = "the-password-of-the-one-who-is-kept";
    kafka.set_password(USERNAME, PASSWORD).await;
    let extension = Extension::start(USERNAME, PASSWORD).await;
    let other = json!({"KAFKA_SASL_SECRET_ARN": format!("{ARN}-of-another")});
    let simulator = launch_with_secret(kafka, &topics, extension.port)
        .contract(&contract(&topics, &json!({}), &other))
        .start(&["--create-topics"])
        .await;
    let mut client = Client::connect(&simulator.websocket).await;
    let answer = client.ask(&message(1)).await;
    assert!(is_unavailable(&answer, 1), "{answer}");
    check_said(&simulator, CAUSE, &[PASSWORD, TOKEN]).await;
    simulator.stop().await;
}
