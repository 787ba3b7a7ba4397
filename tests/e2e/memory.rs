//! What an idle connection costs.

use tests::raw::Raw;
use tests::simulator::Launch;

/// An idle connection takes this much memory of the gateway at most.
const BYTES_MAX: u64 = 8 * 1024;
/// Connections that are there before anything is measured.
const WARM: usize = 50;

const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes: { chat: { function: message, topic: chat } }
";

async fn check(connections: usize) -> u64 {
    tests::process::raise_descriptor_limit();
    let simulator = Launch::default().contract(CONTRACT).start(&[]).await;
    let mut open = Vec::new();
    let mut before = 0;
    for index in 0..WARM + connections {
        if index == WARM {
            before = simulator.resident_kib();
        }
        open.push(Raw::open(&simulator.websocket).await);
    }
    let grown = simulator.resident_kib().saturating_sub(before) * 1024;
    let bytes = grown / connections as u64;
    drop(open);
    assert!(
        bytes <= BYTES_MAX,
        "{bytes} bytes for each of {connections}"
    );
    bytes
}

#[tokio::test]
async fn an_idle_connection_takes_at_most_8_kb() {
    check(1000).await;
}

#[tokio::test]
#[ignore = "a measurement: cargo test -p tests --test e2e -- --ignored --nocapture ten_thousand"]
async fn ten_thousand_idle_connections_take_at_most_8_kb_each() {
    println!("{} bytes for each idle connection", check(10_000).await);
}
