//! Inspection with the console: connections, environments, invocations and the event stream.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    client::Client,
    console::Events,
    consumer::Consumer,
    path::Topics,
    simulator::{Launch, Simulator},
    wait::eventually,
};
use tokio::time::timeout;

/// A single environment runs the invocations one after the other, so their order is known.
const ONE_ENVIRONMENT: &str = "functions: { message: { reservedConcurrentExecutions: 1 } }\n";

/// The most concurrent readers of the stream.
const STREAMS_MAX: usize = 64;

/// Messages whose events overflow the socket and the queue of a stream that is not read.
const FLOOD: usize = 1500;
/// Length of each message's text: the message still fits in one frame.
const FLOOD_BYTES: usize = 30_000;

fn with_one_environment() -> Launch {
    Launch::default().contract(&(Topics::prefixed("").contract() + ONE_ENVIRONMENT))
}

fn field_names(object: &Value) -> Vec<&str> {
    let object = object.as_object().unwrap();
    object.keys().map(String::as_str).collect()
}

async fn invocations(simulator: &Simulator, query: &str) -> Vec<Value> {
    let shown = simulator.look(&format!("/api/invocations{query}")).await;
    shown["invocations"].as_array().unwrap().clone()
}

/// Waits until `message` has this many invocations, and returns them, newest first.
///
/// An invocation enters the history after its client was answered.
async fn message_invocations(simulator: &Simulator, count: usize) -> Vec<Value> {
    eventually(
        "the invocations of message are in the history",
        async || {
            let shown = invocations(simulator, "?function=message").await;
            (shown.len() == count).then_some(shown)
        },
    )
    .await
}

#[tokio::test]
async fn only_open_connections_are_listed() {
    let simulator = Launch::default().start(&[]).await;
    assert_eq!(
        simulator.look("/api/connections").await,
        json!({ "connections": [] })
    );
    let headers = [("user-agent", "someone")];
    let mut first = Client::open(&simulator.websocket, &headers).await.unwrap();
    let second = Client::connect(&simulator.websocket).await;
    first.ask("hello").await;
    let shown = simulator.look("/api/connections").await;
    let [one, other] = &shown["connections"].as_array().unwrap()[..] else {
        panic!("{shown}");
    };
    assert_eq!(
        field_names(one),
        [
            "connectedAt",
            "connectionId",
            "identity",
            "lastActiveAt",
            "unplugged"
        ]
    );
    assert_eq!(
        one["identity"],
        json!({"sourceIp": "127.0.0.1", "userAgent": "someone"})
    );
    assert_eq!(other["identity"], json!({"sourceIp": "127.0.0.1"}));
    assert!(
        one["connectedAt"].as_str() <= one["lastActiveAt"].as_str(),
        "{one}"
    );
    assert_eq!(one["unplugged"], false);
    let ids = simulator.connection_ids().await;
    second.close(1000, "").await;
    eventually("only the first connection is listed", async || {
        (simulator.connection_ids().await == ids[..1]).then_some(())
    })
    .await;
    simulator.stop().await;
}

#[tokio::test]
async fn environments_are_listed_with_their_state_and_process() {
    let simulator = Launch::default().start(&[]).await;
    let environments = simulator.look("/api/environments").await;
    assert_eq!(environments, json!({ "environments": [] }));
    let mut client = Client::connect(&simulator.websocket).await;
    client.ask("hello").await;
    let shown = eventually("every environment is frozen", async || {
        let shown = simulator.look("/api/environments").await["environments"].take();
        let all = shown.as_array().unwrap();
        all.iter()
            .all(|it| it["state"] == "frozen")
            .then_some(shown)
    })
    .await;
    let [connect, message] = &shown.as_array().unwrap()[..] else {
        panic!("{shown}");
    };
    for (environment, function) in [(connect, "connect"), (message, "message")] {
        let process = simulator.function(function).remove(0);
        assert!(process.is_stopped());
        let expected = json!({
            "id": format!("{function}-0"), "function": function, "state": "frozen", "stopped": false,
            "processId": process.pid, "requestIds": [],
        });
        assert_eq!(environment, &expected);
    }
    simulator.stop().await;
}

#[tokio::test]
async fn invocations_are_listed_with_event_reply_and_record() {
    let simulator = with_one_environment().start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    for id in ["1", "2"] {
        client.ask(&format!(r#"{{"id":"{id}"}}"#)).await;
    }
    let shown = message_invocations(&simulator, 2).await;
    let [second, first] = &shown[..] else {
        panic!("{shown:?}");
    };
    assert_eq!(
        field_names(first),
        [
            "durationMillis",
            "environment",
            "event",
            "function",
            "initDurationMillis",
            "log",
            "record",
            "reply",
            "requestId",
            "startedAt",
        ]
    );
    assert_eq!(first["event"]["body"], r#"{"id":"1"}"#);
    assert_eq!(first["reply"]["body"], r#"{"type":"ack","id":"1"}"#);
    assert_eq!(first["function"], "message");
    assert_eq!(first["environment"], "message-0");
    assert!(second.get("initDurationMillis").is_none(), "{second}");
    assert!(first["startedAt"].as_str() <= second["startedAt"].as_str());
    assert_eq!(first["log"], json!([]));
    let consumer = Consumer::connect(&simulator.kafka).await;
    let records = consumer.records("ws.messages", 2).await;
    for invocation in [first, second] {
        let record = records
            .iter()
            .find(|it| it.value == invocation["event"]["body"].as_str().unwrap().as_bytes());
        let record = record.unwrap();
        let expected =
            json!({"topic": "ws.messages", "partition": record.partition, "offset": record.offset});
        assert_eq!(invocation["record"], expected);
    }
    let connect = &invocations(&simulator, "?function=connect").await[0];
    assert_eq!(connect["record"]["topic"], "ws.connections");
    simulator.stop().await;
}

#[tokio::test]
async fn invocations_are_listed_newest_first_up_to_the_limit() {
    let simulator = with_one_environment().start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    for id in 0..60 {
        client.ask(&format!(r#"{{"id":{id}}}"#)).await;
    }
    let bodies = async |query: &str| {
        let shown = invocations(&simulator, query).await;
        let body = |it: &Value| it["event"]["body"].as_str().unwrap_or("connect").to_owned();
        shown.iter().map(body).collect::<Vec<_>>()
    };
    eventually("the last invocation is in the history", async || {
        (bodies("?limit=1").await == [r#"{"id":59}"#]).then_some(())
    })
    .await;
    let all = bodies("?limit=1000").await;
    assert_eq!((all.len(), all.last().unwrap().as_str()), (61, "connect"));
    assert_eq!(bodies("").await, all[..50]);
    assert_eq!(
        bodies("?function=message&limit=2").await,
        [r#"{"id":59}"#, r#"{"id":58}"#]
    );
    assert_eq!(bodies("?limit=1&function=connect").await, ["connect"]);
    assert_eq!(bodies("?function=disconnect").await, [""; 0]);
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("function=nobody", "function"),
        ("since=1", "since"),
    ] {
        let url = format!("{}/api/invocations?{query}", simulator.console);
        let answer = tests::http::request("GET", &url, "").await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let expected = format!(r#"{{"message":"{name}: "#);
        assert!(answer.body.starts_with(&expected), "{answer:?}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn the_stream_reports_a_connection_from_open_to_close() {
    let simulator = Launch::default().start(&[]).await;
    let mut events = Events::open(&simulator).await;
    let mut client = Client::connect(&simulator.websocket).await;
    let opened = events
        .find("connection", |it| it["state"] == "opened")
        .await;
    let id = simulator.connection_ids().await.remove(0);
    assert_eq!(opened["connectionId"], id);
    client.ask("hello").await;
    let busy = |it: &Value| it["function"] == "message" && it["state"] == "busy";
    let busy = events.find("environment", busy).await;
    assert_eq!(busy["id"], "message-0");
    let requests = busy["requestIds"].as_array().unwrap().clone();
    assert_eq!(requests.len(), 1);
    let invocation = events
        .find("invocation", |it| it["function"] == "message")
        .await;
    assert_eq!(invocation["requestId"], requests[0]);
    assert_eq!(invocation["event"]["body"], "hello");
    assert_eq!(invocation["record"]["topic"], "ws.messages");
    let frozen = |it: &Value| it["id"] == "message-0" && it["state"] == "frozen";
    events.find("environment", frozen).await;
    client.close(3001, "enough").await;
    let closed = events
        .find("connection", |it| it["state"] == "closed")
        .await;
    assert_eq!(closed["connectionId"], id);
    assert_eq!(
        (&closed["code"], &closed["reason"]),
        (&json!(3001), &json!("enough"))
    );
    let disconnect = events
        .find("invocation", |it| it["function"] == "disconnect")
        .await;
    assert_eq!(disconnect["record"]["topic"], "ws.connections");
    simulator.stop().await;
}

#[tokio::test]
async fn the_number_of_stream_readers_is_limited() {
    let simulator = Launch::default().start(&[]).await;
    let mut readers = Vec::new();
    for _ in 0..STREAMS_MAX {
        readers.push(Events::open(&simulator).await);
    }
    let url = format!("{}/api/stream", simulator.console);
    let answer = tests::http::request("GET", &url, "").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(
        answer.body.contains("read the stream already"),
        "{answer:?}"
    );
    assert_eq!(simulator.connection_ids().await, [""; 0]);
    readers.pop();
    // Another reader is accepted as soon as one has disconnected: its response does not end.
    eventually("another reader is accepted", async || {
        let response = timeout(
            Duration::from_millis(100),
            tests::http::request("GET", &url, ""),
        );
        response.await.is_err().then_some(())
    })
    .await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_slow_stream_reader_gets_the_number_of_missed_events() {
    let simulator = Launch::default().start(&[]).await;
    let mut events = Events::open(&simulator).await;
    let mut client = Client::connect(&simulator.websocket).await;
    let text = json!({ "action": "chat", "text": "x".repeat(FLOOD_BYTES) }).to_string();
    for _ in 0..FLOOD {
        assert_eq!(client.ask(&text).await["type"], "ack");
    }
    let missed = events.find("missed", |_| true).await;
    assert!(missed["count"].as_u64() > Some(0), "{missed}");
    // After the gap the stream continues with the newest events.
    let read_all = async { while events.next().await.0 != "the end" {} };
    assert!(timeout(Duration::from_secs(1), read_all).await.is_err());
    client.ask("last").await;
    events
        .find("invocation", |it| it["event"]["body"] == "last")
        .await;
    simulator.stop().await;
}
