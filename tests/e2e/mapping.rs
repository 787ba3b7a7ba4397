//! The event source mapping, over the embedded broker, with a function that does what records tell it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tests::consumer::Consumer;
use tests::group::committed;
use tests::process::Process;
use tests::producer::{Producer, record};
use tests::proxy::Proxy;
use tests::pushed::{Pushed, contract};
use tests::real_kafka::free_ports;
use tests::simulator::{Launch, Simulator};
use tests::wait::eventually;

/// A simulator that pushes topic `out` with these settings, and what the function got.
async fn start(settings: &str) -> (Simulator, Producer, Pushed) {
    let pushed = Pushed::new();
    let simulator = pushed.launch(&contract("out", settings)).start(&[]).await;
    let producer = Producer::connect(&simulator.kafka).await;
    (simulator, producer, pushed)
}

/// A file that is not there yet.
fn signal() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("go");
    (directory, path)
}

fn until(told: &str, path: &Path) -> String {
    format!("{told}:{}", path.display())
}

#[tokio::test]
async fn the_event_is_lambdas() {
    let (simulator, producer, pushed) = start("").await;
    producer.send("out", 1, "k", "hello").await;
    let event = pushed.events(1).await.remove(0);
    assert_eq!(event["eventSource"], "aws:SelfManagedKafka");
    assert_eq!(event["bootstrapServers"], simulator.kafka.as_str());
    let record = &event["records"]["out-1"][0];
    let names: Vec<&String> = record.as_object().unwrap().keys().collect();
    let mut expected = vec![
        "topic",
        "partition",
        "offset",
        "timestamp",
        "timestampType",
        "key",
        "value",
        "headers",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(
        (&record["topic"], &record["partition"], &record["offset"]),
        (&Value::from("out"), &Value::from(1), &Value::from(0),)
    );
    assert_eq!(
        (&record["key"], &record["value"]),
        (&Value::from("aw=="), &Value::from("aGVsbG8="),)
    );
    assert_eq!(
        record["headers"],
        serde_json::json!([{"name": [118, -61, -85]}])
    );
    simulator.stop().await;
}

/// As behind a load balancer, which accepts what the broker behind it cannot take.
#[tokio::test]
async fn a_broker_that_accepts_and_does_not_answer_is_passed_over() {
    let (cluster, producer, _unused) = start("").await;
    let [away, nobody] = free_ports();
    let _proxy = Proxy::start(away, nobody).await;
    let pushed = Pushed::new();
    let brokers = format!("127.0.0.1:{away},{}", cluster.kafka);
    let launch = pushed.launch(&contract("elsewhere", "")).kafka(&brokers);
    let simulator = launch.start(&["--create-topics"]).await;
    producer.send("elsewhere", 2, "k", "hello").await;
    pushed.until("elsewhere-2", "hello").await;
    simulator.stop().await;
    cluster.stop().await;
}

#[tokio::test]
async fn records_come_in_order_from_every_partition_and_are_committed() {
    const RECORDS: i64 = 300;
    let (simulator, producer, pushed) = start("batchSize: 7").await;
    for index in 0..RECORDS {
        let partition = i32::try_from(index % 3).unwrap();
        producer
            .send("out", partition, "k", &index.to_string())
            .await;
    }
    let values = pushed.values(300).await;
    for partition in 0..3 {
        let expected: Vec<String> = (partition..RECORDS)
            .step_by(3)
            .map(|it| it.to_string())
            .collect();
        assert_eq!(values[&format!("out-{partition}")], expected);
    }
    assert!(pushed.events(1).await.iter().all(|event| count(event) <= 7));
    come_to(&simulator, [100, 100, 100]).await;
    simulator.stop().await;
}

/// Waits until the mapping has committed these offsets of topic `out`.
async fn come_to(simulator: &Simulator, expected: [i64; 3]) {
    eventually("committed offsets", async || {
        let offsets = committed(&simulator.kafka, "local-sim-dev-pushed", "out", 3).await;
        (offsets == expected).then_some(())
    })
    .await;
}

fn count_of(event: &Value, partition: &str) -> usize {
    let records = event["records"][partition].as_array();
    records.map_or(0, Vec::len)
}

fn count(event: &Value) -> usize {
    let partitions = event["records"].as_object().unwrap().values();
    partitions
        .map(|records| records.as_array().unwrap().len())
        .sum()
}

#[tokio::test]
async fn a_window_gathers_records_of_several_partitions_in_one_batch() {
    let (simulator, producer, pushed) =
        start("batchSize: 6, maximumBatchingWindowInSeconds: 300").await;
    for partition in [0, 1, 2, 0, 1, 2] {
        producer.send("out", partition, "k", "v").await;
    }
    let events = pushed.events(1).await;
    assert_eq!((events.len(), count(&events[0])), (1, 6));
    simulator.stop().await;
}

#[tokio::test]
async fn a_partition_that_always_fails_holds_up_no_other() {
    for told in ["error", "named", "exit", "wait"] {
        let (simulator, producer, pushed) = start("").await;
        let (_directory, path) = signal();
        producer.send("out", 0, "k", &until(told, &path)).await;
        pushed.events(1).await;
        producer.send("out", 0, "k", "behind").await;
        producer.send("out", 1, "k", "beside").await;
        pushed.until("out-1", "beside").await;
        assert!(!pushed.is_done_with("out-0", "behind"), "{told}");
        fs::write(&path, "").unwrap();
        pushed.until("out-0", "behind").await;
        simulator.stop().await;
    }
}

#[tokio::test]
async fn what_was_done_before_a_failure_does_not_come_again() {
    let (simulator, producer, pushed) =
        start("batchSize: 3, maximumBatchingWindowInSeconds: 300").await;
    let (_directory, path) = signal();
    for value in ["first", &until("named", &path), "last"] {
        producer.send("out", 0, "k", value).await;
    }
    let events = pushed.events(3).await;
    assert_eq!(count(&events[0]), 3);
    for event in &events[1..] {
        assert_eq!(event["records"]["out-0"][0]["offset"], 1);
    }
    fs::write(&path, "").unwrap();
    pushed.until("out-0", "last").await;
    simulator.stop().await;
}

#[tokio::test]
async fn what_is_given_up_is_left_in_the_dead_letter_as_it_was() {
    let (simulator, producer, pushed) =
        start("maximumRetryAttempts: 1, bisectBatchOnFunctionError: true, deadLetter: dead").await;
    let (_directory, path) = signal();
    let poison = until("error", &path);
    for value in ["before", &poison, "after"] {
        producer.send("out", 2, "k", value).await;
    }
    pushed.until("out-2", "after").await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let dead = consumer.records("dead", 1).await.remove(0);
    assert_eq!(
        (dead.key.as_str(), &dead.value[..]),
        ("k", poison.as_bytes())
    );
    for (name, value) in [
        ("name", "vë"),
        ("failure.condition", "RetryAttemptsExhausted"),
        ("failure.function", "pushed"),
        ("failure.topic", "out"),
        ("failure.partition", "2"),
        ("failure.offset", "1"),
        ("failure.attempts", "2"),
    ] {
        assert_eq!(dead.header(name), value);
    }
    assert!(dead.header("failure.message").contains("told to fail"));
    simulator.stop().await;
}

#[tokio::test]
async fn what_is_given_up_without_a_dead_letter_is_said_to_be() {
    let (simulator, producer, pushed) = start("maximumRetryAttempts: 1").await;
    let (_directory, path) = signal();
    producer.send("out", 0, "k", &until("named", &path)).await;
    producer.send("out", 0, "k", "behind").await;
    pushed.until("out-0", "behind").await;
    simulator.says("records given up").await;
    for expected in ["RetryAttemptsExhausted", "attempts=2", "batchItemFailures"] {
        simulator.says(expected).await;
    }
    assert!(!simulator.stderr().contains("named:"));
    come_to(&simulator, [2, 0, 0]).await;
    simulator.stop().await;
}

#[tokio::test]
async fn records_that_are_too_old_never_reach_the_function() {
    let (simulator, producer, pushed) =
        start("maximumRecordAgeInSeconds: 60, deadLetter: dead").await;
    let mut old = record(Some("k"), Some("old"), &[]);
    old.timestamp -= Duration::from_secs(61);
    let records = vec![old.clone(), old, record(Some("k"), Some("young"), &[])];
    producer.store("out", 0, records).await;
    pushed.until("out-0", "young").await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    for dead in consumer.records("dead", 2).await {
        assert_eq!(dead.value, b"old");
        assert_eq!(dead.header("failure.condition"), "RecordAgeExceeded");
        assert_eq!(dead.header("failure.attempts"), "0");
        assert!(!dead.headers.contains_key("failure.message"));
    }
    assert_eq!(pushed.values(1).await["out-0"], ["young"]);
    come_to(&simulator, [3, 0, 0]).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_topic_that_was_never_read_is_read_from_where_the_contract_says() {
    let (cluster, producer, _unused) = start("").await;
    producer.send("out", 0, "k", "before").await;
    for (position, expected) in [
        ("TRIM_HORIZON", vec!["before", "after"]),
        ("LATEST", vec!["after"]),
    ] {
        let pushed = Pushed::new();
        let contract = contract("out", &format!("startingPosition: {position}"));
        let launch = pushed.launch(&contract).kafka(&cluster.kafka);
        // A group of its own for each.
        let launch = launch.option("--stage", &position.to_lowercase());
        let simulator = launch.start(&["--create-topics"]).await;
        if position == "TRIM_HORIZON" {
            pushed.until("out-0", "before").await;
        }
        producer.send("out", 0, "k", "after").await;
        pushed.until("out-0", "after").await;
        assert_eq!(pushed.values(1).await["out-0"], expected);
        simulator.stop().await;
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_batch_has_no_more_bytes_than_lambda_takes() {
    // In base64, six of them are more than 6 MB.
    const BYTES: usize = 880_000;
    let (simulator, producer, pushed) = start("maximumBatchingWindowInSeconds: 300").await;
    for index in 0..6 {
        let value = format!("{index}{}", "x".repeat(BYTES));
        producer.send("out", index % 3, "k", &value).await;
    }
    let events = pushed.events(1).await;
    assert_eq!((events.len(), count(&events[0])), (1, 5));
    simulator.stop().await;
}

#[tokio::test]
async fn a_partition_that_fails_in_a_batch_is_no_matter_to_the_others_in_it() {
    let (simulator, producer, pushed) =
        start("batchSize: 3, maximumBatchingWindowInSeconds: 300").await;
    let (_directory, path) = signal();
    producer.send("out", 0, "k", &until("named", &path)).await;
    producer.send("out", 1, "k", "first").await;
    producer.send("out", 1, "k", "second").await;
    let events = pushed.events(3).await;
    assert_eq!(count(&events[0]), 3);
    // From now on the one that failed goes out alone.
    for event in &events[1..] {
        assert_eq!((count(event), count_of(event, "out-0")), (1, 1));
    }
    come_to(&simulator, [0, 2, 0]).await;
    fs::write(&path, "").unwrap();
    come_to(&simulator, [1, 2, 0]).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_function_that_is_killed_in_the_middle_gets_its_batch_again() {
    let (simulator, producer, pushed) = start("").await;
    let (_directory, path) = signal();
    producer.send("out", 0, "k", &until("wait", &path)).await;
    pushed.events(1).await;
    let is_function = |process: &Process| process.command.contains("pushed.py");
    for process in simulator.processes().into_iter().filter(is_function) {
        process.signal(Signal::KILL);
    }
    pushed.events(2).await;
    fs::write(&path, "").unwrap();
    producer.send("out", 0, "k", "behind").await;
    pushed.until("out-0", "behind").await;
    simulator.stop().await;
}

#[tokio::test]
async fn the_mapping_has_joined_before_anybody_can_know() {
    for _ in 0..5 {
        let (simulator, producer, pushed) = start("startingPosition: LATEST").await;
        producer.send("out", 0, "k", "first").await;
        pushed.until("out-0", "first").await;
        simulator.stop().await;
    }
}

#[tokio::test]
async fn the_end_lets_the_batch_under_way_finish() {
    let (mut simulator, producer, pushed) = start("").await;
    let (_directory, path) = signal();
    producer.send("out", 0, "k", &until("wait", &path)).await;
    pushed.events(1).await;
    simulator.signal(Signal::TERM);
    fs::write(&path, "").unwrap();
    let status = simulator.ended().await;
    assert!(status.success(), "{status}");
    assert!(
        !simulator.stderr().contains("redelivered"),
        "{}",
        simulator.stderr()
    );
}

#[tokio::test]
async fn a_batch_that_hangs_does_not_hold_up_the_end() {
    let (mut simulator, producer, pushed) = start("").await;
    let (_directory, path) = signal();
    producer.send("out", 0, "k", &until("wait", &path)).await;
    pushed.events(1).await;
    simulator.signal(Signal::TERM);
    let status = simulator.ended().await;
    assert!(status.success(), "{status}");
    assert!(
        simulator.stderr().contains("redelivered"),
        "{}",
        simulator.stderr()
    );
}

#[cfg(feature = "kcat")]
#[tokio::test]
async fn what_kcat_writes_is_read_whatever_it_is() {
    use tests::kcat::kcat;
    let (simulator, _, pushed) = start("").await;
    // A header without a value, and every compression.
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let arguments = ["-t", "out", "-p", "0", "-P", "-z", codec, "-H", "empty"];
        let line = format!("{}{codec}\n", "x".repeat(1000));
        kcat(&simulator.kafka, &arguments, &line).await;
        pushed.until("out-0", line.trim()).await;
    }
    simulator.stop().await;
}

#[cfg(feature = "kcat")]
#[tokio::test]
async fn headers_come_as_often_as_they_are_there_and_are_left_so() {
    use tests::kcat::kcat;
    let (simulator, _, pushed) = start("maximumRetryAttempts: 0, deadLetter: dead").await;
    let (_directory, path) = signal();
    let headers = ["-H", "a=1", "-H", "failure.topic=x", "-H", "a=2"];
    let write = [&["-t", "out", "-p", "0", "-P"][..], &headers].concat();
    kcat(&simulator.kafka, &write, &until("error", &path)).await;
    let event = pushed.events(1).await.remove(0);
    assert_eq!(
        event["records"]["out-0"][0]["headers"],
        serde_json::json!([{"a": [49]}, {"failure.topic": [120]}, {"a": [50]}])
    );
    come_to(&simulator, [1, 0, 0]).await;
    let dead = kcat(
        &simulator.kafka,
        &["-t", "dead", "-C", "-e", "-q", "-f", "%h\n"],
        "",
    )
    .await;
    let own = "a=1,failure.topic=x,a=2,failure.condition=RetryAttemptsExhausted,";
    assert!(dead.starts_with(own), "{dead}");
    assert!(dead.contains(",failure.topic=out,"), "{dead}");
    simulator.stop().await;
}

/// Nothing but its launch is special here: a contract names a function that is not ours.
#[tokio::test]
async fn a_wrong_dead_letter_is_refused() {
    let launch = Launch::default().contract(&contract("out", "deadLetter: out"));
    let refusal = launch.refusal(&[]).await;
    assert!(
        refusal.stderr.contains("push.deadLetter"),
        "{}",
        refusal.stderr
    );
}
