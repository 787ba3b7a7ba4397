//! The embedded broker, tested with kcat.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{
    client::Client,
    consumer::Consumer,
    kcat::kcat,
    path::{self, Topics},
    simulator::Launch,
};

#[tokio::test]
async fn kcat_lists_the_contracts_topics() {
    let simulator = Launch::default().start(&[]).await;
    let listed = kcat(&simulator.kafka, &["-L"], "").await;
    for topic in [
        "ws.connections",
        "ws.messages",
        "chat.messages",
        "ws.outbound",
    ] {
        let line = format!("topic \"{topic}\" with 3 partitions:");
        assert!(listed.contains(&line), "{listed}");
    }
    assert!(listed.contains(&simulator.kafka), "{listed}");
    simulator.stop().await;
}

#[tokio::test]
async fn kcat_reads_the_key_the_headers_and_the_unchanged_bytes() {
    let simulator = Launch::default().start(&[]).await;
    path::kcat_reads_key_headers_and_the_very_bytes(&simulator, &Topics::prefixed("")).await;
    simulator.stop().await;
}

#[tokio::test]
async fn other_clients_read_what_kcat_writes() {
    let simulator = Launch::default().start(&[]).await;
    let arguments = ["-t", "ws.messages", "-P", "-K", "\t", "-H", "a=b"];
    kcat(&simulator.kafka, &arguments, "k1\tfirst\nk1\tsecond\n").await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let records = consumer.records("ws.messages", 2).await;
    let values: Vec<&[u8]> = records.iter().map(|record| &record.value[..]).collect();
    assert_eq!(values, [&b"first"[..], b"second"]);
    assert!(
        records
            .iter()
            .all(|record| record.key == "k1" && record.header("a") == "b")
    );
    simulator.stop().await;
}

#[tokio::test]
async fn librdkafkas_murmur2_chooses_the_same_partitions_as_ours() {
    const ROOMS: usize = 30;
    let simulator = Launch::default().start(&[]).await;
    let rooms = (0..ROOMS).map(|room| "ř".repeat(room % 7) + &room.to_string());
    let mut client = Client::connect(&simulator.websocket).await;
    let mut lines = String::new();
    for room in rooms {
        let message = json!({"action": "chat", "room": room});
        assert_eq!(client.ask(&message.to_string()).await["type"], "ack");
        lines += &format!("{room}\tkcat\n");
    }
    let arguments = [
        "-t",
        "ws.messages",
        "-P",
        "-K",
        "\t",
        "-X",
        "topic.partitioner=murmur2_random",
    ];
    kcat(&simulator.kafka, &arguments, &lines).await;

    let consumer = Consumer::connect(&simulator.kafka).await;
    let partitions = async |topic| -> BTreeMap<String, i32> {
        let records = consumer.records(topic, ROOMS).await;
        records
            .into_iter()
            .map(|record| (record.key, record.partition))
            .collect()
    };
    let ours = partitions("chat.messages").await;
    assert_eq!(ours, partitions("ws.messages").await);
    assert_eq!(ours.len(), ROOMS);
    simulator.stop().await;
}
