//! Trouble on demand, by `/api/faults` and by `--faults`.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::client::{Client, Silence};
use tests::consumer::Consumer;
use tests::path::Topics;
use tests::simulator::{Launch, Simulator};
use tests::wait::eventually;

use crate::routes::check_frame;

const FAULTS: &str = "/api/faults";
/// How long a client waits for what must not come.
const QUIET: Duration = Duration::from_millis(500);
/// With this seed, of five messages that wait at random the order is this one, by wide margins.
const SEED: u32 = 104;
const ORDER: [u64; 5] = [1, 4, 3, 2, 0];

/// A contract without a mapping, which would be struck by the broker's faults as well.
fn launch() -> Launch {
    Launch::default().contract(&Topics::prefixed("").contract())
}

/// A simulator, and a client whose function runs already.
async fn warm() -> (Simulator, Client) {
    warmed(launch()).await
}

async fn warmed(launch: Launch) -> (Simulator, Client) {
    let simulator = launch.start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(client.ask(r#"{"id":"warm"}"#).await["type"], "ack");
    (simulator, client)
}

fn of_message(faults: &Value) -> Value {
    json!({ "functions": { "message": faults } })
}

/// Whether each of so many messages is throttled.
async fn throttled(client: &mut Client, count: usize) -> Vec<bool> {
    let mut throttled = Vec::new();
    for _ in 0..count {
        throttled.push(client.ask("hello").await["type"] != "ack");
    }
    throttled
}

#[tokio::test]
async fn the_next_invocations_are_throttled_and_then_no_more() {
    let (simulator, mut client) = warm().await;
    let faults = of_message(&json!({ "throttle": { "next": 2 } }));
    let shown = simulator.act(FAULTS, faults).await;
    let in_force = json!({"seed": 0, "functions": {"message": {"throttle": {"next": 2}}}});
    assert_eq!(shown, in_force);
    client.send("hello").await;
    check_frame(&client.next().await, "Internal server error");
    let shown = simulator.look(FAULTS).await;
    assert_eq!(
        shown["functions"]["message"]["throttle"],
        json!({"next": 1})
    );
    client.send("hello").await;
    check_frame(&client.next().await, "Internal server error");
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    assert_eq!(simulator.look(FAULTS).await, json!({"seed": 0}));
    simulator.stop().await;
}

#[tokio::test]
async fn a_fault_that_always_strikes_does_until_it_is_ended() {
    let (simulator, mut client) = warm().await;
    simulator
        .act(FAULTS, of_message(&json!({"throttle": {}})))
        .await;
    assert_eq!(throttled(&mut client, 3).await, [true; 3]);
    // Of what is not named nothing changes.
    let shown = simulator
        .act(FAULTS, json!({"gateway": {"reorder": {"millis": 1}}}))
        .await;
    let expected = json!({
        "seed": 0, "functions": {"message": {"throttle": {}}}, "gateway": {"reorder": {"millis": 1}},
    });
    assert_eq!(shown, expected);
    simulator
        .act(FAULTS, of_message(&json!({"throttle": null})))
        .await;
    assert_eq!(throttled(&mut client, 2).await, [false; 2]);
    simulator.stop().await;
}

#[tokio::test]
async fn a_share_is_chosen_by_the_seed() {
    let (simulator, mut client) = warm().await;
    let faults = of_message(&json!({"throttle": {"share": 0.5}}));
    simulator.act(FAULTS, faults.clone()).await;
    let by_zero = throttled(&mut client, 20).await;
    let count = by_zero.iter().filter(|it| **it).count();
    assert!((3..18).contains(&count), "{by_zero:?}");
    // A seed begins anew what is in force, and so does the fault itself.
    simulator.act(FAULTS, json!({"seed": 0})).await;
    assert_eq!(throttled(&mut client, 20).await, by_zero);
    simulator.act(FAULTS, faults).await;
    assert_eq!(throttled(&mut client, 20).await, by_zero);
    let shown = simulator.act(FAULTS, json!({"seed": 8})).await;
    assert_eq!(shown["seed"], 8);
    assert_ne!(throttled(&mut client, 20).await, by_zero);
    simulator.stop().await;
}

#[tokio::test]
async fn a_cold_start_is_forced_and_shown() {
    // There is one environment at a time, so no other start is cold.
    let one = "functions: { message: { reservedConcurrentExecutions: 1 } }\n";
    let contract = Topics::prefixed("").contract() + one;
    let (simulator, mut client) = warmed(Launch::default().contract(&contract)).await;
    simulator
        .act(FAULTS, of_message(&json!({"coldStart": {"next": 1}})))
        .await;
    for id in 1..=2 {
        assert_eq!(
            client.ask(&format!(r#"{{"id":{id}}}"#)).await["type"],
            "ack"
        );
    }
    let shown = eventually("three invocations", async || {
        let shown = simulator.look("/api/invocations?function=message").await;
        let shown = shown["invocations"].as_array().unwrap().clone();
        (shown.len() == 3).then_some(shown)
    })
    .await;
    let is_cold = |it: &Value| it.get("initDurationMillis").is_some();
    assert_eq!(
        shown.iter().map(is_cold).collect::<Vec<_>>(),
        [false, true, true]
    );
    assert_eq!(shown[1]["environment"], "message-1");
    simulator.stop().await;
}

#[tokio::test]
async fn an_invocation_is_late() {
    let (simulator, mut client) = warm().await;
    simulator
        .act(
            FAULTS,
            of_message(&json!({"latency": {"millis": 800, "next": 1}})),
        )
        .await;
    let start = Instant::now();
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    assert!(
        start.elapsed() >= Duration::from_millis(800),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(simulator.look(FAULTS).await, json!({"seed": 0}));
    simulator.stop().await;
}

#[tokio::test]
async fn whoever_waits_goes_on_when_the_fault_is_over() {
    let (simulator, mut client) = warm().await;
    let latency = of_message(&json!({"latency": {"millis": 60_000}}));
    let once = of_message(&json!({"latency": {"millis": 60_000, "next": 1}}));
    let reorder = json!({"seed": SEED, "gateway": {"reorder": {"millis": 29_000}}});
    let none = of_message(&json!({"latency": null}));
    let not_reordered = json!({"gateway": {"reorder": null}});
    for (faults, path, end) in [
        (&latency, "/api/reset", json!({})),
        (&once, "/api/reset", json!({})),
        (&latency, FAULTS, none),
        (&reorder, "/api/reset", json!({})),
        (&reorder, FAULTS, not_reordered),
    ] {
        simulator.act(FAULTS, faults.clone()).await;
        let late = client.try_ask(r#"{"id":1}"#, QUIET).await;
        assert_eq!(late, Err(Silence::Late), "{faults}");
        simulator.act(path, end).await;
        let start = Instant::now();
        assert_eq!(client.next_json().await["type"], "ack");
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_secs(5), "{faults}: {elapsed:?}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn messages_overtake_each_other_in_the_seeds_order() {
    let (simulator, mut client) = warm().await;
    let faults = json!({"seed": SEED, "gateway": {"reorder": {"millis": 1500}}});
    for _ in 0..2 {
        simulator.act(FAULTS, faults.clone()).await;
        for id in 0..5 {
            client.send(&format!(r#"{{"id":{id}}}"#)).await;
        }
        let mut order = Vec::new();
        for _ in 0..5 {
            order.push(client.next_json().await["id"].as_u64().unwrap());
        }
        assert_eq!(order, ORDER);
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_disconnect_does_not_run_and_the_next_one_does() {
    let (simulator, client) = warm().await;
    let other = Client::connect(&simulator.websocket).await;
    let ids = simulator.connection_ids().await;
    simulator
        .act(FAULTS, json!({"gateway": {"dropDisconnect": {"next": 1}}}))
        .await;
    client.close(1000, "").await;
    other.close(1000, "").await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let records = consumer.records("ws.connections", 3).await;
    let disconnects = records.iter().map(|it| it.header("ce_id"));
    let disconnects: Vec<&str> = disconnects
        .filter(|it| it.ends_with(":disconnect"))
        .collect();
    assert_eq!(disconnects, [format!("{}:disconnect", ids[1])]);
    simulator
        .says(&format!("the $disconnect of {} does not run", ids[0]))
        .await;
    simulator.stop().await;
}

/// Checks that while the broker has a fault messages wait, and that all is well once it is over.
async fn check_broker(fault: &str) {
    let (simulator, mut client) = warm().await;
    simulator.act(FAULTS, json!({"kafka": {fault: {}}})).await;
    assert_eq!(
        client.try_ask(r#"{"id":1}"#, QUIET).await,
        Err(Silence::Late)
    );
    let shown = simulator.look(FAULTS).await;
    assert_eq!(shown, json!({"seed": 0, "kafka": {fault: {}}}));
    simulator.act(FAULTS, json!({"kafka": {fault: null}})).await;
    assert_eq!(client.next_json().await, json!({"type": "ack", "id": 1}));
    assert_eq!(
        client.ask(r#"{"id":2}"#).await,
        json!({"type": "ack", "id": 2})
    );
    simulator.stop().await;
}

#[tokio::test]
async fn a_broker_that_was_silent_is_well_again() {
    check_broker("silent").await;
}

#[tokio::test]
async fn what_is_shown_can_be_put_in_force() {
    let (simulator, mut client) = warm().await;
    // Waits until the function is connected to the leader of its other topic, a request that the fault could strike.
    client.ask(r#"{"action":"chat","id":"warm"}"#).await;
    let once = json!({"kafka": {"silent": {"next": 1}}});
    simulator.act(FAULTS, once).await;
    let late = client.try_ask(r#"{"id":1}"#, QUIET).await;
    assert_eq!(late, Err(Silence::Late));
    let shown = simulator.look(FAULTS).await;
    assert_eq!(shown, json!({"seed": 0, "kafka": {"silent": {"next": 0}}}));
    // It is another silence, which strikes nobody.
    assert_eq!(simulator.act(FAULTS, shown.clone()).await, shown);
    assert_eq!(client.next_json().await["id"], 1);
    assert_eq!(client.ask(r#"{"id":2}"#).await["type"], "ack");
    simulator.stop().await;
}

#[tokio::test]
async fn a_broker_that_closed_connections_is_well_again() {
    check_broker("closed").await;
}

#[tokio::test]
async fn a_broker_without_leaders_is_well_again() {
    check_broker("leaderless").await;
}

#[tokio::test]
async fn a_broker_that_is_slow_answers_late() {
    let (simulator, mut client) = warm().await;
    simulator
        .act(FAULTS, json!({"kafka": {"slow": {"millis": 700}}}))
        .await;
    let start = Instant::now();
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    assert!(
        start.elapsed() >= Duration::from_millis(700),
        "{:?}",
        start.elapsed()
    );
    simulator.stop().await;
}

#[tokio::test]
async fn a_broker_that_throttles_stores_records_and_has_the_next_ones_wait() {
    let (simulator, mut client) = warm().await;
    let throttling = json!({"kafka": {"throttling": {"millis": 1500, "next": 1}}});
    simulator.act(FAULTS, throttling).await;
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    let start = Instant::now();
    assert_eq!(client.ask(r#"{"id":2}"#).await["type"], "ack");
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    let consumer = Consumer::connect(&simulator.kafka).await;
    consumer.records("ws.messages", 3).await;
    simulator.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_whole() {
    let simulator = Launch::default().start(&[]).await;
    for (faults, path) in [
        (json!({"speed": 1}), "speed"),
        (json!({"functions": {"nobody": {}}}), "functions.nobody"),
        (
            of_message(&json!({"throttle": {"next": -1}})),
            "functions.message.throttle.next",
        ),
        (
            of_message(&json!({"latency": {"millis": "800"}})),
            "functions.message.latency.millis",
        ),
        (
            json!({"kafka": {"slow": {"millis": 1, "share": 2}}}),
            "kafka.slow.share",
        ),
        (
            json!({"gateway": {"reorder": {"millis": 50}, "drop": {}}}),
            "gateway.drop",
        ),
    ] {
        let mut all = json!({"seed": 7, "gateway": {"dropDisconnect": {}}});
        for (name, value) in faults.as_object().unwrap() {
            all[name] = value.clone();
        }
        let (status, message) = simulator.refused(FAULTS, all).await;
        assert_eq!(status, 400);
        assert!(message.starts_with(&format!("{path}: ")), "{message}");
        assert!(message.contains(" (expected "), "{message}");
    }
    assert_eq!(simulator.look(FAULTS).await, json!({"seed": 0}));
    simulator.stop().await;
}

/// A file of faults.
fn file(yaml: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("faults.yaml");
    fs::write(&path, yaml).unwrap();
    (folder, path)
}

#[tokio::test]
async fn a_file_of_faults_is_in_force_from_the_start_and_again_after_a_reset() {
    let (_folder, path) = file(
        "
seed: 7   # of every choice by chance
functions:
  message:
    throttle: { share: 0.5 }
gateway:
  dropDisconnect: { next: 3 }
",
    );
    let start = || launch().option("--faults", path.to_str().unwrap());
    let in_force = json!({
        "seed": 7,
        "functions": {"message": {"throttle": {"share": 0.5}}},
        "gateway": {"dropDisconnect": {"next": 3}},
    });
    let mut runs = Vec::new();
    for _ in 0..2 {
        let simulator = start().start(&[]).await;
        assert_eq!(simulator.look(FAULTS).await, in_force);
        let mut client = Client::connect(&simulator.websocket).await;
        runs.push(throttled(&mut client, 16).await);
        client.close(1000, "").await;
        let shown = simulator
            .act(FAULTS, json!({"seed": 9, "kafka": {"slow": {"millis": 1}}}))
            .await;
        assert_eq!(shown["gateway"]["dropDisconnect"], json!({"next": 2}));
        assert_eq!(simulator.act("/api/reset", json!({})).await, in_force);
        let mut client = Client::connect(&simulator.websocket).await;
        runs.push(throttled(&mut client, 16).await);
        simulator.stop().await;
    }
    assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
}

#[tokio::test]
async fn a_broker_that_is_in_trouble_from_the_start_is_no_obstacle_to_it() {
    let (_folder, path) = file("kafka: { closed: {} }");
    // This contract has a mapping, too.
    let launch = Launch::default().option("--faults", path.to_str().unwrap());
    let simulator = launch.start(&[]).await;
    simulator
        .act(FAULTS, json!({"kafka": {"closed": null}}))
        .await;
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    simulator.stop().await;
}

#[tokio::test]
async fn another_broker_is_given_no_faults() {
    let broker = launch().start(&[]).await;
    let simulator = launch().kafka(&broker.kafka).start(&[]).await;
    let (status, message) = simulator
        .refused(FAULTS, json!({"kafka": {"silent": {}}}))
        .await;
    assert_eq!(status, 400);
    assert!(
        message.starts_with("kafka: ") && message.contains("--kafka"),
        "{message}"
    );
    // The rest is there all the same, and an invocation has no record that could be found.
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    let shown = simulator.look("/api/invocations?function=connect").await;
    assert!(shown["invocations"][0].get("record").is_none(), "{shown}");
    simulator.stop().await;
    broker.stop().await;
}
