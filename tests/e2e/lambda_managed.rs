//! Managed Instances: one environment takes many invocations at once.

use std::fs;

use serde_json::json;
use tests::client::Client;
use tests::path::{Topics, crowd};
use tests::simulator::Launch;

const CLIENTS: usize = 8;

#[tokio::test]
async fn one_process_takes_as_many_messages_at_once_as_it_may() {
    let topics = Topics::prefixed("");
    let managed = format!(
        "{}functions: {{ message: {{ maxConcurrency: 64, reservedConcurrentExecutions: 64 }} }}\n",
        topics.contract()
    );
    let simulator = Launch::default().contract(&managed).start(&[]).await;
    crowd(&simulator, &topics, CLIENTS).await;
    let processes = simulator.function("release/message");
    assert_eq!(processes.len(), 1, "{processes:?}");
    assert!(!processes[0].is_stopped(), "it is never frozen");
    simulator.stop().await;
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
