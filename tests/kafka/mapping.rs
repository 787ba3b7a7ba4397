//! The event source mapping over a real Apache Kafka, secured or not.

use std::fs;

use chrono::DateTime;
use rskafka::record::Record;
use tempfile::TempDir;
use tests::admin::Admin;
use tests::group::committed;
use tests::producer::Producer;
use tests::pushed::{Pushed, contract};
use tests::real_kafka::{RealKafka, run_java};
use tests::secured_kafka::{Listener, SecuredKafka};
use tests::wait::eventually;
use uuid::Uuid;

use crate::security::modes::{Mode, SASL_SSL, variables};

/// Kafka's own tool for consumer groups.
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

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

#[tokio::test]
async fn a_topic_that_is_deleted_keeps_no_other_from_being_committed() {
    let kafka = RealKafka::shared().await;
    let id = Uuid::new_v4();
    let (topic, gone) = (format!("out-{id}"), format!("gone-{id}"));
    let pushed = Pushed::new();
    let contract = contract(&topic, "");
    let contract = contract.replace(&format!("[{topic}]"), &format!("[{topic}, {gone}]"));
    let launch = pushed.launch(&contract).kafka(&kafka.brokers);
    let launch = launch.option("--stage", &id.to_string());
    let simulator = launch.start(&["--create-topics"]).await;
    let producer = Producer::connect(&kafka.brokers).await;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("go");
    let waits = format!("wait:{}", path.display());
    producer.send(&gone, 0, "k", &waits).await;
    pushed.events(1).await;
    let port = kafka.brokers.rsplit_once(':').unwrap().1.parse().unwrap();
    Admin::new([port]).delete_topic(&gone).await;
    // Only now there is something to commit of it.
    fs::write(&path, "").unwrap();
    let group = format!("local-sim-{id}-pushed");
    for end in 1..3 {
        producer.send(&topic, 0, "k", "v").await;
        eventually("a commit", async || {
            (committed(&kafka.brokers, &group, &topic, 1).await == [end]).then_some(())
        })
        .await;
    }
    simulator.stop().await;
}

/// The lag in each partition, as Kafka's own tool shows it.
async fn lags(brokers: &str, group: &str) -> Vec<String> {
    let describe = [
        "--bootstrap-server",
        brokers,
        "--describe",
        "--group",
        group,
    ];
    let described = run_java(&[&[GROUPS], &describe[..]].concat()).await;
    let lines = described.lines().filter(|line| line.starts_with(group));
    let mut lags: Vec<(String, String)> = lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words[2].to_owned(), words[5].to_owned())
        })
        .collect();
    lags.sort_unstable();
    lags.into_iter().map(|(_, lag)| lag).collect()
}

#[tokio::test]
async fn kafkas_own_tool_shows_how_far_it_is_behind() {
    let kafka = RealKafka::shared().await;
    let topic = format!("out-{}", Uuid::new_v4());
    let stage = Uuid::new_v4().to_string();
    let group = format!("local-sim-{stage}-pushed");
    let pushed = Pushed::new();
    let launch = pushed.launch(&contract(&topic, "")).kafka(&kafka.brokers);
    let launch = launch.option("--stage", &stage);
    let simulator = launch.start(&["--create-topics"]).await;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("go");
    let producer = Producer::connect(&kafka.brokers).await;
    producer.send(&topic, 0, "k", "v").await;
    let waits = format!("wait:{}", path.display());
    for value in [&waits, "v", "v"] {
        producer.send(&topic, 1, "k", value).await;
    }
    pushed.until(&format!("{topic}-0"), "v").await;
    eventually("a commit", async || {
        (committed(&kafka.brokers, &group, &topic, 1).await == [1]).then_some(())
    })
    .await;
    assert_eq!(lags(&kafka.brokers, &group).await, ["0", "3", "0"]);
    fs::write(&path, "").unwrap();
    eventually("a commit", async || {
        (committed(&kafka.brokers, &group, &topic, 3).await == [1, 3, 0]).then_some(())
    })
    .await;
    assert_eq!(lags(&kafka.brokers, &group).await, ["0", "0", "0"]);
    simulator.stop().await;
}

#[tokio::test]
async fn dead_letters_are_the_records_as_they_were_whatever_they_are() {
    let kafka = RealKafka::shared().await;
    let id = Uuid::new_v4();
    let (topic, dead) = (format!("out-{id}"), format!("dead-{id}"));
    let settings = format!("maximumRecordAgeInSeconds: 60, deadLetter: {dead}");
    let pushed = Pushed::new();
    let launch = pushed
        .launch(&contract(&topic, &settings))
        .kafka(&kafka.brokers);
    let launch = launch.option("--stage", &id.to_string());
    let simulator = launch.start(&["--create-topics"]).await;
    // Too old to be handed to the function, so that nothing has to tell it to fail.
    let at = DateTime::from_timestamp_millis(1_545_084_650_987).unwrap();
    let header = ("h".to_owned(), vec![0xff, 0]);
    let records = [
        (None, None),
        (Some(vec![]), Some(vec![])),
        (Some(vec![0, 0xff]), Some((0..=255).collect())),
    ]
    .map(|(key, value)| Record {
        key,
        value,
        headers: [header.clone()].into(),
        timestamp: at,
    });
    let producer = Producer::connect(&kafka.brokers).await;
    producer.store(&topic, 1, records.to_vec()).await;
    // Those of one partition stay in one.
    let partition = producer.partition(&dead, 1).await;
    let found = eventually("dead letters", async || {
        let found = partition.fetch_records(0, 1..1_000_000, 100).await;
        let (found, _) = found.unwrap();
        (found.len() == records.len()).then_some(found)
    })
    .await;
    for (index, (mut found, record)) in found.into_iter().zip(records).enumerate() {
        let told: Vec<(String, Vec<u8>)> = found
            .record
            .headers
            .extract_if(.., |name, _| name.starts_with("failure."))
            .collect();
        assert_eq!(found.record, record);
        let expected = [
            ("attempts", "0".to_owned()),
            ("condition", "RecordAgeExceeded".to_owned()),
            ("function", "pushed".to_owned()),
            ("offset", index.to_string()),
            ("partition", "1".to_owned()),
            ("topic", topic.clone()),
        ];
        let expected = expected.map(|(name, value)| (format!("failure.{name}"), value.into()));
        assert_eq!(told, expected);
    }
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
