//! Fault injection with `/api/faults` and `--faults`.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    client::{Client, Silence},
    consumer::Consumer,
    path::Topics,
    simulator::{Launch, Simulator},
    wait::eventually,
};

use crate::routes::check_error_frame;

const FAULTS: &str = "/api/faults";
/// How long a client waits to show that no answer comes.
const QUIET: Duration = Duration::from_millis(500);
/// A seed whose random delays put five messages into [`ORDER`], by wide margins.
const SEED: u32 = 104;
/// The order of five messages under [`SEED`].
const ORDER: [u64; 5] = [1, 4, 3, 2, 0];

/// Uses a contract without a mapping, since a mapping would use up the broker's faults too.
fn launch() -> Launch {
    Launch::default().contract(&Topics::prefixed("").contract())
}

/// Returns a simulator, and a client whose message function is warm.
async fn warm() -> (Simulator, Client) {
    warm_with(launch()).await
}

async fn warm_with(launch: Launch) -> (Simulator, Client) {
    let simulator = launch.start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(client.ask(r#"{"id":"warm"}"#).await["type"], "ack");
    (simulator, client)
}

fn message_faults(faults: &Value) -> Value {
    json!({ "functions": { "message": faults } })
}

/// Sends `count` messages, and returns for each whether it was throttled.
async fn throttled(client: &mut Client, count: usize) -> Vec<bool> {
    let mut throttled = Vec::new();
    for _ in 0..count {
        throttled.push(client.ask("hello").await["type"] != "ack");
    }
    throttled
}

#[tokio::test]
async fn only_the_next_invocations_are_throttled() {
    let (simulator, mut client) = warm().await;
    let faults = message_faults(&json!({ "throttle": { "next": 2 } }));
    let shown = simulator.act(FAULTS, faults).await;
    let in_force = json!({"seed": 0, "functions": {"message": {"throttle": {"next": 2}}}});
    assert_eq!(shown, in_force);
    client.send("hello").await;
    check_error_frame(&client.next().await, "Internal server error");
    let shown = simulator.look(FAULTS).await;
    assert_eq!(
        shown["functions"]["message"]["throttle"],
        json!({"next": 1})
    );
    client.send("hello").await;
    check_error_frame(&client.next().await, "Internal server error");
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    assert_eq!(simulator.look(FAULTS).await, json!({"seed": 0}));
    simulator.stop().await;
}

#[tokio::test]
async fn a_fault_without_a_limit_lasts_until_it_is_removed() {
    let (simulator, mut client) = warm().await;
    simulator
        .act(FAULTS, message_faults(&json!({"throttle": {}})))
        .await;
    assert_eq!(throttled(&mut client, 3).await, [true; 3]);
    // Faults that the request does not name stay unchanged.
    let shown = simulator
        .act(FAULTS, json!({"gateway": {"reorder": {"millis": 1}}}))
        .await;
    let expected = json!({
        "seed": 0, "functions": {"message": {"throttle": {}}}, "gateway": {"reorder": {"millis": 1}},
    });
    assert_eq!(shown, expected);
    simulator
        .act(FAULTS, message_faults(&json!({"throttle": null})))
        .await;
    assert_eq!(throttled(&mut client, 2).await, [false; 2]);
    simulator.stop().await;
}

#[tokio::test]
async fn the_seed_decides_which_share_is_affected() {
    let (simulator, mut client) = warm().await;
    let faults = message_faults(&json!({"throttle": {"share": 0.5}}));
    simulator.act(FAULTS, faults.clone()).await;
    let with_seed_zero = throttled(&mut client, 20).await;
    let count = with_seed_zero.iter().filter(|it| **it).count();
    assert!((3..18).contains(&count), "{with_seed_zero:?}");
    // Setting the seed restarts the random choices of the active faults; so does setting a fault.
    simulator.act(FAULTS, json!({"seed": 0})).await;
    assert_eq!(throttled(&mut client, 20).await, with_seed_zero);
    simulator.act(FAULTS, faults).await;
    assert_eq!(throttled(&mut client, 20).await, with_seed_zero);
    let shown = simulator.act(FAULTS, json!({"seed": 8})).await;
    assert_eq!(shown["seed"], 8);
    assert_ne!(throttled(&mut client, 20).await, with_seed_zero);
    simulator.stop().await;
}

#[tokio::test]
async fn a_cold_start_can_be_forced() {
    // With one environment at a time, no other cold start happens.
    let functions = "functions: { message: { reservedConcurrentExecutions: 1 } }\n";
    let contract = Topics::prefixed("").contract() + functions;
    let (simulator, mut client) = warm_with(Launch::default().contract(&contract)).await;
    simulator
        .act(FAULTS, message_faults(&json!({"coldStart": {"next": 1}})))
        .await;
    for id in 1..=2 {
        assert_eq!(
            client.ask(&format!(r#"{{"id":{id}}}"#)).await["type"],
            "ack"
        );
    }
    let shown = eventually("three invocations are in the history", async || {
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
async fn an_invocation_can_be_delayed() {
    let (simulator, mut client) = warm().await;
    simulator
        .act(
            FAULTS,
            message_faults(&json!({"latency": {"millis": 800, "next": 1}})),
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
async fn delayed_messages_continue_when_the_fault_is_removed() {
    let (simulator, mut client) = warm().await;
    let latency = message_faults(&json!({"latency": {"millis": 60_000}}));
    let once = message_faults(&json!({"latency": {"millis": 60_000, "next": 1}}));
    let reorder = json!({"seed": SEED, "gateway": {"reorder": {"millis": 29_000}}});
    let none = message_faults(&json!({"latency": null}));
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
async fn the_seed_decides_the_order_of_reordered_messages() {
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
async fn a_dropped_disconnect_does_not_run_and_the_next_one_does() {
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

/// Checks that messages wait while the broker has this fault, and continue without it.
async fn check_broker_recovers(fault: &str) {
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
async fn messages_wait_for_a_silent_broker_to_recover() {
    check_broker_recovers("silent").await;
}

#[tokio::test]
async fn the_faults_that_are_shown_can_be_posted_back() {
    let (simulator, mut client) = warm().await;
    let once = json!({"kafka": {"silent": {"next": 1}}});
    simulator.act(FAULTS, once).await;
    client.send(r#"{"id":1}"#).await;
    // On a busy machine the fault may strike another environment, which starts and connects.
    let used_up = json!({"seed": 0, "kafka": {"silent": {"next": 0}}});
    let shown = eventually("the fault has struck", async || {
        let shown = simulator.look(FAULTS).await;
        (shown == used_up).then_some(shown)
    })
    .await;
    // Posting replaces the silence with one that is used up, so the waiting request goes on.
    assert_eq!(simulator.act(FAULTS, shown.clone()).await, shown);
    assert_eq!(client.next_json().await["id"], 1);
    assert_eq!(client.ask(r#"{"id":2}"#).await["type"], "ack");
    simulator.stop().await;
}

#[tokio::test]
async fn messages_wait_for_a_broker_that_closes_connections_to_recover() {
    check_broker_recovers("closed").await;
}

#[tokio::test]
async fn messages_wait_for_partitions_to_have_leaders_again() {
    check_broker_recovers("leaderless").await;
}

#[tokio::test]
async fn a_slow_broker_delays_acknowledgements() {
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
async fn a_throttling_broker_stores_the_record_and_delays_the_next() {
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
async fn one_invalid_fault_refuses_the_whole_request() {
    let simulator = Launch::default().start(&[]).await;
    for (faults, path) in [
        (json!({"speed": 1}), "speed"),
        (json!({"functions": {"nobody": {}}}), "functions.nobody"),
        (
            message_faults(&json!({"throttle": {"next": -1}})),
            "functions.message.throttle.next",
        ),
        (
            message_faults(&json!({"latency": {"millis": "800"}})),
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

/// Writes a faults file.
fn faults_file(yaml: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("faults.yaml");
    fs::write(&path, yaml).unwrap();
    (folder, path)
}

#[tokio::test]
async fn a_faults_file_applies_at_the_start_and_again_after_a_reset() {
    let (_folder, path) = faults_file(
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
async fn the_simulator_starts_with_a_faulty_broker() {
    let (_folder, path) = faults_file("kafka: { closed: {} }");
    // The default contract has a mapping, which must start as well.
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
async fn kafka_faults_are_refused_for_an_external_broker() {
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
    // Messages still work. Invocations show no record: the console does not read external brokers.
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    let shown = simulator.look("/api/invocations?function=connect").await;
    assert!(shown["invocations"][0].get("record").is_none(), "{shown}");
    simulator.stop().await;
    broker.stop().await;
}
