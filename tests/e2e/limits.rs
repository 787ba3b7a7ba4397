//! Limits on what a client sends: text only, frames of 32 KB, messages of 128 KB.

use serde_json::json;
use tests::{
    client::Client,
    consumer::Consumer,
    simulator::{Launch, Simulator},
};

/// API Gateway's quotas.
const FRAME_BYTES_MAX: usize = 32 * 1024;
const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// WebSocket close codes (RFC 6455, section 7.4.1).
const UNSUPPORTED: u16 = 1003;
const TOO_BIG: u16 = 1009;

/// Returns a JSON message of exactly this many bytes, with the id `big`.
fn message(bytes: usize) -> String {
    let empty = json!({"id": "big", "text": ""}).to_string().len();
    json!({"id": "big", "text": "x".repeat(bytes - empty)}).to_string()
}

async fn connected() -> (Simulator, Client) {
    let simulator = Launch::default().start(&[]).await;
    let client = Client::connect(&simulator.websocket).await;
    (simulator, client)
}

#[tokio::test]
async fn the_largest_message_in_the_largest_frames_is_stored_whole() {
    let (simulator, mut client) = connected().await;
    let (one, four) = (message(FRAME_BYTES_MAX), message(MESSAGE_BYTES_MAX));
    assert_eq!(client.ask(&one).await, json!({"type": "ack", "id": "big"}));
    client.send_fragmented(&four, FRAME_BYTES_MAX).await;
    assert_eq!(
        client.next_json().await,
        json!({"type": "ack", "id": "big"})
    );
    let consumer = Consumer::connect(&simulator.kafka).await;
    let records = consumer.records("ws.messages", 2).await;
    assert!(records[0].value == one.as_bytes(), "the frame differs");
    assert!(records[1].value == four.as_bytes(), "the message differs");
    simulator.stop().await;
}

#[tokio::test]
async fn a_frame_one_byte_over_the_limit_closes_with_1009() {
    let (simulator, mut client) = connected().await;
    client.send(&message(FRAME_BYTES_MAX + 1)).await;
    assert_eq!(client.closed().await, TOO_BIG);
    check_closed_without_message(&simulator, TOO_BIG).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_message_one_byte_over_the_limit_closes_with_1009() {
    let (simulator, mut client) = connected().await;
    client
        .send_fragmented(&message(MESSAGE_BYTES_MAX + 1), FRAME_BYTES_MAX)
        .await;
    assert_eq!(client.closed().await, TOO_BIG);
    check_closed_without_message(&simulator, TOO_BIG).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_binary_frame_closes_with_1003() {
    let (simulator, mut client) = connected().await;
    client.send_binary(b"\x00\x01").await;
    assert_eq!(client.closed().await, UNSUPPORTED);
    check_closed_without_message(&simulator, UNSUPPORTED).await;
    simulator.stop().await;
}

/// Checks that the disconnect was recorded with `code`, and that no message was stored.
async fn check_closed_without_message(simulator: &Simulator, code: u16) {
    let consumer = Consumer::connect(&simulator.kafka).await;
    let records = consumer.records("ws.connections", 2).await;
    assert_eq!(records[1].json()["disconnectStatusCode"], code);
    consumer.records("ws.messages", 0).await;
}
