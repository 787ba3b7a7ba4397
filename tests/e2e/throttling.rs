//! Throttling by the contract's limits, of connections and of messages.

use tests::{
    client::Client,
    consumer::Consumer,
    simulator::{Launch, Simulator},
};

use crate::routes::check_error_frame;

/// The buckets hardly refill during a test, unless it advances the clock.
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
/// The time in which a bucket gets one token.
const TOKEN_SECONDS: u64 = 1000;
/// Far more throttled messages than a client may send.
const FLOOD: usize = 1000;
const POLICY: u16 = 1008;

const CHAT: &str = r#"{"action":"chat","id":1}"#;

async fn start() -> Simulator {
    Launch::default().contract(CONTRACT).start(&[]).await
}

#[tokio::test]
async fn a_route_accepts_its_burst_and_then_answers_too_many_requests() {
    let simulator = start().await;
    let mut client = Client::connect(&simulator.websocket).await;
    for _ in 0..2 {
        assert_eq!(client.ask(CHAT).await["type"], "ack");
    }
    client.send(CHAT).await;
    check_error_frame(&client.next().await, "Too Many Requests");
    assert_eq!(client.ask(r#"{"id":2}"#).await["type"], "ack");
    simulator.stop().await;
}

#[tokio::test]
async fn handshakes_over_the_limit_get_429_until_the_bucket_refills() {
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
async fn a_client_that_ignores_throttling_is_closed_with_1008() {
    let simulator = start().await;
    let mut flooding = Client::connect(&simulator.websocket).await;
    let mut other = Client::connect(&simulator.websocket).await;
    let code = flooding.flood(CHAT, FLOOD).await;
    assert_eq!(code, POLICY);
    assert_eq!(other.ask(r#"{"id":"o"}"#).await["type"], "ack");
    let consumer = Consumer::connect(&simulator.kafka).await;
    // Records of different connections may come in any order, from different partitions.
    let records = consumer.records("ws.connections", 3).await;
    let disconnect = records
        .iter()
        .find(|record| record.header("ce_routekey") == "$disconnect")
        .unwrap();
    assert_eq!(disconnect.json()["disconnectStatusCode"], POLICY);
    simulator.stop().await;
}

#[tokio::test]
async fn routes_without_a_bucket_share_the_stages_and_the_message_can_be_chosen() {
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
