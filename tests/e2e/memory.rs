//! The memory of idle connections.

use futures_util::{StreamExt, stream};
use serde_json::Value;
use tests::{
    http::{connection_url, request},
    raw::{Raw, TEXT, frame},
    simulator::{Launch, Simulator},
};

/// The most memory that the gateway may use per idle connection.
const BYTES_MAX: u64 = 8 * 1024;
/// Connections that are opened before the first measurement.
const WARM: usize = 50;
/// Connections that are opened and used concurrently.
const AT_ONCE: usize = 8;

/// Almost the largest frame that a client may send.
const SENT_BYTES: usize = 30_000;
/// Almost the largest message that can be posted.
const POSTED_BYTES: usize = 100_000;

/// Messages match no route, so each gets an error frame, which contains the connection id.
const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes: { chat: { function: message, topic: chat } }
";

/// Opens connections, checks the memory that each of them takes, and returns it in bytes.
async fn check(connections: usize, open: impl AsyncFn(&Simulator) -> Raw) -> u64 {
    tests::process::raise_descriptor_limit();
    let launch = Launch::default().contract(CONTRACT);
    let simulator = launch.start(&["--connections-auth", "off"]).await;
    let open_many = async |count: usize| -> Vec<Raw> {
        let opening = stream::iter(0..count).map(|_| open(&simulator));
        opening.buffer_unordered(AT_ONCE).collect().await
    };
    let warm = open_many(WARM).await;
    let before = simulator.resident_kib();
    let open = open_many(connections).await;
    let grown = simulator.resident_kib().saturating_sub(before) * 1024;
    let bytes = grown / connections as u64;
    assert!(
        bytes <= BYTES_MAX,
        "{bytes} bytes for each of {connections}"
    );
    drop((warm, open));
    bytes
}

async fn idle(simulator: &Simulator) -> Raw {
    Raw::open(&simulator.websocket).await
}

/// Opens a connection, and sends and receives nearly the largest message on it.
async fn used(simulator: &Simulator) -> Raw {
    let mut raw = idle(simulator).await;
    raw.send(&frame(TEXT, &[b'x'; SENT_BYTES])).await;
    let answer: Value = serde_json::from_str(&raw.text().await).unwrap();
    let id = answer["connectionId"].as_str().unwrap();
    let url = connection_url(&simulator.connections, id);
    let text = "x".repeat(POSTED_BYTES);
    assert_eq!(request("POST", &url, &text).await.status, 200);
    assert!(raw.text().await == text, "the posted text was changed");
    raw
}

#[tokio::test]
async fn an_idle_connection_takes_at_most_8_kb() {
    check(1000, idle).await;
}

#[tokio::test]
async fn ten_thousand_idle_connections_take_at_most_8_kb_each() {
    println!("{} bytes for each", check(10_000, idle).await);
}

#[tokio::test]
async fn a_used_connection_takes_at_most_8_kb_when_it_is_idle_again() {
    println!("{} bytes for each", check(1000, used).await);
}
