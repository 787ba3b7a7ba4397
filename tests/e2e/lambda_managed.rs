//! Managed Instances: one environment runs many invocations concurrently.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;
use tests::{client::Client, simulator::Launch, wait::eventually};

/// Concurrent messages: fewer than `maxConcurrency`.
const CLIENTS: usize = 40;

/// Connections of one Kafka client: one for metadata, one to the partition's leader.
const CONNECTIONS_MAX: usize = 2;

/// Much longer than the grace period before other functions are frozen.
const NEVER_FROZEN_FOR: Duration = Duration::from_millis(300);

#[tokio::test]
async fn one_process_with_one_kafka_client_handles_concurrent_messages() {
    let broker = Launch::default()
        .option("--partitions", "1")
        .start(&[])
        .await;
    let contract = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: message, topic: ws.messages, routeResponse: true }
functions: { message: { maxConcurrency: 64 } }
";
    let launch = Launch::default().contract(contract).kafka(&broker.kafka);
    let simulator = launch.start(&[]).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Client::connect(&simulator.websocket).await;
        assert_eq!(client.ask("{}").await["type"], "ack");
        clients.push(client);
    }
    // The broker acknowledges nothing while it is stopped.
    broker.signal(Signal::STOP);
    for client in &mut clients {
        client.send("{}").await;
    }
    eventually("every invocation has begun", async || {
        let begun = simulator.stderr().matches(" | START RequestId: ").count();
        (begun == 2 * CLIENTS).then_some(())
    })
    .await;
    let processes = simulator.function("release/message");
    assert_eq!(processes.len(), 1, "{processes:?}");
    let connections = processes[0].connections(&broker.kafka);
    assert!(
        (1..=CONNECTIONS_MAX).contains(&connections),
        "{connections}"
    );
    broker.signal(Signal::CONT);
    for client in &mut clients {
        assert_eq!(client.next_json().await["type"], "ack");
    }
    let since = Instant::now();
    eventually("the process was watched long enough", async || {
        assert!(!processes[0].is_stopped());
        (since.elapsed() > NEVER_FROZEN_FOR).then_some(())
    })
    .await;
    simulator.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn an_invocation_that_times_out_does_not_end_the_process() {
    let contract = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: scripted, routeResponse: true }
functions: { scripted: { timeout: 1, maxConcurrency: 1 } }
";
    let launch = Launch::default().contract(contract);
    let simulator = launch.function("scripted", "scripted.py").start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("go");
    client
        .send(&json!({"do": "wait", "path": path}).to_string())
        .await;
    crate::routes::check_error_frame(&client.next().await, "Internal server error");
    let before = simulator.function("scripted.py");
    assert_eq!(before.len(), 1, "{before:?}");
    fs::write(&path, "").unwrap();
    // Another process may have started for it, since the first was busy.
    assert!(client.ask(r#"{"do":"echo"}"#).await["pid"].is_u64());
    assert!(before[0].is_alive());
    simulator.stop().await;
}
