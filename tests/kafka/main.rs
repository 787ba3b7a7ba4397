//! The whole path against a real Apache Kafka.

#[cfg(feature = "kcat")]
mod full_duplex;
#[cfg(feature = "python")]
mod mapping;
mod security;

use tests::consumer::Consumer;
use tests::path::{self, Topics};
use tests::real_kafka::RealKafka;
use tests::simulator::{Launch, Simulator};
use uuid::Uuid;

/// Fewer than over the embedded broker: what differs here is the broker, not the crowd.
const CLIENTS: usize = 20;

/// Topics that no other test has.
fn own_topics() -> Topics {
    Topics::prefixed(&format!("{}.", Uuid::new_v4()))
}

/// A simulator that creates the topics and writes to the cluster.
async fn start(kafka: &RealKafka, topics: &Topics) -> Simulator {
    let launch = Launch::default().contract(&topics.contract());
    launch
        .kafka(&kafka.brokers)
        .start(&["--create-topics"])
        .await
}

#[tokio::test]
async fn a_connection_becomes_connect_message_disconnect() {
    let (kafka, topics) = (RealKafka::shared().await, own_topics());
    let simulator = start(kafka, &topics).await;
    assert_eq!(simulator.kafka, kafka.brokers);
    path::connect_message_disconnect(&simulator, &topics).await;
    simulator.stop().await;
}

#[tokio::test]
async fn texts_arrive_byte_for_byte() {
    let (kafka, topics) = (RealKafka::shared().await, own_topics());
    let simulator = start(kafka, &topics).await;
    path::texts_arrive_byte_for_byte(&simulator, &topics).await;
    simulator.stop().await;
}

#[tokio::test]
async fn keys_choose_javas_partitions() {
    let (kafka, topics) = (RealKafka::shared().await, own_topics());
    let simulator = start(kafka, &topics).await;
    path::keys_choose_javas_partitions(&simulator, &topics).await;
    simulator.stop().await;
}

#[tokio::test]
async fn many_clients_at_once_lose_and_double_nothing() {
    let (kafka, topics) = (RealKafka::shared().await, own_topics());
    let simulator = start(kafka, &topics).await;
    path::crowd(&simulator, &topics, CLIENTS).await;
    simulator.stop().await;
}

#[tokio::test]
async fn topics_are_created_with_the_partitions_asked_for_and_kept_afterwards() {
    let (kafka, topics) = (RealKafka::shared().await, own_topics());
    let Topics {
        connections,
        messages,
        chat,
    } = &topics;
    for partitions in ["5", "2"] {
        let launch = Launch::default().contract(&topics.contract());
        let launch = launch
            .kafka(&kafka.brokers)
            .option("--partitions", partitions);
        launch.start(&["--create-topics"]).await.stop().await;
        let there = Consumer::connect(&kafka.brokers).await.topics().await;
        let counts = [connections, messages, chat].map(|topic| there[topic]);
        assert_eq!(counts, [5, 5, 5]);
    }
}

#[tokio::test]
async fn missing_topics_are_listed_and_nothing_is_created() {
    let (kafka, topics) = (RealKafka::shared().await, own_topics());
    let launch = Launch::default().contract(&topics.contract());
    let refusal = launch.kafka(&kafka.brokers).refusal(&[]).await;
    assert!(!refusal.status.success());
    assert_eq!(refusal.stderr.lines().count(), 1, "{}", refusal.stderr);
    let there = Consumer::connect(&kafka.brokers).await.topics().await;
    for topic in [&topics.connections, &topics.messages, &topics.chat] {
        assert!(
            refusal.stderr.contains(topic.as_str()),
            "{}",
            refusal.stderr
        );
        assert!(!there.contains_key(topic), "{topic} was created");
    }
    assert!(
        refusal.stderr.contains("--create-topics"),
        "{}",
        refusal.stderr
    );
}

#[cfg(feature = "kcat")]
#[tokio::test]
async fn kcat_reads_key_headers_and_the_very_bytes() {
    let (kafka, topics) = (RealKafka::shared().await, own_topics());
    let simulator = start(kafka, &topics).await;
    path::kcat_reads_key_headers_and_the_very_bytes(&simulator, &topics).await;
    simulator.stop().await;
}
