//! What an idle connection costs.

use futures_util::{StreamExt, stream};
use serde_json::Value;
use tests::http::{connection_url, request};
use tests::raw::{Raw, TEXT, frame};
use tests::simulator::{Launch, Simulator};

/// An idle connection takes this much memory of the gateway at most.
const BYTES_MAX: u64 = 8 * 1024;
/// Connections that are there before anything is measured.
const WARM: usize = 50;
/// Connections that are used at once.
const AT_ONCE: usize = 8;

/// Nearly the longest frame, and nearly the longest message that can be posted.
const SENT_BYTES: usize = 30_000;
const POSTED_BYTES: usize = 100_000;

/// What is sent finds no route, and is answered with an error frame that names the connection.
const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes: { chat: { function: message, topic: chat } }
";

/// Checks what `connections` take that are opened so, and then say nothing more.
async fn check(connections: usize, open: impl AsyncFn(&Simulator) -> Raw) -> u64 {
    tests::process::raise_descriptor_limit();
    let launch = Launch::default().contract(CONTRACT);
    let simulator = launch.start(&["--connections-auth", "off"]).await;
    let some = async |count: usize| -> Vec<Raw> {
        let opening = stream::iter(0..count).map(|_| open(&simulator));
        opening.buffer_unordered(AT_ONCE).collect().await
    };
    let warm = some(WARM).await;
    let before = simulator.resident_kib();
    let open = some(connections).await;
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

/// One that was sent a lot, and has sent a lot itself.
async fn used(simulator: &Simulator) -> Raw {
    let mut raw = idle(simulator).await;
    raw.send(&frame(TEXT, &[b'x'; SENT_BYTES])).await;
    let answer: Value = serde_json::from_str(&raw.text().await).unwrap();
    let id = answer["connectionId"].as_str().unwrap();
    let url = connection_url(&simulator.connections, id);
    let text = "x".repeat(POSTED_BYTES);
    assert_eq!(request("POST", &url, &text).await.status, 200);
    assert!(raw.text().await == text, "it differs");
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
async fn a_connection_that_was_used_takes_at_most_8_kb_again() {
    println!("{} bytes for each", check(1000, used).await);
}
