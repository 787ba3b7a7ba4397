//! A broker that goes away: answers instead of acknowledgements, and no process lost.

use serde_json::json;
use tests::client::Client;
use tests::path::Topics;
use tests::process::Process;
use tests::simulator::{Launch, Simulator};

/// Short function timeouts, so that "not confirmed in time" is soon.
const FUNCTIONS: &str = "functions: { connect: { timeout: 4 }, message: { timeout: 4 } }\n";

#[tokio::test]
async fn messages_are_unavailable_connections_refused_and_functions_live() {
    let broker = Launch::default().start(&[]).await;
    let contract = Topics::prefixed("").contract() + FUNCTIONS;
    let launch = Launch::default().contract(&contract).kafka(&broker.kafka);
    let simulator = launch.start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(
        client.ask(r#"{"id":1}"#).await,
        json!({"type": "ack", "id": 1})
    );
    let before = functions(&simulator);
    assert!(!before.is_empty());
    broker.stop().await;

    let (answer, refused) = tokio::join!(
        client.ask(r#"{"id":2}"#),
        Client::refused(&simulator.websocket),
    );
    assert_eq!(refused, 503);
    let message = answer["message"].as_str().unwrap();
    assert!(!message.is_empty());
    assert_eq!(
        answer,
        json!({"type": "error", "id": 2, "code": "unavailable", "retryable": true, "message": message})
    );
    assert_none_has_ended(&before, &simulator);
    simulator.stop().await;
}

#[tokio::test]
async fn functions_that_start_without_their_broker_answer_all_the_same() {
    let broker = Launch::default().start(&[]).await;
    let contract = Topics::prefixed("")
        .contract()
        .replace("$connect:", "unused:")
        + FUNCTIONS;
    let launch = Launch::default().contract(&contract).kafka(&broker.kafka);
    let simulator = launch.start(&[]).await;
    broker.stop().await;
    let mut client = Client::connect(&simulator.websocket).await;
    assert!(functions(&simulator).is_empty());

    let answer = client.ask(r#"{"id":1}"#).await;
    assert_eq!(
        (&answer["code"], &answer["retryable"]),
        (&json!("unavailable"), &json!(true)),
        "{answer}"
    );
    let started = functions(&simulator);
    let answer = client.ask(r#"{"id":2}"#).await;
    assert_eq!(answer["code"], "unavailable", "{answer}");
    assert_none_has_ended(&started, &simulator);
    simulator.stop().await;
}

#[tokio::test]
async fn a_handshake_whose_function_starts_without_its_broker_is_refused() {
    let broker = Launch::default().start(&[]).await;
    let contract = Topics::prefixed("").contract() + FUNCTIONS;
    let launch = Launch::default().contract(&contract).kafka(&broker.kafka);
    let simulator = launch.start(&[]).await;
    broker.stop().await;
    assert_eq!(Client::refused(&simulator.websocket).await, 503);
    simulator.stop().await;
}

/// One more may have been started: on a busy machine, a function is not idle again at once.
#[track_caller]
fn assert_none_has_ended(before: &[String], simulator: &Simulator) {
    let now = functions(simulator);
    let all_run = before.iter().all(|process| now.contains(process));
    assert!(
        all_run && now.len() <= before.len() + 1,
        "{before:?} {now:?}"
    );
}

/// The processes that serve functions, in a stable order.
fn functions(simulator: &Simulator) -> Vec<String> {
    let mut functions: Vec<Process> = simulator.function("/release/message");
    functions.extend(simulator.function("/release/connect"));
    functions
        .iter()
        .map(|process| format!("{} {}", process.pid, process.command))
        .collect()
}
