//! IAM: tokens that a listener verifies as MSK would.

use chrono::{SubsecRound, Utc};
use tests::client::Client;
use tests::msk::{Attempt, Credentials, REGION};
use tests::path::{self, Topics};
use tests::secured_kafka::{Listener, SecuredKafka};
use tests::simulator::Launch;
use tests::wait::eventually;
use tokio::sync::Mutex;

use super::{
    ack, check_refusal, check_said, check_secrecy, functions, is_unavailable, launch, live, message,
};
use crate::own_topics;

/// There is one address that the broker advertises as MSK's: tests take turns.
static TURN: Mutex<()> = Mutex::const_new(());

/// AWS's documented examples, which open nothing: of a role, as Lambda has them, …
const ROLE: Credentials = Credentials {
    access_key_id: "ASIAIOSFODNN7EXAMPLE",
    secret_access_key: SECRET,
    session_token: Some(SESSION_TOKEN),
};
/// … and of a user, who has no session.
const USER: Credentials = Credentials {
    access_key_id: "AKIAIOSFODNN7EXAMPLE",
    secret_access_key: SECRET,
    session_token: None,
};
const WRONG: Credentials = Credentials {
    secret_access_key: "another/secret+access/key",
    ..USER
};
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SESSION_TOKEN: &str = "IQoJb3JpZ2luX2VjEPT//////////wEaCXVzLWVhc3QtMSJHMEUCIQDx+y/z==";

/// What the log says of a token that is not taken.
const REFUSED: &str = "a broker refused the credentials with error 58: \"Access denied\"";

/// A launch whose functions sign with these credentials.
fn launch_with_iam(kafka: &SecuredKafka, topics: &Topics, credentials: &Credentials) -> Launch {
    let launch = launch(kafka, Listener::BehindMsk, topics)
        .kafka(&kafka.msk_address())
        .env("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
        .env("KAFKA_SASL_MECHANISM", "AWS_MSK_IAM")
        .env("KAFKA_SSL_CA", &kafka.authority)
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key);
    match credentials.session_token {
        Some(token) => launch.env("AWS_SESSION_TOKEN", token),
        None => launch,
    }
}

#[tokio::test]
async fn a_token_is_made_for_each_connection_and_taken() {
    let _turn = TURN.lock().await;
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let msk = kafka.start_msk(ROLE);
    let mut simulator = launch_with_iam(kafka, &topics, &ROLE)
        .start(&["--create-topics"])
        .await;
    simulator.kafka = kafka.address(Listener::Plaintext);
    path::connect_message_disconnect(&simulator, &topics).await;

    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(client.ask(&message(1)).await, ack(1));
    let before = msk.attempts();
    let last = before.last().unwrap().connected;
    eventually("another second", async || {
        (Utc::now().trunc_subsecs(0) > last).then_some(())
    })
    .await;
    msk.cut();
    assert_eq!(client.ask(&message(2)).await, ack(2));
    let attempts = msk.attempts();
    assert!(attempts.len() > before.len());
    assert!(attempts.iter().all(Attempt::is_fresh), "{attempts:#?}");
    for name in ["local-sim", "connect", "message", "disconnect"] {
        let is_there = attempts.iter().any(|attempt| attempt.client_id == name);
        assert!(is_there, "no {name} in {attempts:#?}");
    }
    let secrets = [SECRET, SESSION_TOKEN];
    check_secrecy(&simulator.stderr(), &secrets);
    simulator.stop().await;
}

#[tokio::test]
async fn a_wrong_key_is_refused_until_it_is_the_right_one() {
    let _turn = TURN.lock().await;
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let msk = kafka.start_msk(WRONG);
    let secrets = [SECRET];
    let refusal = launch_with_iam(kafka, &topics, &USER).refusal(&[]).await;
    check_refusal(&refusal, REFUSED, &secrets);

    msk.accept(USER);
    let simulator = launch_with_iam(kafka, &topics, &USER)
        .start(&["--create-topics"])
        .await;
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(client.ask(&message(1)).await, ack(1));
    let before = functions(&simulator);

    msk.accept(WRONG);
    msk.cut();
    let answer = client.ask(&message(2)).await;
    assert!(is_unavailable(&answer, 2), "{answer}");
    assert_eq!(Client::refused(&simulator.websocket).await, 503);
    check_said(&simulator, REFUSED, &secrets).await;
    let mismatch = Err("the signature does not match".to_owned());
    assert_eq!(msk.attempts().last().unwrap().signed, mismatch);

    msk.accept(USER);
    assert_eq!(client.ask(&message(3)).await, ack(3));
    assert!(live(&before));
    simulator.stop().await;
}
