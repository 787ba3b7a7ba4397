//! Brokers that cannot prove who they are.

use std::fs;

use serde_json::json;
use tests::client::Client;
use tests::secured_kafka::{Listener, SecuredKafka};
use tests::simulator::Launch;

use super::{
    check_refusal, check_said, contract, functions, is_unavailable, launch, live, message,
};
use crate::own_topics;

/// Checks that what this listener shows is not taken: neither by `message` nor by `local-sim`.
async fn check(listener: Listener, cause: &str) {
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let secured = |launch: Launch| {
        launch
            .env("KAFKA_SECURITY_PROTOCOL", "SSL")
            .env("KAFKA_SSL_CA", &kafka.authority)
    };
    let elsewhere = json!({"KAFKA_BROKERS": kafka.address(listener)});
    let launch_here = launch(kafka, Listener::Ssl, &topics);
    let contract = contract(&topics, &json!({}), &elsewhere);
    let simulator = secured(launch_here.contract(&contract))
        .start(&["--create-topics"])
        .await;
    let mut client = Client::connect(&simulator.websocket).await;
    let answer = client.ask(&message(1)).await;
    assert!(is_unavailable(&answer, 1), "{answer}");
    check_said(&simulator, cause, &[]).await;
    let functions = functions(&simulator);
    let answer = client.ask(&message(2)).await;
    assert!(is_unavailable(&answer, 2), "{answer}");
    assert!(live(&functions));
    simulator.stop().await;

    let refusal = secured(launch(kafka, listener, &topics)).refusal(&[]).await;
    check_refusal(&refusal, cause, &[]);
}

#[tokio::test]
async fn an_expired_certificate() {
    check(Listener::Expired, "certificate expired").await;
}

#[tokio::test]
async fn a_self_signed_certificate() {
    check(Listener::SelfSigned, "UnknownIssuer").await;
}

#[tokio::test]
async fn a_certificate_for_another_name() {
    check(Listener::OtherName, "not valid for name \"localhost\"").await;
}

#[tokio::test]
async fn a_handshake_is_refused_where_connect_trusts_nobody_there() {
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let elsewhere = json!({"KAFKA_BROKERS": kafka.address(Listener::Expired)});
    let simulator = launch(kafka, Listener::Ssl, &topics)
        .contract(&contract(&topics, &elsewhere, &json!({})))
        .env("KAFKA_SECURITY_PROTOCOL", "SSL")
        .env("KAFKA_SSL_CA", &kafka.authority)
        .start(&["--create-topics"])
        .await;
    assert_eq!(Client::refused(&simulator.websocket).await, 503);
    simulator.stop().await;
}

#[tokio::test]
async fn an_authority_that_is_not_the_brokers() {
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    // Without KAFKA_SSL_CA those that Mozilla trusts count.
    let refusal = launch(kafka, Listener::Ssl, &topics)
        .env("KAFKA_SECURITY_PROTOCOL", "SSL")
        .refusal(&[])
        .await;
    check_refusal(&refusal, "UnknownIssuer", &[]);
}

#[tokio::test]
async fn a_broker_without_tls() {
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let refusal = launch(kafka, Listener::Plaintext, &topics)
        .env("KAFKA_SECURITY_PROTOCOL", "SSL")
        .refusal(&[])
        .await;
    check_refusal(&refusal, "TLS handshake failed", &[]);
}

#[tokio::test]
async fn a_broker_with_tls_that_is_not_asked_for() {
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let refusal = launch(kafka, Listener::Ssl, &topics).refusal(&[]).await;
    check_refusal(&refusal, "expects TLS", &[]);
}

#[tokio::test]
async fn a_file_without_an_authority() {
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, &kafka.identity.key).unwrap();
    let refusal = launch(kafka, Listener::Ssl, &topics)
        .env("KAFKA_SECURITY_PROTOCOL", "SSL")
        .env("KAFKA_SSL_CA", file.path().to_str().unwrap())
        .refusal(&[])
        .await;
    let key = kafka.identity.key.lines().nth(1).unwrap();
    check_refusal(&refusal, "KAFKA_SSL_CA", &[key]);
}
