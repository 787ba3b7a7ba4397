//! Controlling connections and environments with the console.

use std::{pin::pin, time::Duration};

use serde_json::{Value, json};
use tests::{
    client::{Client, Silence},
    console::Events,
    consumer::Consumer,
    http::{connection_url, signed},
    raw::{Raw, close_code},
    simulator::{Launch, Simulator},
    wait::eventually,
};
use tokio::time::timeout;

/// How long a client waits to show that no message comes.
const QUIET: Duration = Duration::from_millis(300);
/// The idle timeout of a connection.
const IDLE_SECONDS: u64 = 600;
/// Posts of the largest size: more than the gateway's queue holds.
const POSTS_MAX: usize = 500;

/// Returns a simulator, a connected client and its connection id.
async fn connected() -> (Simulator, Client, String) {
    let simulator = Launch::default().start(&[]).await;
    let client = Client::connect(&simulator.websocket).await;
    let id = simulator.connection_ids().await.remove(0);
    (simulator, client, id)
}

fn path(id: &str) -> String {
    format!("/api/connections/{id}")
}

/// Checks the code and the reason that `$disconnect` recorded for a connection.
async fn check_disconnect(simulator: &Simulator, code: u16, reason: &str) {
    let consumer = Consumer::connect(&simulator.kafka).await;
    let record = consumer.records("ws.connections", 2).await[1].json();
    assert_eq!(record["disconnectStatusCode"], code);
    // An empty reason is omitted from the record.
    let recorded = record["disconnectReason"].as_str().unwrap_or_default();
    assert_eq!(recorded, reason);
}

#[tokio::test]
async fn a_connection_can_be_closed_with_any_valid_code_and_reason() {
    for (code, reason) in [
        (1001, "Going away"),
        (1013, ""),
        (4999, "ž".repeat(61).as_str()),
    ] {
        let (simulator, mut client, id) = connected().await;
        let body = json!({"action": "close", "code": code, "reason": reason});
        let shown = simulator.act(&path(&id), body.clone()).await;
        assert_eq!(shown["connectionId"], id);
        assert_eq!(client.closed().await, code);
        check_disconnect(&simulator, code, reason).await;
        assert_eq!(simulator.connection_ids().await, [""; 0]);
        let (status, message) = simulator.refused(&path(&id), body).await;
        assert_eq!(status, 404);
        assert!(message.contains(&id), "{message}");
        simulator.stop().await;
    }
}

#[tokio::test]
async fn a_close_code_that_many_clients_do_not_know_is_sent_unchanged() {
    let simulator = Launch::default().start(&[]).await;
    let raw = Raw::open(&simulator.websocket).await;
    let id = simulator.connection_ids().await.remove(0);
    let body = json!({"action": "close", "code": 1014});
    simulator.act(&path(&id), body).await;
    assert_eq!(close_code(&raw.rest().await), Some(1014));
    simulator.stop().await;
}

#[tokio::test]
async fn an_invalid_connection_action_is_refused_with_the_fields_name() {
    let (simulator, mut client, id) = connected().await;
    let long = "x".repeat(124);
    for (body, name) in [
        (json!({}), "action"),
        (json!({"action": "end"}), "action"),
        (json!({"action": "close"}), "code"),
        (json!({"action": "close", "code": 1005}), "code"),
        (json!({"action": "close", "code": 1006}), "code"),
        (json!({"action": "close", "code": 5000}), "code"),
        (
            json!({"action": "close", "code": 1000, "reason": long}),
            "reason",
        ),
        (json!({"action": "unplug", "code": 1000}), "code"),
        (json!([]), "the body is not a JSON object"),
    ] {
        let (status, message) = simulator.refused(&path(&id), body).await;
        assert_eq!(status, 400, "{message}");
        assert!(message.starts_with(name), "{message}");
    }
    for id in ["nobody", "", "R1kmxc2VNjMCFIA="] {
        let (status, _) = simulator
            .refused(&path(id), json!({"action": "unplug"}))
            .await;
        assert_eq!(status, 404);
    }
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    simulator.stop().await;
}

#[tokio::test]
async fn an_unplugged_connection_is_silent_both_ways_until_its_idle_timeout() {
    let (simulator, mut client, id) = connected().await;
    let mut events = Events::open(&simulator).await;
    // Ids in paths may be percent-encoded.
    let encoded = id.replace('=', "%3D");
    let shown = simulator
        .act(&path(&encoded), json!({"action": "unplug"}))
        .await;
    assert_eq!(shown["unplugged"], true);
    events
        .find("connection", |it| it["state"] == "unplugged")
        .await;
    // The client gets no answer, and its message is not stored.
    assert_eq!(
        client.try_ask(r#"{"id":1}"#, QUIET).await,
        Err(Silence::Late)
    );
    let consumer = Consumer::connect(&simulator.kafka).await;
    consumer.records("ws.messages", 0).await;
    // Unplugging twice has the same effect as once.
    simulator.act(&path(&id), json!({"action": "unplug"})).await;
    simulator.advance(IDLE_SECONDS).await;
    check_disconnect(&simulator, 1006, "Connection lost").await;
    let closed = events
        .find("connection", |it| it["state"] == "closed")
        .await;
    assert_eq!(
        (&closed["code"], &closed["unplugged"]),
        (&json!(1006), &json!(true))
    );
    assert_eq!(simulator.connection_ids().await, [""; 0]);
    // The client cannot notice that the connection was closed.
    assert_eq!(
        client.try_ask(r#"{"id":2}"#, QUIET).await,
        Err(Silence::Late)
    );
    assert_eq!(simulator.sockets(), 1);
    simulator.act("/api/reset", json!({})).await;
    assert_eq!(
        client.try_ask(r#"{"id":3}"#, QUIET).await,
        Err(Silence::Ended)
    );
    assert_eq!(simulator.sockets(), 0);
    simulator.stop().await;
}

#[tokio::test]
async fn posts_to_an_unplugged_connection_are_accepted_until_its_queue_is_full() {
    let (simulator, client, id) = connected().await;
    simulator.act(&path(&id), json!({"action": "unplug"})).await;
    let url = connection_url(&simulator.connections, &id);
    let text = "x".repeat(100 * 1024);
    let mut statuses = Vec::new();
    while statuses.last().is_none_or(|it| *it == 200) && statuses.len() < POSTS_MAX {
        statuses.push(signed("POST", &url, &text).await.status);
    }
    // Nothing is written to the socket, so exactly as many posts fit as the queue has room for.
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
    assert_eq!(signed("GET", &url, "").await.status, 200);
    assert_eq!(signed("DELETE", &url, "").await.status, 204);
    assert_eq!(signed("GET", &url, "").await.status, 410);
    check_disconnect(&simulator, 1000, "Connection Closed Normally").await;
    drop(client);
    assert_eq!(simulator.sockets(), 1);
    simulator.stop().await;
}

#[tokio::test]
async fn an_unplugged_client_gets_no_close_frame_and_no_fin() {
    let simulator = Launch::default().start(&[]).await;
    let raw = Raw::open(&simulator.websocket).await;
    let id = simulator.connection_ids().await.remove(0);
    simulator.act(&path(&id), json!({"action": "unplug"})).await;
    let closed = json!({"action": "close", "code": 1001});
    simulator.act(&path(&id), closed).await;
    check_disconnect(&simulator, 1001, "").await;
    let mut rest = pin!(raw.rest());
    assert!(timeout(QUIET, &mut rest).await.is_err());
    simulator.act("/api/reset", json!({})).await;
    assert_eq!(rest.await, b"");
    simulator.stop().await;
}

#[tokio::test]
async fn a_reset_closes_only_unplugged_connections() {
    let (simulator, mut client, id) = connected().await;
    let mut other = Client::connect(&simulator.websocket).await;
    simulator.act(&path(&id), json!({"action": "unplug"})).await;
    simulator.advance(IDLE_SECONDS / 2).await;
    simulator.act("/api/reset", json!({})).await;
    assert_eq!(client.try_ask("hello", QUIET).await, Err(Silence::Ended));
    let consumer = Consumer::connect(&simulator.kafka).await;
    let records = consumer.records("ws.connections", 3).await;
    let disconnect = records
        .iter()
        .find(|it| it.header("ce_id").ends_with(":disconnect"));
    assert_eq!(disconnect.unwrap().json()["disconnectStatusCode"], 1006);
    // A reset does not turn the clock back.
    assert_eq!(
        simulator.look("/api/time").await["advanced"],
        IDLE_SECONDS as f64 / 2.0
    );
    assert_eq!(other.ask(r#"{"id":1}"#).await["type"], "ack");
    simulator.stop().await;
}

#[tokio::test]
async fn an_ended_environment_is_replaced() {
    let (simulator, mut client, _) = connected().await;
    client.ask("hello").await;
    let process = simulator.function("message").remove(0);
    let ended = simulator
        .act("/api/environments/message-0", json!({"action": "end"}))
        .await;
    let expected = json!({
        "id": "message-0", "function": "message", "state": "gone", "stopped": false, "requestIds": [],
    });
    assert_eq!(ended, expected);
    eventually("the process exits", async || {
        (!process.is_alive()).then_some(())
    })
    .await;
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    eventually("a new environment replaces message-0", async || {
        let shown = simulator.look("/api/environments").await;
        let ids = shown["environments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["id"]);
        (Vec::from_iter(ids) == ["connect-0", "message-1"]).then_some(())
    })
    .await;
    for (id, body, status, name) in [
        ("message-0", json!({"action": "end"}), 404, "message-0"),
        ("message-01", json!({"action": "end"}), 404, "message-01"),
        ("nobody-0", json!({"action": "thaw"}), 404, "nobody-0"),
        ("message", json!({"action": "freeze"}), 404, "message"),
        ("message-1", json!({"action": "kill"}), 400, "action"),
        ("message-1", json!({}), 400, "action"),
        (
            "message-1",
            json!({"action": "end", "now": true}),
            400,
            "now",
        ),
    ] {
        let (found, message) = simulator
            .refused(&format!("/api/environments/{id}"), body)
            .await;
        assert_eq!(found, status, "{message}");
        assert!(message.contains(name), "{message}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_reset_thaws_environments_and_clears_the_invocation_history() {
    let (simulator, mut client, _) = connected().await;
    client.ask("hello").await;
    simulator.idle("message-0").await;
    let process = simulator.function("message").remove(0);
    let frozen = simulator
        .act("/api/environments/message-0", json!({"action": "freeze"}))
        .await;
    assert_eq!(frozen["stopped"], true);
    assert_eq!(
        client.try_ask(r#"{"id":1}"#, QUIET).await,
        Err(Silence::Late)
    );
    simulator.act("/api/reset", json!({})).await;
    assert_eq!(client.next_json().await["id"], 1);
    let is_resumed = |it: &Value| it["environment"] == "message-0";
    let shown = eventually("the resumed invocation is in the history", async || {
        let shown = simulator.look("/api/invocations").await["invocations"].take();
        let all = shown.as_array().unwrap().clone();
        all.iter().any(is_resumed).then_some(all)
    })
    .await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(process.is_alive());
    let (status, message) = simulator.refused("/api/reset", json!({"all": true})).await;
    assert_eq!(
        (status, message.as_str()),
        (400, "all: unknown field (expected an empty object)")
    );
    simulator.stop().await;
}
