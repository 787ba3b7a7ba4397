//! What becomes of records for browsers when something fails on the way.

use std::time::Duration;

use rskafka::record::Record;
use rustix::process::Signal;
use tests::client::Client;
use tests::consumer::Consumer;
use tests::duplex::{Topics, connected};
use tests::group::committed;
use tests::http::{self, connection_url};
use tests::producer::{Producer, record};
use tests::real_kafka::free_ports;
use tests::simulator::{Launch, Simulator, none_left};
use tests::unwilling::Unwilling;
use tests::wait::eventually;
use tokio::time::Instant;

/// The records of a batch, most of which are still to come when the first has arrived.
const RECORDS: usize = 500;

/// A batch that begins when all of these records are there.
const ONE_BATCH: &str = ", batchSize: 500, maximumBatchingWindowInSeconds: 300";

/// A machine may be too busy for a kill in the middle of a batch, but not so often.
const KILLS_MAX: usize = 10;

/// How long `push` may take where a client does not read, and after that the pause before the batch comes again.
const TIMEOUT: Duration = Duration::from_secs(3);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The contract as shipped gives a record up after this time.
const RECORD_AGE_MAX: Duration = Duration::from_secs(60);

/// The gateway takes no longer message.
const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// So often in a row a connection without room refuses every message.
const LOOKS: usize = 20;

/// The mapping's group, of the stage and the function.
const GROUP: &str = "local-sim-dev-push";

/// A simulator with these settings of `push`, and who writes what is pushed.
async fn start(settings: &str) -> (Simulator, Topics, Producer) {
    let topics = Topics::prefixed("");
    let simulator = topics.launch(settings).start(&[]).await;
    let producer = Producer::connect(&simulator.kafka).await;
    (simulator, topics, producer)
}

/// A record for a connection.
fn to(id: &str, value: &str) -> Record {
    record(Some(id), Some(value), &[])
}

/// Numbered records, for each of the connections in turn.
fn numbered(ids: &[&str]) -> Vec<Record> {
    let turns = ids.iter().cycle().take(RECORDS).enumerate();
    turns
        .map(|(index, id)| to(id, &index.to_string()))
        .collect()
}

/// Waits until the mapping is done with so many records of partition 0.
async fn done(simulator: &Simulator, topics: &Topics, records: usize) {
    let expected = [i64::try_from(records).unwrap()];
    eventually("committed offsets", async || {
        let offsets = committed(&simulator.kafka, GROUP, &topics.outbound, 1).await;
        (offsets == expected).then_some(())
    })
    .await;
}

/// Waits until something is in the log.
async fn says(simulator: &Simulator, expected: &str) {
    let has = async || simulator.stderr().contains(expected).then_some(());
    eventually(&format!("{expected:?} in the log"), has).await;
}

/// Reads until the last of the messages comes.
async fn messages(client: &mut Client) -> Vec<usize> {
    let mut messages = Vec::new();
    while messages.last() != Some(&(RECORDS - 1)) {
        messages.push(client.next().await.parse().unwrap());
    }
    messages
}

#[tokio::test]
async fn a_connection_that_vanishes_in_mid_batch_costs_nobody_else_anything() {
    let (simulator, topics, producer) = start(ONE_BATCH).await;
    let (mut gone, its_id) = connected(&simulator, &topics, "gone").await;
    let (mut stays, other_id) = connected(&simulator, &topics, "stays").await;
    let records = numbered(&[&its_id, &other_id]);
    producer.store(&topics.outbound, 0, records.clone()).await;
    assert_eq!(gone.next().await, "0");
    // No goodbye: the socket ends with messages under way to it.
    drop(gone);
    let odd: Vec<usize> = (1..RECORDS).step_by(2).collect();
    assert_eq!(messages(&mut stays).await, odd);
    let consumer = Consumer::connect(&simulator.kafka).await;
    consumer.records(&topics.connections, 3).await;
    // Now all of its messages find that it is gone.
    producer.store(&topics.outbound, 0, records).await;
    assert_eq!(messages(&mut stays).await, odd);
    done(&simulator, &topics, 2 * RECORDS).await;
    says(&simulator, "gone=250").await;
    stays.leave().await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_push_that_is_killed_in_mid_batch_delivers_everything_at_least_once() {
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
        // The first one was there before, and is among these only if the batch came again: all of it, in its order,
        // behind what was delivered of it before the kill.
        let again = found.iter().position(|&message| message == 0);
        let came_again = again.is_some();
        let whole = found.split_off(again.unwrap_or_default());
        assert_eq!(whole, Vec::from_iter(usize::from(!came_again)..RECORDS));
        assert_eq!(found, Vec::from_iter(1..=found.len()));
        done(&simulator, &topics, kill * RECORDS).await;
        if came_again {
            return simulator.stop().await;
        }
    }
    panic!("{KILLS_MAX} batches were done before anybody could kill their function");
}

#[tokio::test]
async fn a_record_for_nobody_is_counted_and_holds_up_none_behind_it() {
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
    done(&simulator, &topics, 4).await;
    for expected in [
        "no recipient",
        "header `to`: not a JSON list",
        "key: invalid connection id",
        "poison=3",
    ] {
        says(&simulator, expected).await;
    }
    assert!(!simulator.stderr().contains("s3cret"));
    simulator.stop().await;
}

#[tokio::test]
async fn a_null_value_closes_the_connection_behind_what_came_before() {
    let (simulator, topics, producer) = start("").await;
    let (mut client, id) = connected(&simulator, &topics, "a").await;
    let records = vec![to(&id, "goodbye"), record(Some(&id), None, &[])];
    producer.store(&topics.outbound, 0, records).await;
    assert_eq!(client.next().await, "goodbye");
    assert_eq!(client.closed().await, 1000);
    done(&simulator, &topics, 2).await;
    simulator.stop().await;
}

#[tokio::test]
async fn the_sdk_signs_as_a_strict_gateway_demands() {
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
async fn records_that_another_key_signs_are_given_up_and_left_in_the_dead_letter() {
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
    says(&simulator, "refused with 403").await;
    // And `push` itself, in its own log.
    says(&simulator, "the gateway returned status 403").await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_gateway_that_refuses_at_first_gets_everything_in_order() {
    const CLIENTS: usize = 3;
    const MESSAGES: usize = 20;
    let [port] = free_ports();
    let gateway = Unwilling::start(port, "dev", &[429, 500]).await;
    let topics = Topics::prefixed("");
    // All in one batch, so that its counts are all there are.
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
    done(&simulator, &topics, count).await;
    says(&simulator, &format!("delivered={count}")).await;
    says(&simulator, &format!("retried={}", 2 * count)).await;
    simulator.stop().await;
}

/// A client that does not read, and whose connection has room for nothing more.
async fn stuck(simulator: &Simulator, topics: &Topics) -> (Client, String) {
    let (client, id) = connected(simulator, topics, "stuck").await;
    let url = connection_url(&simulator.connections, &id);
    let messages = [MESSAGE_BYTES_MAX, 8_192, 512, 1].map(|bytes| "x".repeat(bytes));
    // Not for a moment only, while the system still takes what is written.
    eventually("a connection without room", async || {
        let mut is_full = true;
        for message in messages.iter().cycle().take(LOOKS * messages.len()) {
            is_full &= http::signed("POST", &url, message).await.status == 429;
        }
        is_full.then_some(())
    })
    .await;
    (client, id)
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up_and_keeps_nobody_from_anything_until_then() {
    let shipped = std::fs::read_to_string(tests::binaries::root().join("gateway.yaml")).unwrap();
    let seconds = TIMEOUT.as_secs();
    let contract = format!("{shipped}functions: {{ push: {{ timeout: {seconds} }} }}\n");
    let simulator = Launch::default().contract(&contract).start(&[]).await;
    let topics = Topics::prefixed("");
    let producer = Producer::connect(&simulator.kafka).await;
    let (_stuck, its_id) = stuck(&simulator, &topics).await;
    let (mut client, id) = connected(&simulator, &topics, "a").await;
    // Some of its time is over, so that nobody waits for all of it here.
    let mut record = to(&its_id, "in vain");
    record.timestamp -= RECORD_AGE_MAX - 4 * TIMEOUT;
    let refusals = || simulator.stderr().matches("refused with 429").count();
    let before = refusals();
    producer.store(&topics.outbound, 0, vec![record]).await;
    eventually("a batch under way", async || {
        (refusals() > before).then_some(())
    })
    .await;
    let start = Instant::now();
    producer
        .store(&topics.outbound, 0, vec![to(&id, "hello")])
        .await;
    assert_eq!(client.next().await, "hello");
    let taken = start.elapsed();
    assert!(taken < TIMEOUT + PAUSE_MAX, "{taken:?}");
    assert!(!simulator.stderr().contains("given up"), "it had to wait");
    done(&simulator, &topics, 2).await;
    says(&simulator, "RecordAgeExceeded").await;
    // It was delivered once, though it has come again with the record before it.
    client.leave().await;
    simulator.stop().await;
}
