//! End-to-end tests that run against each kind of broker: client actions and the stored records.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde_json::json;

use crate::anatomy;
use crate::client::Client;
use crate::consumer::Consumer;
use crate::kcat::kcat;
use crate::partition::{MURMUR2, java_partition};
use crate::simulator::Simulator;

/// Number of messages that each client of [`crowd`] sends.
const MESSAGES_EACH: usize = 3;

/// The topics of the shipped contract, possibly under other names.
#[derive(Clone, Debug)]
pub struct Topics {
    /// The topic of `$connect` and `$disconnect`.
    pub connections: String,
    /// The topic of `$default`.
    pub messages: String,
    /// The topic of `chat`, keyed by room.
    pub chat: String,
}

impl Topics {
    /// Prefixes the shipped contract's topic names, so that tests can share a broker.
    pub fn prefixed(prefix: &str) -> Self {
        Self {
            connections: format!("{prefix}ws.connections"),
            messages: format!("{prefix}ws.messages"),
            chat: format!("{prefix}chat.messages"),
        }
    }

    /// The shipped contract with these topics.
    pub fn contract(&self) -> String {
        format!(
            "
routeSelectionExpression: $request.body.action
routes:
  $connect: {{ function: connect, topic: {connections} }}
  $disconnect: {{ function: disconnect, topic: {connections} }}
  $default: {{ function: message, topic: {messages}, routeResponse: true }}
  chat: {{ function: message, topic: {chat}, key: $request.body.room, routeResponse: true }}
",
            connections = self.connections,
            messages = self.messages,
            chat = self.chat,
        )
    }
}

/// Checks every field of the records of one client that connects, sends a message and leaves.
pub async fn connect_message_disconnect(simulator: &Simulator, topics: &Topics) {
    let before = now();
    let url = format!(
        "{}?colour=blue&colour=red&token=s3cret",
        simulator.websocket
    );
    let headers = [("origin", "https://example.com"), ("user-agent", "probe/1")];
    let mut client = Client::open(&url, &headers).await.unwrap();
    let text = r#"{"action":"chat","room":"abc","text":"hi","id":"1"}"#;
    assert_eq!(client.ask(text).await, json!({"type": "ack", "id": "1"}));
    client.close(4001, "enough").await;

    let consumer = Consumer::connect(&simulator.kafka).await;
    let messages = consumer.records(&topics.chat, 1).await;
    let connections = consumer.records(&topics.connections, 2).await;
    let after = now();
    let [connect, disconnect] = &connections[..] else {
        panic!("two records were expected");
    };
    let message = &messages[0];
    for record in [connect, message, disconnect] {
        assert!((before..=after).contains(&record.timestamp), "{record:?}");
        anatomy::check_headers(record, &connect.key);
    }
    anatomy::check_connect(connect);
    anatomy::check_message(message, text);
    anatomy::check_disconnect(disconnect, connect);
}

/// Checks that texts of every kind are stored unchanged.
pub async fn texts_arrive_byte_for_byte(simulator: &Simulator, topics: &Topics) {
    let texts = [
        "hello",
        "",
        "{\"broken\":",
        "  {\"spaced\" :\t1.0e0, \"id\" : 7}\r\n",
        "žluťoučký kůň 馬 👩‍👩‍👧 \u{0}",
        r#"{"action":"unheard of","id":"🐎"}"#,
    ];
    let mut client = Client::connect(&simulator.websocket).await;
    for text in texts {
        let answer = client.ask(text).await;
        assert_eq!(answer["type"], "ack", "{text:?}: {answer}");
    }
    let consumer = Consumer::connect(&simulator.kafka).await;
    let records = consumer.records(&topics.messages, texts.len()).await;
    // All have one key and so one partition; each was sent after the previous acknowledgement.
    let stored: Vec<&str> = records
        .iter()
        .map(|record| str::from_utf8(&record.value).unwrap())
        .collect();
    assert_eq!(stored, texts);
    let types: Vec<&str> = records
        .iter()
        .map(|record| record.header("content-type"))
        .collect();
    let (plain, json) = ("text/plain; charset=utf-8", "application/json");
    assert_eq!(types, [plain, plain, plain, json, plain, json]);
}

/// Checks that many concurrent clients get their own acknowledgements and store each message once.
pub async fn crowd(simulator: &Simulator, topics: &Topics, clients: usize) {
    let sent: BTreeSet<String> = join_all((0..clients).map(|index| talk(simulator, index)))
        .await
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(sent.len(), clients * MESSAGES_EACH);
    let consumer = Consumer::connect(&simulator.kafka).await;
    let messages = consumer.records(&topics.chat, sent.len()).await;
    let stored: BTreeSet<String> = messages
        .iter()
        .map(|record| record.header("ce_clientmessageid").to_owned())
        .collect();
    assert_eq!(stored, sent);
    let connections = consumer.records(&topics.connections, 2 * clients).await;
    let ids: BTreeSet<&str> = connections
        .iter()
        .map(|record| record.header("ce_id"))
        .collect();
    assert_eq!(ids.len(), 2 * clients);
}

/// Sends all messages, then waits for their acknowledgements, so that invocations overlap.
async fn talk(simulator: &Simulator, index: usize) -> BTreeSet<String> {
    let mut client = Client::connect(&simulator.websocket).await;
    let ids: BTreeSet<String> = (0..MESSAGES_EACH)
        .map(|message| format!("{index}/{message}"))
        .collect();
    for id in &ids {
        let message = json!({"action": "chat", "room": format!("r{index}"), "id": id});
        client.send(&message.to_string()).await;
    }
    let mut acknowledged = BTreeSet::new();
    for _ in 0..MESSAGES_EACH {
        let ack = client.next_json().await;
        assert_eq!(ack["type"], "ack", "{ack}");
        acknowledged.insert(ack["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(acknowledged, ids);
    client.close(1000, "").await;
    ids
}

/// Checks that keys map to the partitions that the Java client's default partitioner chooses.
pub async fn keys_choose_javas_partitions(simulator: &Simulator, topics: &Topics) {
    let mut client = Client::connect(&simulator.websocket).await;
    for (room, _) in MURMUR2 {
        let message = json!({"action": "chat", "room": room});
        assert_eq!(client.ask(&message.to_string()).await["type"], "ack");
    }
    let consumer = Consumer::connect(&simulator.kafka).await;
    for record in consumer.records(&topics.chat, MURMUR2.len()).await {
        let expected = java_partition(&record.key);
        assert_eq!(record.partition, expected, "{}", record.key);
    }
}

/// Checks the stored records with kcat, which shares no code with the writer.
pub async fn kcat_reads_key_headers_and_the_very_bytes(simulator: &Simulator, topics: &Topics) {
    let mut client = Client::connect(&simulator.websocket).await;
    let text = r#"{"action":"chat","room":"r1","text":"hi ž","id":"1"}"#;
    assert_eq!(client.ask(text).await, json!({"type": "ack", "id": "1"}));
    let arguments = ["-t", &topics.chat, "-C", "-e", "-q", "-f", "%k %h %s\n"];
    let read = kcat(&simulator.kafka, &arguments, "").await;
    let (key, rest) = read.split_once(' ').unwrap();
    assert_eq!(key, "r1");
    assert!(rest.ends_with(&format!(" {text}\n")), "{read}");
    for header in [
        "ce_specversion=1.0",
        "ce_routekey=chat",
        "ce_clientmessageid=1",
    ] {
        assert!(rest.contains(header), "{header}: {read}");
    }
}

/// The current time, in the millisecond precision of records.
fn now() -> DateTime<Utc> {
    let now = Utc::now().timestamp_millis();
    DateTime::from_timestamp_millis(now).unwrap()
}
