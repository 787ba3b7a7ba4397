//! Managed Instances: one environment takes many invocations at once.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use tests::client::Client;
use tests::simulator::Launch;
use tests::wait::eventually;

/// Messages at once: less than a process takes.
const CLIENTS: usize = 40;

/// Connections of one Kafka client: one for what topics there are, and one for the one partition.
const CONNECTIONS_MAX: usize = 2;

/// Much more than the grace after which other processes are frozen.
const NEVER_FROZEN_FOR: Duration = Duration::from_millis(300);

#[tokio::test]
async fn one_process_with_one_client_takes_as_many_messages_at_once_as_it_may() {
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
    // The broker takes nothing for a while.
    broker.signal(Signal::STOP);
    for client in &mut clients {
        client.send("{}").await;
    }
    eventually("all of them in the process", async || {
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
    eventually("some idle time", async || {
        assert!(!processes[0].is_stopped());
        (since.elapsed() > NEVER_FROZEN_FOR).then_some(())
    })
    .await;
    simulator.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn one_that_takes_too_long_does_not_end_the_process() {
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
    crate::routes::check_frame(&client.next().await, "Internal server error");
    let before = simulator.function("scripted.py");
    assert_eq!(before.len(), 1, "{before:?}");
    fs::write(&path, "").unwrap();
    // Another one may have been started for it, since the first was busy.
    assert!(client.ask(r#"{"do":"echo"}"#).await["pid"].is_u64());
    assert!(before[0].is_alive());
    simulator.stop().await;
}
