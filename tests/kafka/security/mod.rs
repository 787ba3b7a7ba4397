//! Every way to secure a connection, over real listeners, and every way to get it wrong: those who
//! are not let in are told so in time, and no secret is told to anybody.

mod certificates;
pub(crate) mod modes;
mod msk_iam;
mod passwords;
mod rights;
mod secret;

use serde_json::{Value, json};
use tests::path::Topics;
use tests::process::Process;
use tests::secured_kafka::{Listener, SecuredKafka};
use tests::simulator::{Launch, Refusal, Simulator};

/// A launch with one of the broker's listeners as the cluster.
fn launch(kafka: &SecuredKafka, listener: Listener, topics: &Topics) -> Launch {
    Launch::default()
        .contract(&topics.contract())
        .kafka(&kafka.address(listener))
}

/// The contract with variables for `connect` and `message`, which have little time.
fn contract(topics: &Topics, connect: &Value, message: &Value) -> String {
    let function = |environment| json!({"timeout": 4, "environment": environment});
    let functions = json!({"connect": function(connect), "message": function(message)});
    // JSON is YAML.
    format!("{}functions: {functions}\n", topics.contract())
}

/// What a client is told of message `id` once it is stored.
fn ack(id: u32) -> Value {
    json!({"type": "ack", "id": id})
}

/// Whether a client is told to try again: that much, and nothing of the reason.
fn is_unavailable(answer: &Value, id: u32) -> bool {
    let text = "not confirmed by Kafka in time; the message may have been stored all the same";
    *answer
        == json!({
            "type": "error", "id": id, "code": "unavailable", "retryable": true, "message": text
        })
}

fn message(id: u32) -> String {
    json!({ "id": id }).to_string()
}

/// The function processes of `connect` and `message`.
fn functions(simulator: &Simulator) -> Vec<Process> {
    let mut functions = simulator.function("/release/connect");
    functions.extend(simulator.function("/release/message"));
    assert!(functions.len() >= 2, "{functions:?}");
    functions
}

/// Whether none of these processes has died, or had to be replaced.
fn live(functions: &[Process]) -> bool {
    functions.iter().all(Process::is_alive)
}

/// Checks that a log says this, and no secret.
fn check_log(log: &str, says: &str, secrets: &[&str]) {
    assert!(log.contains(says), "{says:?} is missing: {log}");
    check_secrecy(log, secrets);
}

/// Checks that a simulator, or a function, says this, and no secret.
async fn check_said(simulator: &Simulator, says: &str, secrets: &[&str]) {
    simulator.says(says).await;
    check_secrecy(&simulator.stderr(), secrets);
}

/// Checks that a log says no secret.
fn check_secrecy(log: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!log.contains(secret), "a secret is in the log: {log}");
    }
}

/// Checks that `local-sim` refuses to start, in one line that says this and no secret.
fn check_refusal(refusal: &Refusal, says: &str, secrets: &[&str]) {
    assert!(!refusal.status.success(), "{refusal:?}");
    assert_eq!(refusal.stderr.lines().count(), 1, "{}", refusal.stderr);
    check_log(&refusal.stderr, "--kafka", secrets);
    check_log(&refusal.stderr, says, secrets);
}
