//! The effects of functions on a connection, tested with a scripted function.

use std::{fs, path::Path};

use rustix::process::Signal;
use serde_json::{Value, json};
use tests::{
    anatomy::check_id,
    client::Client,
    consumer::Consumer,
    process::Process,
    simulator::{Launch, Simulator, none_left},
    wait::eventually,
};

use crate::routes::check_error_frame;

/// The scripted function handles messages; `connect` and `disconnect` record connections.
const MESSAGES: &str = "
routeSelectionExpression: $request.body.action
routes:
  $connect: { function: connect, topic: ws.connections }
  $disconnect: { function: disconnect, topic: ws.connections }
  $default: { function: scripted, routeResponse: true }
  silent: { function: scripted }
functions: { scripted: { timeout: 3 } }
";

async fn start(contract: &str) -> Simulator {
    let launch = Launch::default().contract(contract);
    launch.function("scripted", "scripted.py").start(&[]).await
}

async fn connected() -> (Simulator, Client) {
    let simulator = start(MESSAGES).await;
    let client = Client::connect(&simulator.websocket).await;
    (simulator, client)
}

/// Checks that the function answers with its event, and returns the answer.
async fn check_echo(client: &mut Client) -> Value {
    let answer = client.ask(r#"{"do":"echo"}"#).await;
    assert_eq!(answer["event"]["body"], r#"{"do":"echo"}"#, "{answer}");
    answer
}

#[tokio::test]
async fn any_executable_can_be_a_function_and_gets_the_gateways_event() {
    let (simulator, mut client) = connected().await;
    let event = check_echo(&mut client).await["event"].take();
    let names: Vec<&String> = event.as_object().unwrap().keys().collect();
    assert_eq!(names, ["body", "isBase64Encoded", "requestContext"]);
    let context = &event["requestContext"];
    assert_eq!(context["eventType"], "MESSAGE");
    assert_eq!(context["routeKey"], "$default");
    assert_eq!(context["stage"], "dev");
    assert_eq!(context["extendedRequestId"], context["requestId"]);
    for name in ["connectionId", "messageId", "requestId"] {
        check_id(context[name].as_str().unwrap());
    }
    let consumer = Consumer::connect(&simulator.kafka).await;
    let connect = &consumer.records("ws.connections", 1).await[0];
    assert_eq!(context["connectionId"], connect.key);
    simulator.stop().await;
}

#[tokio::test]
async fn two_messages_of_one_connection_run_concurrently() {
    let (simulator, mut client) = connected().await;
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("go");
    let slow = waiting_for(&path);
    client.send(&slow).await;
    // The second message is answered while the first one still runs.
    check_echo(&mut client).await;
    fs::write(&path, "").unwrap();
    assert_eq!(client.next_json().await["event"]["body"], slow.as_str());
    simulator.stop().await;
}

#[tokio::test]
async fn a_process_is_reused() {
    let (simulator, mut client) = connected().await;
    let first = check_echo(&mut client).await["pid"].take();
    // A message that comes before the first process is idle again gets another process.
    eventually("the first process answers again", async || {
        (check_echo(&mut client).await["pid"] == first).then_some(())
    })
    .await;
    simulator.stop().await;
}

#[tokio::test]
async fn reserved_concurrency_limits_a_function() {
    let settings = "{ timeout: 3, reservedConcurrentExecutions: 1 }";
    let simulator = start(&MESSAGES.replace("{ timeout: 3 }", settings)).await;
    let mut client = Client::connect(&simulator.websocket).await;
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("go");
    // Either message may come first; the other one is throttled.
    client.send(&waiting_for(&path)).await;
    client.send(&waiting_for(&path)).await;
    check_error_frame(&client.next().await, "Internal server error");
    fs::write(&path, "").unwrap();
    assert!(client.next_json().await["pid"].is_u64());
    check_echo(&mut client).await;
    simulator.stop().await;
}

/// Checks that a message fails with API Gateway's error frame, and the next one succeeds.
async fn check_fails(message: &Value) {
    let (simulator, mut client) = connected().await;
    client.send(&message.to_string()).await;
    check_error_frame(&client.next().await, "Internal server error");
    check_echo(&mut client).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_crash_is_an_internal_server_error() {
    check_fails(&json!({"do": "exit"})).await;
}

#[tokio::test]
async fn a_timeout_is_an_internal_server_error() {
    check_fails(&json!({"do": "hang"})).await;
}

#[tokio::test]
async fn a_reported_error_is_an_internal_server_error() {
    check_fails(&json!({"do": "fail"})).await;
}

#[tokio::test]
async fn errors_are_sent_even_on_a_route_without_a_route_response() {
    check_fails(&json!({"action": "silent", "do": "exit"})).await;
}

#[tokio::test]
async fn a_malformed_proxy_response_is_an_internal_server_error() {
    let (simulator, mut client) = connected().await;
    for reply in [
        "garbage",
        "null",
        "{}",
        r#"{"statusCode":200,"Data":1}"#,
        r#"{"statusCode":200,"body":1}"#,
    ] {
        let message = json!({"do": "reply", "with": reply});
        client.send(&message.to_string()).await;
        check_error_frame(&client.next().await, "Internal server error");
    }
    check_echo(&mut client).await;
    simulator.stop().await;
}

#[tokio::test]
async fn the_body_of_a_reply_is_sent_with_any_status() {
    let (simulator, mut client) = connected().await;
    for (reply, answer) in [
        (r#"{"statusCode":200,"body":"fine"}"#, "fine"),
        (r#"{"statusCode":500,"body":"odd"}"#, "odd"),
        (r#"{"statusCode":200}"#, ""),
    ] {
        client
            .send(&json!({"do": "reply", "with": reply}).to_string())
            .await;
        assert_eq!(client.next().await, answer, "{reply}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_refused_handshake_gets_the_functions_status_and_leaves_no_record() {
    let contract = MESSAGES.replace(
        "connect, topic: ws.connections }\n  $dis",
        "scripted }\n  $dis",
    );
    let simulator = start(&contract).await;
    for status in [400, 403, 503] {
        let url = format!("{}?status={status}", simulator.websocket);
        assert_eq!(Client::refused(&url).await, status);
    }
    // Only the accepted connection leaves a record, that of its disconnect.
    Client::connect(&simulator.websocket)
        .await
        .close(1000, "")
        .await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    consumer.records("ws.connections", 1).await;
    simulator.stop().await;
}

/// Returns a message whose invocation ends when the file exists.
fn waiting_for(path: &Path) -> String {
    json!({"do": "wait", "path": path}).to_string()
}

/// Returns a simulator with a hanging invocation, its client and its processes.
async fn hanging() -> (Simulator, Client, Vec<Process>) {
    let (simulator, mut client) = connected().await;
    check_echo(&mut client).await;
    client.send(r#"{"do":"hang"}"#).await;
    let processes = simulator.processes();
    (simulator, client, processes)
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_hanging_function() {
    let (mut simulator, mut client, processes) = hanging().await;
    simulator.signal(Signal::TERM);
    assert_eq!(client.closed().await, 1012);
    let status = simulator.ended().await;
    assert!(status.success(), "{status}");
    none_left(&processes).await;
}

#[tokio::test]
async fn a_second_signal_ends_the_simulator_at_once() {
    let (mut simulator, client, processes) = hanging().await;
    simulator.signal(Signal::TERM);
    simulator.signal(Signal::INT);
    let status = simulator.ended().await;
    assert_eq!(status.code(), Some(1));
    none_left(&processes).await;
    drop(client);
}
