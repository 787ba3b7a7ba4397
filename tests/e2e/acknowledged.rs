//! A client's message becomes a record, and the client gets an acknowledgement.

use tests::{
    client::Client,
    consumer::Consumer,
    path::{self, Topics},
    simulator::{Launch, Simulator},
};

/// Concurrent clients: few enough for a laptop, as each needs a process while it connects.
const CLIENTS: usize = 100;

/// Starts a simulator with the shipped contract and an embedded broker.
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
async fn a_hundred_concurrent_clients_lose_and_duplicate_nothing() {
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
    // The server selects no subprotocol, so the client library returns an error after connecting.
    let _ = Client::open(&format!("{}?{query}", simulator.websocket), &headers).await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let records = consumer.records(&topics.connections, 2).await;
    let connect = records[0].json();
    assert_eq!(connect["query"], serde_json::json!({"room": ["lobby"]}));
    assert_eq!(connect["origin"], "https://example.com");
    for record in &records {
        let value = String::from_utf8_lossy(&record.value);
        let printed = format!("{} {value} {:?}", record.key, record.headers);
        assert!(!printed.contains(SECRET), "{printed}");
    }
    simulator.stop().await;
}
