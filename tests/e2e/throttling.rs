//! Throttling by the contract's limits, of connections and of messages.

use tests::client::Client;
use tests::consumer::Consumer;
use tests::simulator::{Launch, Simulator};

use crate::routes::check_frame;

/// Buckets that time hardly fills up; it can be moved.
const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $connect:
    function: connect
    topic: ws.connections
    throttlingRateLimit: 0.001
    throttlingBurstLimit: 2
  $disconnect: { function: disconnect, topic: ws.connections }
  $default: { function: message, topic: ws.messages, routeResponse: true }
  chat:
    function: message
    topic: chat
    routeResponse: true
    throttlingRateLimit: 0.001
    throttlingBurstLimit: 2
";
/// In this time a bucket gets one token.
const TOKEN_SECONDS: u64 = 1000;
/// Far more messages than a client can send that are all throttled.
const FLOOD: usize = 1000;
const POLICY: u16 = 1008;

const CHAT: &str = r#"{"action":"chat","id":1}"#;

async fn start() -> Simulator {
    Launch::default().contract(CONTRACT).start(&[]).await
}

#[tokio::test]
async fn a_route_takes_its_burst_and_then_says_too_many_requests() {
    let simulator = start().await;
    let mut client = Client::connect(&simulator.websocket).await;
    for _ in 0..2 {
        assert_eq!(client.ask(CHAT).await["type"], "ack");
    }
    client.send(CHAT).await;
    check_frame(&client.next().await, "Too Many Requests");
    assert_eq!(client.ask(r#"{"id":2}"#).await["type"], "ack");
    simulator.stop().await;
}

#[tokio::test]
async fn a_handshake_too_many_is_refused_with_429_until_the_bucket_fills_up() {
    let simulator = start().await;
    let _first = Client::connect(&simulator.websocket).await;
    let _second = Client::connect(&simulator.websocket).await;
    assert_eq!(Client::refused(&simulator.websocket).await, 429);
    simulator.advance(TOKEN_SECONDS).await;
    let _third = Client::connect(&simulator.websocket).await;
    assert_eq!(Client::refused(&simulator.websocket).await, 429);
    simulator.stop().await;
}

#[tokio::test]
async fn who_goes_on_all_the_same_is_closed_with_1008() {
    let simulator = start().await;
    let mut flooding = Client::connect(&simulator.websocket).await;
    let mut other = Client::connect(&simulator.websocket).await;
    let code = flooding.flood(CHAT, FLOOD).await;
    assert_eq!(code, POLICY);
    assert_eq!(other.ask(r#"{"id":"o"}"#).await["type"], "ack");
    let consumer = Consumer::connect(&simulator.kafka).await;
    // Two connections may be in two partitions, and their records in any order.
    let records = consumer.records("ws.connections", 3).await;
    let disconnect = records
        .iter()
        .find(|record| record.header("ce_routekey") == "$disconnect")
        .unwrap();
    assert_eq!(disconnect.json()["disconnectStatusCode"], POLICY);
    simulator.stop().await;
}

#[tokio::test]
async fn the_stages_bucket_is_shared_by_routes_without_one_and_the_words_can_be_chosen() {
    let stage = "stage: { throttlingRateLimit: 0, throttlingBurstLimit: 2 }";
    let contract = format!(
        "routeSelectionExpression: $request.body.action\n\
         routes: {{ $default: {{ function: message, topic: m, routeResponse: true }} }}\n{stage}"
    );
    let launch = Launch::default().contract(&contract);
    let launch = launch.option("--throttled-message", "Limit \"exceeded\"");
    let simulator = launch.start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(client.ask("one").await["type"], "ack");
    let throttled = client.ask("two").await;
    assert_eq!(throttled["message"], "Limit \"exceeded\"");
    assert_eq!(Client::refused(&simulator.websocket).await, 429);
    simulator.stop().await;
}
