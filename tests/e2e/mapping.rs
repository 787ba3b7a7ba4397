//! The event source mapping over the embedded broker, with a function that records control.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tests::{
    consumer::Consumer,
    group::committed,
    process::Process,
    producer::{Producer, record},
    proxy::Proxy,
    pushed::{Pushed, contract},
    real_kafka::free_ports,
    simulator::{Launch, Simulator},
    wait::eventually,
};

/// Starts a simulator whose mapping reads topic `out` with these settings.
///
/// Returns it with a producer, and with the events that the function receives.
async fn start(settings: &str) -> (Simulator, Producer, Pushed) {
    let pushed = Pushed::new();
    let simulator = pushed.launch(&contract("out", settings)).start(&[]).await;
    let producer = Producer::connect(&simulator.kafka).await;
    (simulator, producer, pushed)
}

/// Returns the path of a file that does not exist yet, and its folder.
fn signal_file() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("go");
    (directory, path)
}

/// Returns a record value that makes the function do `action` until the file exists.
fn until(action: &str, path: &Path) -> String {
    format!("{action}:{}", path.display())
}

#[tokio::test]
async fn the_event_has_lambdas_format() {
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

/// A load balancer in front of an unreachable broker behaves like this.
#[tokio::test]
async fn a_broker_that_accepts_but_does_not_respond_is_skipped() {
    let (cluster, producer, _unused) = start("").await;
    let [proxy_port, closed_port] = free_ports();
    let _proxy = Proxy::start(proxy_port, closed_port).await;
    let pushed = Pushed::new();
    let brokers = format!("127.0.0.1:{proxy_port},{}", cluster.kafka);
    let launch = pushed.launch(&contract("elsewhere", "")).kafka(&brokers);
    let simulator = launch.start(&["--create-topics"]).await;
    producer.send("elsewhere", 2, "k", "hello").await;
    pushed.until("elsewhere-2", "hello").await;
    simulator.stop().await;
    cluster.stop().await;
}

#[tokio::test]
async fn records_of_every_partition_arrive_in_order_and_are_committed() {
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
    check_committed(&simulator, [100, 100, 100]).await;
    simulator.stop().await;
}

/// Waits until the mapping has committed these offsets of topic `out`.
async fn check_committed(simulator: &Simulator, expected: [i64; 3]) {
    eventually("the offsets are committed", async || {
        let offsets = committed(&simulator.kafka, "local-sim-dev-pushed", "out", 3).await;
        (offsets == expected).then_some(())
    })
    .await;
}

fn count_in_partition(event: &Value, partition: &str) -> usize {
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
async fn a_batching_window_collects_several_partitions_into_one_batch() {
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
async fn a_failing_partition_does_not_delay_the_others() {
    for action in ["error", "named", "exit", "wait"] {
        let (simulator, producer, pushed) = start("").await;
        let (_directory, path) = signal_file();
        producer.send("out", 0, "k", &until(action, &path)).await;
        pushed.events(1).await;
        producer.send("out", 0, "k", "behind").await;
        producer.send("out", 1, "k", "beside").await;
        pushed.until("out-1", "beside").await;
        assert!(!pushed.is_done_with("out-0", "behind"), "{action}");
        fs::write(&path, "").unwrap();
        pushed.until("out-0", "behind").await;
        simulator.stop().await;
    }
}

#[tokio::test]
async fn records_before_a_reported_failure_are_not_retried() {
    let (simulator, producer, pushed) =
        start("batchSize: 3, maximumBatchingWindowInSeconds: 300").await;
    let (_directory, path) = signal_file();
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
async fn discarded_records_reach_the_dead_letter_topic_unchanged() {
    let (simulator, producer, pushed) =
        start("maximumRetryAttempts: 1, bisectBatchOnFunctionError: true, deadLetter: dead").await;
    let (_directory, path) = signal_file();
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
async fn records_discarded_without_a_dead_letter_topic_are_logged() {
    let (simulator, producer, pushed) = start("maximumRetryAttempts: 1").await;
    let (_directory, path) = signal_file();
    producer.send("out", 0, "k", &until("named", &path)).await;
    producer.send("out", 0, "k", "behind").await;
    pushed.until("out-0", "behind").await;
    simulator.says("records given up").await;
    for expected in ["RetryAttemptsExhausted", "attempts=2", "batchItemFailures"] {
        simulator.says(expected).await;
    }
    assert!(!simulator.stderr().contains("named:"));
    check_committed(&simulator, [2, 0, 0]).await;
    simulator.stop().await;
}

#[tokio::test]
async fn records_over_the_maximum_age_never_reach_the_function() {
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
    check_committed(&simulator, [3, 0, 0]).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_new_group_reads_from_the_starting_position() {
    let (cluster, producer, _unused) = start("").await;
    producer.send("out", 0, "k", "before").await;
    for (position, expected) in [
        ("TRIM_HORIZON", vec!["before", "after"]),
        ("LATEST", vec!["after"]),
    ] {
        let pushed = Pushed::new();
        let contract = contract("out", &format!("startingPosition: {position}"));
        let launch = pushed.launch(&contract).kafka(&cluster.kafka);
        // The stage is part of the group's name, so each position gets its own group.
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
async fn a_batch_fits_into_lambdas_payload_limit() {
    // Six values of this size exceed 6 MB in base64, and five do not.
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
async fn a_failing_partition_does_not_affect_the_others_in_its_batch() {
    let (simulator, producer, pushed) =
        start("batchSize: 3, maximumBatchingWindowInSeconds: 300").await;
    let (_directory, path) = signal_file();
    producer.send("out", 0, "k", &until("named", &path)).await;
    producer.send("out", 1, "k", "first").await;
    producer.send("out", 1, "k", "second").await;
    let events = pushed.events(3).await;
    assert_eq!(count(&events[0]), 3);
    // The failed partition is retried alone.
    for event in &events[1..] {
        assert_eq!((count(event), count_in_partition(event, "out-0")), (1, 1));
    }
    check_committed(&simulator, [0, 2, 0]).await;
    fs::write(&path, "").unwrap();
    check_committed(&simulator, [1, 2, 0]).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_batch_is_redelivered_after_its_function_is_killed() {
    let (simulator, producer, pushed) = start("").await;
    let (_directory, path) = signal_file();
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
async fn the_mapping_has_joined_its_group_when_the_simulator_is_ready() {
    for _ in 0..5 {
        let (simulator, producer, pushed) = start("startingPosition: LATEST").await;
        producer.send("out", 0, "k", "first").await;
        pushed.until("out-0", "first").await;
        simulator.stop().await;
    }
}

#[tokio::test]
async fn shutdown_lets_the_current_batch_finish() {
    let (mut simulator, producer, pushed) = start("").await;
    let (_directory, path) = signal_file();
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
async fn a_hanging_batch_does_not_delay_the_shutdown() {
    let (mut simulator, producer, pushed) = start("").await;
    let (_directory, path) = signal_file();
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
async fn records_from_kcat_are_read_with_any_compression() {
    use tests::kcat::kcat;
    let (simulator, _, pushed) = start("").await;
    // Each record also has a header without a value.
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
async fn repeated_headers_are_kept_in_the_event_and_in_the_dead_letter() {
    use tests::kcat::kcat;
    let (simulator, _, pushed) = start("maximumRetryAttempts: 0, deadLetter: dead").await;
    let (_directory, path) = signal_file();
    let headers = ["-H", "a=1", "-H", "failure.topic=x", "-H", "a=2"];
    let write = [&["-t", "out", "-p", "0", "-P"][..], &headers].concat();
    kcat(&simulator.kafka, &write, &until("error", &path)).await;
    let event = pushed.events(1).await.remove(0);
    assert_eq!(
        event["records"]["out-0"][0]["headers"],
        serde_json::json!([{"a": [49]}, {"failure.topic": [120]}, {"a": [50]}])
    );
    check_committed(&simulator, [1, 0, 0]).await;
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

#[tokio::test]
async fn a_dead_letter_topic_that_is_the_mapped_topic_is_refused() {
    let launch = Launch::default().contract(&contract("out", "deadLetter: out"));
    let refusal = launch.refusal(&[]).await;
    assert!(
        refusal.stderr.contains("push.deadLetter"),
        "{}",
        refusal.stderr
    );
}
