//! From a client's frame to a record, and the acknowledgement back.

use tests::client::Client;
use tests::consumer::Consumer;
use tests::path::{self, Topics};
use tests::simulator::{Launch, Simulator};

/// So many clients at once are many for one laptop, and each costs a process while it connects.
const CLIENTS: usize = 100;

/// The shipped contract on a broker of its own.
async fn shipped() -> (Simulator, Topics) {
    (Launch::default().start(&[]).await, Topics::prefixed(""))
}

#[tokio::test]
async fn a_connection_becomes_connect_message_disconnect() {
    let (simulator, topics) = shipped().await;
    path::connect_message_disconnect(&simulator, &topics).await;
    simulator.stop().await;
}

#[tokio::test]
async fn texts_arrive_byte_for_byte() {
    let (simulator, topics) = shipped().await;
    path::texts_arrive_byte_for_byte(&simulator, &topics).await;
    simulator.stop().await;
}

#[tokio::test]
async fn keys_choose_javas_partitions() {
    let (simulator, topics) = shipped().await;
    path::keys_choose_javas_partitions(&simulator, &topics).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_hundred_clients_at_once_lose_and_double_nothing() {
    let (simulator, topics) = shipped().await;
    path::crowd(&simulator, &topics, CLIENTS).await;
    simulator.stop().await;
}

#[tokio::test]
async fn no_credential_reaches_a_record() {
    const SECRET: &str = "s3cret";
    let (simulator, topics) = shipped().await;
    let query = "token=s3cret&Access_Token=s3cret&code=s3cret&X-Amz-Signature=s3cret&room=lobby";
    let headers = [
        ("authorization", "Bearer s3cret"),
        ("cookie", "session=s3cret"),
        ("x-api-key", SECRET),
        ("sec-websocket-protocol", "bearer-s3cret"),
        ("origin", "https://example.com"),
    ];
    // No sub-protocol is agreed on, so this client gives up once it is connected.
    let _ = Client::open(&format!("{}?{query}", simulator.websocket), &headers).await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let records = consumer.records(&topics.connections, 2).await;
    let connect = records[0].json();
    assert_eq!(connect["query"], serde_json::json!({"room": ["lobby"]}));
    assert_eq!(connect["origin"], "https://example.com");
    for record in &records {
        let value = String::from_utf8_lossy(&record.value);
        let shown = format!("{} {value} {:?}", record.key, record.headers);
        assert!(!shown.contains(SECRET), "{shown}");
    }
    simulator.stop().await;
}
