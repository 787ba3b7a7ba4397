//! The event source mapping over a real Apache Kafka, secured or not.

use tests::admin::Admin;
use tests::group::committed;
use tests::producer::Producer;
use tests::pushed::{Pushed, contract};
use tests::real_kafka::RealKafka;
use tests::secured_kafka::{Listener, SecuredKafka};
use tests::wait::eventually;
use uuid::Uuid;

use crate::security::modes::{Mode, SASL_SSL, variables};

#[tokio::test]
async fn nothing_is_missed_or_doubled_over_a_restart() {
    let kafka = RealKafka::shared().await;
    let topic = format!("out-{}", Uuid::new_v4());
    let stage = Uuid::new_v4().to_string();
    let group = format!("local-sim-{stage}-pushed");
    let pushed = Pushed::new();
    let start = async || {
        let launch = pushed.launch(&contract(&topic, "")).kafka(&kafka.brokers);
        let launch = launch.option("--stage", &stage);
        launch.start(&["--create-topics"]).await
    };
    let simulator = start().await;
    let producer = Producer::connect(&kafka.brokers).await;
    let send = async |from: i32| {
        for index in from..from + 30 {
            producer
                .send(&topic, index % 3, "k", &index.to_string())
                .await;
        }
    };
    send(0).await;
    pushed.values(30).await;
    eventually("committed offsets", async || {
        (committed(&kafka.brokers, &group, &topic, 3).await == [10, 10, 10]).then_some(())
    })
    .await;
    simulator.stop().await;
    // Nobody reads, and it begins with the latest only where it has never read.
    send(30).await;
    let simulator = start().await;
    let values = pushed.values(60).await;
    for partition in 0..3 {
        let expected: Vec<String> = (partition..60)
            .step_by(3)
            .map(|it| it.to_string())
            .collect();
        assert_eq!(values[&format!("{topic}-{partition}")], expected);
    }
    let events = pushed.events(1).await;
    let records = events
        .iter()
        .flat_map(|event| event["records"].as_object().unwrap().values());
    let records: usize = records
        .map(|records| records.as_array().unwrap().len())
        .sum();
    assert_eq!(records, 60);
    simulator.stop().await;
}

#[tokio::test]
async fn a_partition_that_is_added_is_read_from_its_first_record() {
    let kafka = RealKafka::shared().await;
    let topic = format!("out-{}", Uuid::new_v4());
    let pushed = Pushed::new();
    let launch = pushed.launch(&contract(&topic, "")).kafka(&kafka.brokers);
    let simulator = launch.start(&["--create-topics"]).await;
    let port = kafka.brokers.rsplit_once(':').unwrap().1.parse().unwrap();
    Admin::new([port]).add_partitions(&topic, 4).await;
    let producer = Producer::connect(&kafka.brokers).await;
    producer.send(&topic, 3, "k", "new").await;
    pushed.until(&format!("{topic}-3"), "new").await;
    simulator.stop().await;
}

/// Pushes a record that another listener takes.
async fn check(mode: Mode) {
    let kafka = SecuredKafka::shared().await;
    let topic = format!("out-{}", Uuid::new_v4());
    let pushed = Pushed::new();
    let launch = pushed
        .launch(&contract(&topic, ""))
        .kafka(&kafka.address(mode.0));
    let launch = variables(mode, kafka)
        .iter()
        .fold(launch, |launch, (name, value)| launch.env(name, value));
    let simulator = launch.start(&["--create-topics"]).await;
    let producer = Producer::connect(&kafka.address(Listener::Plaintext)).await;
    producer.send(&topic, 0, "k", "v").await;
    pushed.until(&format!("{topic}-0"), "v").await;
    simulator.stop().await;
}

#[tokio::test]
async fn records_come_over_tls() {
    check((Listener::Ssl, "SSL", None)).await;
}

#[tokio::test]
async fn records_come_with_a_password() {
    check((Listener::SaslPlaintext, "SASL_PLAINTEXT", Some("PLAIN"))).await;
    check(SASL_SSL).await;
}
