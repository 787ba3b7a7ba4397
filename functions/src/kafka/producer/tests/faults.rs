//! While the broker answers late, half, wrongly or not at all.

use super::*;
use crate::kafka::missing_topic::ABSENT_MIN;

/// Publishes one record to a broker that replies so, and says how often it was
/// stored and how often the log says that it was sent again.
async fn check(replies: &[Reply]) -> (Result<Receipt, Code>, usize, usize) {
    let broker = Broker::start(1, replies).await;
    let (producer, lines) = producer(&broker.address());
    let result = publish(&producer, "k")
        .await
        .map_err(|failure| failure.code);
    let lines = lines.lock();
    for line in lines.iter() {
        let expected = "WARN sent again, may be stored twice: ";
        assert!(line.starts_with(expected), "{line}");
        assert!(line.ends_with(" ce_id=id-k topic=t"), "{line}");
    }
    let stored = broker.stored();
    for duplicate in &stored {
        assert_eq!(duplicate.batch, stored[0].batch, "byte-equal");
        let holds = |text: &[u8]| duplicate.batch.windows(text.len()).any(|part| part == text);
        assert!(holds(b"value") && holds(b"id-k"));
    }
    (result, stored.len(), lines.len())
}

fn offset(offset: i64) -> Result<Receipt, Code> {
    Ok(Receipt {
        partition: 0,
        offset,
    })
}

#[tokio::test]
async fn a_record_is_stored_once_where_nothing_is_wrong() {
    assert_eq!(check(&[]).await, (offset(0), 1, 0));
}

#[tokio::test]
async fn a_record_that_was_not_stored_is_sent_again_without_a_word() {
    const NOT_ENOUGH_REPLICAS: i16 = 19;
    let replies = [Reply::Refuse(NOT_ENOUGH_REPLICAS); 3];
    assert_eq!(check(&replies).await, (offset(0), 1, 0));
}

#[tokio::test]
async fn a_record_that_may_be_stored_is_sent_again_and_the_log_says_so() {
    const NOT_ENOUGH_REPLICAS_AFTER_APPEND: i16 = 20;
    let replies = [Reply::Refuse(NOT_ENOUGH_REPLICAS_AFTER_APPEND)];
    assert_eq!(check(&replies).await, (offset(0), 1, 1));
}

#[tokio::test]
async fn an_answer_cut_in_the_middle_is_no_answer() {
    assert_eq!(check(&[Reply::StoreAndCut]).await, (offset(1), 2, 1));
}

#[tokio::test]
async fn a_broker_that_falls_silent_is_asked_again_in_a_new_session() {
    let started = Instant::now();
    assert_eq!(check(&[Reply::StoreAndFallSilent]).await, (offset(1), 2, 1));
    assert!(started.elapsed() >= PATIENCE);
}

#[tokio::test]
async fn a_record_that_is_refused_for_good_is_sent_once() {
    const MESSAGE_TOO_LARGE: i16 = 10;
    const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
    let refused = async |error| check(&[Reply::Refuse(error)]).await;
    assert_eq!(
        refused(MESSAGE_TOO_LARGE).await,
        (Err(Code::TooLarge), 0, 0)
    );
    assert_eq!(
        refused(TOPIC_AUTHORIZATION_FAILED).await,
        (Err(Code::Forbidden), 0, 0)
    );
}

#[tokio::test]
async fn a_final_refusal_does_not_say_that_an_earlier_attempt_stored_nothing() {
    const MESSAGE_TOO_LARGE: i16 = 10;
    let replies = [Reply::StoreAndCut, Reply::Refuse(MESSAGE_TOO_LARGE)];
    assert_eq!(check(&replies).await, (Err(Code::Unavailable), 1, 1));
}

#[tokio::test]
async fn a_leader_that_was_replaced_while_it_waited_may_have_stored_the_record() {
    const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    for error in [UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER] {
        assert_eq!(check(&[Reply::Refuse(error)]).await, (offset(0), 1, 1));
    }
}

#[tokio::test]
async fn a_throttled_record_is_stored_once_and_the_next_one_waits() {
    let pause = Duration::from_millis(300);
    let broker = Broker::start(1, &[Reply::StoreAndThrottle(pause)]).await;
    let (producer, lines) = producer(&broker.address());

    let first = publish(&producer, "a").await.expect("stored");
    let second = publish(&producer, "b").await.expect("stored");

    assert_eq!((first.offset, second.offset), (0, 1));
    let stored = broker.stored();
    assert_eq!(stored.len(), 2);
    assert!(stored[1].at - stored[0].at >= pause);
    assert!(lines.lock().is_empty());
}

#[tokio::test]
async fn a_record_that_would_be_throttled_past_its_deadline_is_not_sent() {
    let broker = Broker::start(1, &[Reply::StoreAndThrottle(TIME * 2)]).await;
    let (producer, _) = producer(&broker.address());
    publish(&producer, "a").await.expect("stored");
    let started = Instant::now();

    let failure = publish(&producer, "b").await.expect_err("no time for it");

    assert_eq!(failure.code, Code::Unavailable);
    assert!(
        chain(&failure).contains("Kafka throttles"),
        "{}",
        chain(&failure)
    );
    assert_eq!(broker.stored().len(), 1);
    assert!(started.elapsed() < PATIENCE, "it was told at once");
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_said_to_be_and_not_created() {
    let broker = Broker::start(1, &[]).await;
    let (producer, _) = producer(&broker.address());
    publish(&producer, "k").await.expect("stored");
    let typo = Record {
        topic: "typo".to_owned(),
        ..record("k", b"")
    };

    let started = Instant::now();
    let failure = producer
        .publish(typo.clone(), started + TIME)
        .await
        .expect_err("no such topic");

    assert_eq!(failure.code, Code::NoTopic);
    assert!(started.elapsed() >= ABSENT_MIN, "it was looked for again");
    let asked = broker.state.auto_creations.lock().clone();
    assert!(asked.len() >= 3, "all topics, one topic, all again");
    assert!(asked.iter().all(|&allowed| allowed == 0), "{asked:?}");

    // It is not held against it that it was not there.
    broker.state.topics.lock().insert("typo".to_owned(), 1);
    producer
        .publish(typo, Instant::now() + TIME)
        .await
        .expect("stored");
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_said_to_be_where_there_is_little_time() {
    const LITTLE: Duration = Duration::from_millis(700);
    let broker = Broker::start(1, &[]).await;
    let (producer, _) = producer(&broker.address());
    publish(&producer, "k").await.expect("stored");
    let typo = Record {
        topic: "typo".to_owned(),
        ..record("k", b"")
    };
    let looks = || broker.state.auto_creations.lock().len();
    let before = looks();

    let publishing = producer.publish(typo, Instant::now() + LITTLE);
    let failure = publishing.await.expect_err("no such topic");

    assert_eq!(failure.code, Code::NoTopic);
    let causes = chain(&failure);
    assert!(causes.contains("no topic \"typo\""), "{causes}");
    assert!(looks() > before, "it was looked for again");
}

#[tokio::test]
async fn a_topic_that_is_just_being_created_is_looked_for_again() {
    let broker = Broker::start(1, &[]).await;
    let (producer, lines) = producer(&broker.address());
    publish(&producer, "k").await.expect("stored");
    let new = Record {
        topic: "new".to_owned(),
        ..record("k", b"")
    };
    let asked = |state: &State| state.auto_creations.lock().len();
    let before = asked(&broker.state);
    let creating = async {
        broker.until(|state| asked(state) > before).await;
        broker.state.topics.lock().insert("new".to_owned(), 1);
    };

    let (result, ()) = tokio::join!(producer.publish(new, Instant::now() + TIME), creating);

    assert!(result.is_ok(), "{result:?}");
    assert!(lines.lock().is_empty());
}

#[tokio::test]
async fn a_topic_that_is_deleted_while_connected_with_is_missing_once_that_is_certain() {
    const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    let broker = Broker::start(
        1,
        &[Reply::Store, Reply::Refuse(UNKNOWN_TOPIC_OR_PARTITION)],
    )
    .await;
    let (producer, _) = producer(&broker.address());
    publish(&producer, "k").await.expect("stored");
    broker.state.topics.lock().clear();
    let code = async || publish(&producer, "k").await.expect_err("no topic").code;

    // The leader may have written it before it lost the topic.
    assert_eq!(code().await, Code::Unavailable);
    // This one was never sent.
    assert_eq!(code().await, Code::NoTopic);
    assert_eq!(broker.stored().len(), 1);
}

#[tokio::test]
async fn a_broker_that_closed_an_idle_connection_is_not_noticed() {
    let broker = Broker::start(1, &[]).await;
    let (producer, lines) = producer(&broker.address());
    publish(&producer, "a").await.expect("stored");
    let session = producer
        .attempts
        .shared_session(SystemTime::now())
        .outcome()
        .await;
    let session = session.expect("connected");
    broker.cut().await;
    broker.until(|_| session.is_over(SystemTime::now())).await;

    publish(&producer, "b").await.expect("stored");

    assert_eq!(broker.stored().len(), 2);
    assert!(lines.lock().is_empty(), "{:?}", lines.lock());
}

#[tokio::test]
async fn records_in_flight_while_the_broker_throttles_are_waited_for() {
    let pause = PATIENCE + Duration::from_millis(300);
    let broker = Broker::start(1, &[Reply::StoreAndThrottle(pause)]).await;
    let (producer, lines) = producer(&broker.address());

    let (first, second) = tokio::join!(publish(&producer, "a"), publish(&producer, "b"));

    // Which of the two is sent first is left to the runtime.
    let mut offsets = [first, second].map(|receipt| receipt.expect("stored").offset);
    offsets.sort_unstable();
    assert_eq!(offsets, [0, 1]);
    let stored = broker.stored();
    assert_eq!(stored.len(), 2);
    assert!(
        stored[1].at - stored[0].at < pause,
        "both were on their way"
    );
    assert!(lines.lock().is_empty());
}
