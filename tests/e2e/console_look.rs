//! What the console shows: connections, environments, invocations with their records, and all of it as it happens.

use std::time::Duration;

use serde_json::{Value, json};
use tests::client::Client;
use tests::console::Events;
use tests::consumer::Consumer;
use tests::path::Topics;
use tests::simulator::{Launch, Simulator};
use tests::wait::eventually;
use tokio::time::timeout;

/// With one environment, what is asked one after the other is over in the same order.
const ONE: &str = "functions: { message: { reservedConcurrentExecutions: 1 } }\n";

/// Readers of the stream that there may be.
const STREAMS_MAX: usize = 64;

/// Messages that fill the socket of who does not read, and its queue of changes.
const FLOOD: usize = 1500;
/// Of such a length that each is one frame still.
const FLOOD_BYTES: usize = 30_000;

fn one() -> Launch {
    Launch::default().contract(&(Topics::prefixed("").contract() + ONE))
}

fn names(object: &Value) -> Vec<&str> {
    let object = object.as_object().unwrap();
    object.keys().map(String::as_str).collect()
}

async fn invocations(simulator: &Simulator, query: &str) -> Vec<Value> {
    let shown = simulator.look(&format!("/api/invocations{query}")).await;
    shown["invocations"].as_array().unwrap().clone()
}

/// The last invocations of `message`, as soon as there are so many; an environment says that it is done after its
/// client has been answered.
async fn messages(simulator: &Simulator, count: usize) -> Vec<Value> {
    eventually("invocations of message", async || {
        let shown = invocations(simulator, "?function=message").await;
        (shown.len() == count).then_some(shown)
    })
    .await
}

#[tokio::test]
async fn connections_are_shown_as_long_as_they_are_open() {
    let simulator = Launch::default().start(&[]).await;
    assert_eq!(
        simulator.look("/api/connections").await,
        json!({ "connections": [] })
    );
    let named = [("user-agent", "someone")];
    let mut first = Client::open(&simulator.websocket, &named).await.unwrap();
    let second = Client::connect(&simulator.websocket).await;
    first.ask("hello").await;
    let shown = simulator.look("/api/connections").await;
    let [one, other] = &shown["connections"].as_array().unwrap()[..] else {
        panic!("{shown}");
    };
    assert_eq!(
        names(one),
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
    eventually("the end of the second", async || {
        (simulator.connection_ids().await == ids[..1]).then_some(())
    })
    .await;
    simulator.stop().await;
}

#[tokio::test]
async fn environments_are_shown_with_what_they_do() {
    let simulator = Launch::default().start(&[]).await;
    let environments = simulator.look("/api/environments").await;
    assert_eq!(environments, json!({ "environments": [] }));
    let mut client = Client::connect(&simulator.websocket).await;
    client.ask("hello").await;
    let shown = eventually("frozen environments", async || {
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
async fn invocations_are_shown_with_what_went_in_and_came_out_and_their_record() {
    let simulator = one().start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    for id in ["1", "2"] {
        client.ask(&format!(r#"{{"id":"{id}"}}"#)).await;
    }
    let shown = messages(&simulator, 2).await;
    let [second, first] = &shown[..] else {
        panic!("{shown:?}");
    };
    assert_eq!(
        names(first),
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
        let place =
            json!({"topic": "ws.messages", "partition": record.partition, "offset": record.offset});
        assert_eq!(invocation["record"], place);
    }
    let connect = &invocations(&simulator, "?function=connect").await[0];
    assert_eq!(connect["record"]["topic"], "ws.connections");
    simulator.stop().await;
}

#[tokio::test]
async fn the_newest_invocations_come_first_as_many_as_are_asked_for() {
    let simulator = one().start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    for id in 0..60 {
        client.ask(&format!(r#"{{"id":{id}}}"#)).await;
    }
    let bodies = async |query: &str| {
        let shown = invocations(&simulator, query).await;
        let body = |it: &Value| it["event"]["body"].as_str().unwrap_or("connect").to_owned();
        shown.iter().map(body).collect::<Vec<_>>()
    };
    eventually("the last invocation", async || {
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
async fn the_stream_tells_of_a_connection_from_its_opening_to_its_end() {
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
async fn readers_of_the_stream_leave_room_for_others() {
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
    // Whoever wants to read has a place as soon as somebody has left.
    eventually("a place", async || {
        let opened = timeout(
            Duration::from_millis(100),
            tests::http::request("GET", &url, ""),
        );
        opened.await.is_err().then_some(())
    })
    .await;
    simulator.stop().await;
}

#[tokio::test]
async fn who_reads_the_stream_too_slowly_is_told_how_much_is_missing() {
    let simulator = Launch::default().start(&[]).await;
    let mut events = Events::open(&simulator).await;
    let mut client = Client::connect(&simulator.websocket).await;
    let text = json!({ "action": "chat", "text": "x".repeat(FLOOD_BYTES) }).to_string();
    for _ in 0..FLOOD {
        assert_eq!(client.ask(&text).await["type"], "ack");
    }
    let missed = events.find("missed", |_| true).await;
    assert!(missed["count"].as_u64() > Some(0), "{missed}");
    // It goes on with what is newest.
    let read_all = async { while events.next().await.0 != "the end" {} };
    assert!(timeout(Duration::from_secs(1), read_all).await.is_err());
    client.ask("last").await;
    events
        .find("invocation", |it| it["event"]["body"] == "last")
        .await;
    simulator.stop().await;
}
