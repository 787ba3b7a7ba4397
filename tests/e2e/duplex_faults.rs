//! Faults on the way from a record to a browser.

use std::time::Duration;

use rskafka::record::Record;
use rustix::process::Signal;
use tests::{
    client::Client,
    consumer::Consumer,
    duplex::{Topics, connected},
    group::committed,
    http::{self, connection_url},
    producer::{Producer, record},
    real_kafka::free_ports,
    simulator::{Launch, Simulator, none_left},
    unwilling::Unwilling,
    wait::eventually,
};
use tokio::time::Instant;

/// Records of a batch: enough that most are undelivered when the first arrives.
const RECORDS: usize = 500;

/// Settings that deliver all [`RECORDS`] in one batch.
const ONE_BATCH: &str = ", batchSize: 500, maximumBatchingWindowInSeconds: 300";

/// Attempts to kill a function in mid-batch: on a busy machine a kill may come too late.
const KILLS_MAX: usize = 10;

/// The timeout of `push`, which runs out while a client does not read.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The longest backoff before a failed batch is retried.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// The shipped contract discards records of this age.
const RECORD_AGE_MAX: Duration = Duration::from_secs(60);

/// The largest message that the gateway accepts.
const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// A connection counts as full when it refuses this many rounds of messages in a row.
const ROUNDS: usize = 20;

/// The mapping's consumer group, named after the stage and the function.
const GROUP: &str = "local-sim-dev-push";

/// Starts a simulator with these settings of `push`, and a producer for its broker.
async fn start(settings: &str) -> (Simulator, Topics, Producer) {
    let topics = Topics::prefixed("");
    let simulator = topics.launch(settings).start(&[]).await;
    let producer = Producer::connect(&simulator.kafka).await;
    (simulator, topics, producer)
}

/// Returns a record addressed to the connection `id`.
fn to(id: &str, value: &str) -> Record {
    record(Some(id), Some(value), &[])
}

/// Returns [`RECORDS`] numbered records, addressed to the connections in turn.
fn numbered(ids: &[&str]) -> Vec<Record> {
    let addressees = ids.iter().cycle().take(RECORDS).enumerate();
    addressees
        .map(|(index, id)| to(id, &index.to_string()))
        .collect()
}

/// Waits until the mapping has committed this many records of partition 0.
async fn committed_up_to(simulator: &Simulator, topics: &Topics, records: usize) {
    let expected = [i64::try_from(records).unwrap()];
    eventually("the offset is committed", async || {
        let offsets = committed(&simulator.kafka, GROUP, &topics.outbound, 1).await;
        (offsets == expected).then_some(())
    })
    .await;
}

/// Reads numbered messages up to and including the last.
async fn messages(client: &mut Client) -> Vec<usize> {
    let mut messages = Vec::new();
    while messages.last() != Some(&(RECORDS - 1)) {
        messages.push(client.next().await.parse().unwrap());
    }
    messages
}

#[tokio::test]
async fn a_connection_that_vanishes_in_mid_batch_does_not_affect_others() {
    let (simulator, topics, producer) = start(ONE_BATCH).await;
    let (mut gone, its_id) = connected(&simulator, &topics, "gone").await;
    let (mut stays, other_id) = connected(&simulator, &topics, "stays").await;
    let records = numbered(&[&its_id, &other_id]);
    producer.store(&topics.outbound, 0, records.clone()).await;
    assert_eq!(gone.next().await, "0");
    // The client sends no close frame: its socket closes while messages are in flight.
    drop(gone);
    let odd: Vec<usize> = (1..RECORDS).step_by(2).collect();
    assert_eq!(messages(&mut stays).await, odd);
    let consumer = Consumer::connect(&simulator.kafka).await;
    consumer.records(&topics.connections, 3).await;
    // Now every message to the closed connection gets a 410.
    producer.store(&topics.outbound, 0, records).await;
    assert_eq!(messages(&mut stays).await, odd);
    committed_up_to(&simulator, &topics, 2 * RECORDS).await;
    simulator.says("gone=250").await;
    stays.leave().await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_push_killed_in_mid_batch_delivers_everything_at_least_once() {
    let (simulator, topics, producer) = start(ONE_BATCH).await;
    let (mut client, id) = connected(&simulator, &topics, "a").await;
    for kill in 1..=KILLS_MAX {
        let records = numbered(&[&id]);
        producer.store(&topics.outbound, 0, records).await;
        assert_eq!(client.next().await, "0");
        let killed = simulator.function("release/push");
        assert_eq!(killed.len(), 1);
        killed[0].signal(Signal::KILL);
        none_left(&killed).await;
        let mut found = messages(&mut client).await;
        // Message 0 was read above. A second one begins the redelivered batch, which is whole and
        // in order, and follows the messages that were delivered before the kill.
        let second_start = found.iter().position(|&message| message == 0);
        let is_redelivered = second_start.is_some();
        let batch = found.split_off(second_start.unwrap_or_default());
        assert_eq!(batch, Vec::from_iter(usize::from(!is_redelivered)..RECORDS));
        assert_eq!(found, Vec::from_iter(1..=found.len()));
        committed_up_to(&simulator, &topics, kill * RECORDS).await;
        if is_redelivered {
            return simulator.stop().await;
        }
    }
    panic!("none of {KILLS_MAX} kills came before its batch was done");
}

#[tokio::test]
async fn records_without_a_valid_address_are_counted_and_skipped() {
    let (simulator, topics, producer) = start("").await;
    let (mut client, id) = connected(&simulator, &topics, "a").await;
    let poison = [
        record(None, Some("s3cret"), &[]),
        record(Some(&id), Some("s3cret"), &[("to", "s3cret")]),
        record(Some("no id"), Some("s3cret"), &[]),
    ];
    let records = [&poison[..], &[to(&id, "behind")]].concat();
    producer.store(&topics.outbound, 0, records).await;
    assert_eq!(client.next().await, "behind");
    committed_up_to(&simulator, &topics, 4).await;
    for expected in [
        "no recipient",
        "header `to`: not a JSON list",
        "key: invalid connection id",
        "poison=3",
    ] {
        simulator.says(expected).await;
    }
    assert!(!simulator.stderr().contains("s3cret"));
    simulator.stop().await;
}

#[tokio::test]
async fn a_null_value_closes_the_connection_after_earlier_messages() {
    let (simulator, topics, producer) = start("").await;
    let (mut client, id) = connected(&simulator, &topics, "a").await;
    let records = vec![to(&id, "goodbye"), record(Some(&id), None, &[])];
    producer.store(&topics.outbound, 0, records).await;
    assert_eq!(client.next().await, "goodbye");
    assert_eq!(client.closed().await, 1000);
    committed_up_to(&simulator, &topics, 2).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_strict_gateway_accepts_the_sdks_signatures() {
    let topics = Topics::prefixed("");
    let launch = topics.launch("").option("--connections-auth", "strict");
    let simulator = launch.start(&[]).await;
    let producer = Producer::connect(&simulator.kafka).await;
    let (mut client, id) = connected(&simulator, &topics, "a").await;
    let records = vec![to(&id, "hello"), record(Some(&id), None, &[])];
    producer.store(&topics.outbound, 0, records).await;
    assert_eq!(client.next().await, "hello");
    assert_eq!(client.closed().await, 1000);
    simulator.stop().await;
}

#[tokio::test]
async fn records_signed_with_a_wrong_key_go_to_the_dead_letter_topic() {
    let topics = Topics::prefixed("");
    let settings = format!(", maximumRetryAttempts: 0, deadLetter: {}", topics.dead);
    let launch = topics.launch(&settings);
    let launch = launch.option("--connections-auth", "strict");
    let launch = launch
        .env("AWS_ACCESS_KEY_ID", "sluice")
        .env("AWS_SECRET_ACCESS_KEY", "guessed");
    let simulator = launch.start(&[]).await;
    let producer = Producer::connect(&simulator.kafka).await;
    let (_client, id) = connected(&simulator, &topics, "a").await;
    producer
        .store(&topics.outbound, 0, vec![to(&id, "hello")])
        .await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let dead = consumer.records(&topics.dead, 1).await.remove(0);
    assert_eq!((&dead.key, &dead.value[..]), (&id, &b"hello"[..]));
    assert_eq!(dead.header("failure.function"), "push");
    simulator.says("refused with 403").await;
    // `push` logs the refusal as well.
    simulator.says("the gateway returned status 403").await;
    simulator.stop().await;
}

#[tokio::test]
async fn messages_are_retried_in_order_when_the_gateway_refuses_at_first() {
    const CLIENTS: usize = 3;
    const MESSAGES: usize = 20;
    let [port] = free_ports();
    let gateway = Unwilling::start(port, "dev", &[429, 500]).await;
    let topics = Topics::prefixed("");
    // With a single batch, the counts in the log cover every record.
    let count = CLIENTS * MESSAGES;
    let launch = topics.launch(&format!(
        ", batchSize: {count}, maximumBatchingWindowInSeconds: 300"
    ));
    let launch = launch
        .option("--listen", &format!("127.0.0.1:{port}"))
        .env("CALLBACK_URL", &gateway.url);
    let simulator = launch.start(&[]).await;
    let producer = Producer::connect(&simulator.kafka).await;
    let mut clients = Vec::new();
    for index in 0..CLIENTS {
        clients.push(connected(&simulator, &topics, &index.to_string()).await);
    }
    let ids = clients.iter().map(|(_, id)| id.as_str());
    let records = (0..MESSAGES).flat_map(|index| {
        let ids = ids.clone();
        ids.map(move |id| to(id, &index.to_string()))
    });
    producer.store(&topics.outbound, 0, records.collect()).await;
    for (mut client, _) in clients {
        for index in 0..MESSAGES {
            assert_eq!(client.next().await, index.to_string());
        }
        client.leave().await;
    }
    committed_up_to(&simulator, &topics, count).await;
    simulator.says(&format!("delivered={count}")).await;
    simulator.says(&format!("retried={}", 2 * count)).await;
    simulator.stop().await;
}

/// Returns a client that does not read and whose connection is full, and its id.
async fn stuck_client(simulator: &Simulator, topics: &Topics) -> (Client, String) {
    let (client, id) = connected(simulator, topics, "stuck").await;
    let url = connection_url(&simulator.connections, &id);
    let messages = [MESSAGE_BYTES_MAX, 8_192, 512, 1].map(|bytes| "x".repeat(bytes));
    // The connection must stay full: the kernel may still be draining the gateway's queue.
    eventually("the connection is full", async || {
        let mut is_full = true;
        for message in messages.iter().cycle().take(ROUNDS * messages.len()) {
            is_full &= http::signed("POST", &url, message).await.status == 429;
        }
        is_full.then_some(())
    })
    .await;
    (client, id)
}

#[tokio::test]
async fn records_for_a_client_that_does_not_read_expire_without_delaying_others() {
    let shipped = std::fs::read_to_string(tests::binaries::root().join("gateway.yaml")).unwrap();
    let seconds = TIMEOUT.as_secs();
    let contract = format!("{shipped}functions: {{ push: {{ timeout: {seconds} }} }}\n");
    let simulator = Launch::default().contract(&contract).start(&[]).await;
    let topics = Topics::prefixed("");
    let producer = Producer::connect(&simulator.kafka).await;
    let (_stuck, its_id) = stuck_client(&simulator, &topics).await;
    let (mut client, id) = connected(&simulator, &topics, "a").await;
    // Most of the record's maximum age has already passed, which shortens the test.
    let mut record = to(&its_id, "in vain");
    record.timestamp -= RECORD_AGE_MAX - 4 * TIMEOUT;
    let refusals = || simulator.stderr().matches("refused with 429").count();
    let before = refusals();
    producer.store(&topics.outbound, 0, vec![record]).await;
    eventually("the batch has begun", async || {
        (refusals() > before).then_some(())
    })
    .await;
    let start = Instant::now();
    producer
        .store(&topics.outbound, 0, vec![to(&id, "hello")])
        .await;
    assert_eq!(client.next().await, "hello");
    let taken = start.elapsed();
    assert!(taken < TIMEOUT + BACKOFF_MAX, "{taken:?}");
    assert!(
        !simulator.stderr().contains("given up"),
        "the healthy client's record waited for the stuck one"
    );
    committed_up_to(&simulator, &topics, 2).await;
    simulator.says("RecordAgeExceeded").await;
    // It was delivered once, although its batch was retried.
    client.leave().await;
    simulator.stop().await;
}
