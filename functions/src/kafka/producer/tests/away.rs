//! While there is no broker to speak to.

use std::net::TcpListener;

use super::*;

/// Given to a record: enough for more than one attempt at a closed port.
const LITTLE: Duration = Duration::from_millis(1_500);
/// What anything may take beyond its time. It is looked at before the clock is,
/// so that a machine that stood still meanwhile is not held against it.
const SLACK: Duration = Duration::from_millis(500);

fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The failure of a record, which comes by its deadline.
async fn check(broker: String) -> Failure {
    let (producer, _) = producer(&broker);
    let publishing = producer.publish(record("k", b""), Instant::now() + LITTLE);
    timeout(LITTLE + SLACK, publishing)
        .await
        .expect("an answer by the deadline")
        .expect_err("nobody there to confirm it")
}

#[tokio::test]
async fn nobody_listening_is_unavailable_by_the_deadline_and_the_log_says_why() {
    let closed = closed();

    let failure = check(closed.clone()).await;

    assert_eq!(failure.code, Code::Unavailable);
    assert!(!failure.message.contains(&closed), "{failure}");
    let reason = format!("{closed}: connect failed: Connection refused");
    assert!(chain(&failure).contains(&reason), "{}", chain(&failure));
}

#[tokio::test]
async fn a_silent_broker_is_unavailable_by_the_deadline_and_the_log_says_why() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();

    let failure = check(address.clone()).await;

    assert_eq!(failure.code, Code::Unavailable);
    let reason = format!("{address}: connected, but no response within 800 ms");
    assert!(chain(&failure).contains(&reason), "{}", chain(&failure));
}

#[tokio::test]
async fn a_deadline_that_has_passed_is_unavailable_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (producer, _) = producer(&silent.local_addr().unwrap().to_string());

    let publishing = producer.publish(record("k", b""), Instant::now());
    let failure = timeout(SLACK, publishing).await.expect("at once");

    assert_eq!(failure.expect_err("too late").code, Code::Unavailable);
}

#[tokio::test]
async fn a_record_whose_deadline_has_passed_is_not_sent_even_where_all_is_connected() {
    let broker = Broker::start(1, &[]).await;
    let (producer, _) = producer(&broker.address());
    publish(&producer, "k").await.expect("stored");

    let failure = producer.publish(record("k", b""), Instant::now()).await;

    assert_eq!(failure.expect_err("too late").code, Code::Unavailable);
    // What goes out next would come after it.
    publish(&producer, "k").await.expect("stored");
    assert_eq!(broker.stored().len(), 2);
}

#[tokio::test]
async fn warming_up_ends_by_itself_where_the_broker_is_silent() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (producer, _) = producer(&silent.local_addr().unwrap().to_string());

    let topics = BTreeSet::new();
    let warming = timeout(INIT_MAX + SLACK, producer.warm_up(&topics));

    assert!(warming.await.expect("an end in time").is_err());
}

#[tokio::test]
async fn a_silent_broker_among_others_costs_less_than_an_attempt() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let broker = Broker::start(1, &[]).await;
    // In whichever order the client takes them.
    for _ in 0..4 {
        let brokers = format!("{},{}", silent.local_addr().unwrap(), broker.address());
        let (producer, lines) = producer(&brokers);
        let started = Instant::now();

        publish(&producer, "k").await.expect("stored");

        assert!(started.elapsed() < PATIENCE);
        assert!(lines.lock().is_empty());
    }
}
