//! What a user sees while messages come and go.

use rustix::process::Signal;
use serde_json::{Value, json};
use tests::client::Client;
use tests::simulator::{Launch, Simulator};

/// A simulator with this format of its log, that has served one client with two messages.
async fn served(format: &str, flags: &[&str]) -> Simulator {
    let launch = Launch::default().option("--log", format);
    let mut simulator = launch.start(flags).await;
    let mut client = Client::connect(&simulator.websocket).await;
    client.ask(r#"{"action":"chat","room":"r","id":1}"#).await;
    client.ask("hello").await;
    client.close(1000, "").await;
    simulator.signal(Signal::INT);
    assert!(simulator.ended().await.success());
    simulator
}

/// The lines of the log without their times.
fn lines(simulator: &Simulator) -> Vec<String> {
    let line = |line: &str| line.split_once(' ').expect("a time").1.to_owned();
    simulator.stderr().lines().map(line).collect()
}

#[tokio::test]
async fn each_event_is_a_line_and_the_summary_is_the_last() {
    let simulator = served("events", &[]).await;
    let lines = lines(&simulator);
    assert_eq!(lines.len(), 5, "{lines:?}");
    for (line, parts) in lines.iter().zip([
        [
            "in ",
            " $connect ",
            " connect ",
            " cold ws.connections-",
            "@0 101",
        ],
        [
            "in ",
            " chat ",
            " message ",
            " cold chat.messages-",
            "@0 ack",
        ],
        [
            "in ",
            " $default ",
            " message ",
            " ms ws.messages-",
            "@0 ack",
        ],
        [
            "in ",
            " $disconnect ",
            " disconnect ",
            " cold ws.connections-",
            " 1000",
        ],
        [
            "messages: ",
            "2 acknowledged; ",
            " cold starts; ",
            "p50 ",
            "p99 ",
        ],
    ]) {
        for part in parts {
            assert!(line.contains(part), "{part:?} is missing: {line}");
        }
    }
    let out = simulator.stdout();
    assert_eq!(out.lines().count(), 4, "{out}");
}

#[tokio::test]
async fn as_json_each_event_is_an_object() {
    let simulator = served("json", &[]).await;
    let stderr = simulator.stderr();
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let lines: Vec<Value> = stderr.lines().map(parse).collect();
    let kinds: Vec<&Value> = lines.iter().map(|line| &line["type"]).collect();
    assert_eq!(
        kinds,
        ["connect", "message", "message", "disconnect", "summary"]
    );
    let message = &lines[1];
    assert_eq!(message["connectionId"], lines[0]["connectionId"]);
    assert_eq!(
        [
            &message["routeKey"],
            &message["function"],
            &message["answer"],
            &message["cold"]
        ],
        [
            &json!("chat"),
            &json!("message"),
            &json!("ack"),
            &json!(true)
        ]
    );
    assert_eq!(message["record"]["topic"], "chat.messages");
    assert_eq!(lines[4]["acknowledged"], 2);
}

#[tokio::test]
async fn if_quiet_only_warnings_are_logged() {
    let simulator = served("events", &["--quiet"]).await;
    assert_eq!(simulator.stderr(), "");
}

#[tokio::test]
async fn a_warning_names_the_connection_and_the_request() {
    let contract = "
routeSelectionExpression: $request.body.action
routes: { chat: { function: message, topic: chat.messages } }
";
    let launch = Launch::default().option("--log", "json").contract(contract);
    let simulator = launch.start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    client.ask("no route takes this").await;
    simulator.says("\"type\":\"warn\"").await;
    let stderr = simulator.stderr();
    let warning = stderr.lines().find(|line| line.contains("\"warn\""));
    let warning: Value = serde_json::from_str(warning.unwrap()).unwrap();
    let ids = simulator.connection_ids().await;
    assert_eq!(warning["connectionId"], ids[0]);
    assert!(warning["requestId"].is_string(), "{warning}");
    simulator.stop().await;
}

#[tokio::test]
async fn ready_json_is_one_object_with_the_endpoints() {
    let simulator = Launch::default().start(&["--ready-json"]).await;
    let out = simulator.stdout();
    assert!(out.starts_with('{') && out.lines().count() == 1, "{out}");
    Client::connect(&simulator.websocket).await;
    assert!(simulator.connections.ends_with("/dev/@connections"));
    assert!(simulator.console.starts_with("http://127.0.0.1:"));
    assert!(simulator.kafka.starts_with("127.0.0.1:"));
    simulator.stop().await;
}
