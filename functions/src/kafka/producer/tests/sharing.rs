//! What the records of a process share: the session, its connections, and the
//! bounds upon them.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;

use super::*;
use crate::kafka::session::{IN_FLIGHT_MAX, PARTITIONS_MAX, Session};

fn accepted(state: &State) -> usize {
    state.accepted.load(Ordering::SeqCst)
}

/// Publishes records of so many keys at once.
async fn publish_all(producer: &Producer, keys: usize) -> Vec<Result<Receipt, Failure>> {
    let keys: Vec<String> = (0..keys).map(|key| key.to_string()).collect();
    join_all(keys.iter().map(|key| publish(producer, key))).await
}

#[tokio::test]
async fn records_share_one_connection_for_each_partition() {
    const PARTITIONS: i32 = 4;
    let broker = Broker::start(PARTITIONS, &[]).await;
    let (producer, _) = producer(&broker.address());

    let results = publish_all(&producer, 100).await;

    assert!(results.iter().all(Result::is_ok));
    assert_eq!(broker.stored().len(), 100);
    let partitions: BTreeSet<i32> = broker.stored().iter().map(|one| one.partition).collect();
    assert_eq!(partitions.len(), 4);
    assert_eq!(accepted(&broker.state), 1 + 4);
    let names = broker.state.client_ids.lock().clone();
    assert!(names.iter().all(|name| name == "message"));
}

#[tokio::test]
async fn a_broken_session_is_thrown_away_whole_and_its_sockets_with_it() {
    let broker = Broker::start(1, &[Reply::StoreAndCut]).await;
    let (producer, _) = producer(&broker.address());

    publish(&producer, "k").await.expect("stored");

    assert_eq!(accepted(&broker.state), 2 + 2);
    let open = |state: &State| state.open.load(Ordering::SeqCst);
    broker.until(|state| open(state) == 2).await;
    drop(producer);
    broker.until(|state| open(state) == 0).await;
}

#[tokio::test]
async fn no_more_records_are_in_flight_than_may() {
    let replies = [Reply::StoreAndHold; IN_FLIGHT_MAX + 2];
    let broker = Broker::start(1, &replies).await;
    let (producer, _) = producer(&broker.address());
    let sent = |state: &State| state.stored.lock().len();
    let checking = async {
        broker.until(|state| sent(state) == IN_FLIGHT_MAX).await;
        // One is let go, and one more comes; nobody hurries ahead meanwhile.
        broker.state.allowed.add_permits(1);
        broker.until(|state| sent(state) > IN_FLIGHT_MAX).await;
        assert_eq!(sent(&broker.state), IN_FLIGHT_MAX + 1);
        broker.state.allowed.add_permits(IN_FLIGHT_MAX + 1);
    };

    let (results, ()) = tokio::join!(publish_all(&producer, IN_FLIGHT_MAX + 2), checking);

    assert!(results.iter().all(Result::is_ok));
    assert_eq!(broker.stored().len(), IN_FLIGHT_MAX + 2);
}

#[tokio::test]
async fn a_record_that_others_were_before_until_its_deadline_is_not_sent() {
    let broker = Broker::start(1, &[Reply::StoreAndHold; IN_FLIGHT_MAX]).await;
    let (producer, _) = producer(&broker.address());
    let last = async {
        broker
            .until(|state| state.stored.lock().len() == IN_FLIGHT_MAX)
            .await;
        let little = Duration::from_millis(50);
        let record = record("last", b"");
        let result = producer.publish(record, Instant::now() + little).await;
        broker.state.allowed.add_permits(IN_FLIGHT_MAX);
        result.expect_err("no room")
    };

    let (results, failure) = tokio::join!(publish_all(&producer, IN_FLIGHT_MAX), last);

    assert!(results.iter().all(Result::is_ok));
    assert_eq!(failure.code, Code::Unavailable);
    assert!(chain(&failure).contains("waiting"), "{}", chain(&failure));
    assert_eq!(broker.stored().len(), IN_FLIGHT_MAX);
}

#[tokio::test]
async fn a_record_that_waited_for_others_does_not_go_into_the_session_they_gave_up() {
    let broker = Broker::start(1, &[Reply::StoreAndFallSilent; IN_FLIGHT_MAX]).await;
    let (producer, lines) = producer(&broker.address());
    let last = async {
        broker
            .until(|state| state.stored.lock().len() == IN_FLIGHT_MAX)
            .await;
        publish(&producer, "last").await
    };

    let (results, last) = tokio::join!(publish_all(&producer, IN_FLIGHT_MAX), last);

    assert!(last.is_ok() && results.iter().all(Result::is_ok));
    assert_eq!(broker.stored().len(), 2 * IN_FLIGHT_MAX + 1);
    let lines = lines.lock();
    assert_eq!(lines.len(), IN_FLIGHT_MAX);
    assert!(!lines.iter().any(|line| line.contains("id-last")));
}

#[tokio::test]
async fn a_partition_that_was_idle_too_long_is_connected_with_anew() {
    let (broker, session) = session(1).await;
    let begun = SystemTime::now();
    for (seconds, connections) in [(0, 2), (60, 2), (120, 2), (181, 3), (181, 3)] {
        let now = begun + Duration::from_secs(seconds);
        assert!(session.find(&record("k", b""), now).await.is_ok());
        assert_eq!(accepted(&broker.state), connections, "after {seconds} s");
    }
}

/// A session with a broker of so many partitions, and no records in it yet.
async fn session(partitions: i32) -> (Broker, Session) {
    let broker = Broker::start(partitions, &[]).await;
    let connected = Session::connect(&broker.settings(), "test").await;
    (broker, connected.expect("connected"))
}

fn open(state: &State) -> usize {
    state.open.load(Ordering::SeqCst)
}

#[tokio::test]
async fn partitions_that_are_idle_too_long_are_disconnected_from() {
    let (broker, session) = session(20).await;
    let begun = SystemTime::now();
    for key in 0..100 {
        let record = record(&key.to_string(), b"");
        assert!(session.find(&record, begun).await.is_ok());
    }
    assert_eq!(open(&broker.state), 1 + 20);

    let now = begun + Duration::from_secs(61);
    assert!(session.find(&record("k", b""), now).await.is_ok());

    broker.until(|state| open(state) == 1 + 1).await;
    assert!(!session.is_over(now), "the others are none the worse");
}

#[tokio::test]
async fn of_many_partitions_the_last_used_are_connected_with() {
    let (broker, session) = session(1_000).await;
    let begun = SystemTime::now();
    let find = async |key: u32, after| {
        let record = record(&key.to_string(), b"");
        let now = begun + Duration::from_millis(after);
        assert!(session.find(&record, now).await.is_ok());
    };
    for key in 0..300 {
        find(0, u64::from(key)).await;
        find(key, u64::from(key)).await;
    }

    broker
        .until(|state| open(state) == 1 + PARTITIONS_MAX)
        .await;
    let before = accepted(&broker.state);
    find(0, 300).await;
    find(299, 300).await;
    assert_eq!(accepted(&broker.state), before, "these are kept");
    assert!(!session.is_over(begun), "the others are none the worse");
}

#[tokio::test]
async fn one_slow_connect_serves_all_who_wait_even_after_the_first_gave_up() {
    let slowness = Duration::from_millis(300);
    let broker = Broker::start(1, &[]).await;
    *broker.state.slowness.lock() = slowness;
    let (producer, _) = producer(&broker.address());
    let impatient = producer.publish(record("a", b""), Instant::now() + slowness / 10);

    let (first, others) = tokio::join!(impatient, publish_all(&producer, 10));

    assert_eq!(first.expect_err("no time").code, Code::Unavailable);
    assert!(others.iter().all(Result::is_ok));
    assert_eq!(accepted(&broker.state), 2);
}

#[tokio::test]
async fn one_failed_connect_is_had_once_by_all_who_wait() {
    let broker = Broker::start(1, &[]).await;
    *broker.state.slowness.lock() = TIME;
    let (producer, _) = producer(&broker.address());
    let little = Duration::from_millis(1_200);
    let started = Instant::now();

    let records = (0..20).map(|_| producer.publish(record("k", b""), started + little));
    let failures = join_all(records).await;

    for failure in failures {
        let failure = failure.expect_err("nobody answers");
        let chain = chain(&failure);
        assert!(chain.contains("connected, but no response"), "{chain}");
    }
    // Each connect takes 800 ms, and the second one is the last with any time.
    assert_eq!(accepted(&broker.state), 2);
}

#[tokio::test]
async fn warming_up_connects_with_one_partition_and_records_then_use_it() {
    let broker = Broker::start(10, &[]).await;
    let (producer, _) = producer(&broker.address());

    producer
        .warm_up(&["t".to_owned()].into())
        .await
        .expect("warm");

    assert_eq!(accepted(&broker.state), 1 + 1);
    // All topics to connect, and the partition's.
    let asked = broker.state.auto_creations.lock().len();
    assert_eq!(asked, 1 + 1, "and nothing is asked in vain");
    // Java's partitioner puts "21" of 10 partitions in the first.
    let receipt = publish(&producer, "21").await.expect("stored");
    assert_eq!(receipt.partition, 0);
    assert_eq!(accepted(&broker.state), 1 + 1);
    let asked = broker.state.auto_creations.lock().len();
    assert_eq!(asked, 1 + 1, "and nothing is asked again");
}

#[tokio::test]
async fn a_topic_that_is_missing_does_not_keep_the_others_from_being_warm() {
    let broker = Broker::start(1, &[]).await;
    let (producer, _) = producer(&broker.address());

    let topics = ["missing", "t"].map(str::to_owned);
    let error = producer.warm_up(&topics.into()).await;

    let error = error.expect_err("one is missing").to_string();
    assert_eq!(error, "there is no topic \"missing\" to be seen");
    let before = accepted(&broker.state);
    publish(&producer, "k").await.expect("stored");
    assert_eq!(accepted(&broker.state), before);
}
