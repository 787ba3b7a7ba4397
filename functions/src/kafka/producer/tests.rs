//! What the producer does with a broker that is away, slow, or that breaks.

mod away;
pub(in crate::kafka) mod broker;
mod credentials;
mod faults;
mod sharing;
mod speed;

use std::sync::Arc as Shared;

use chrono::DateTime;
use parking_lot::Mutex;
use sluice_aws::Format;
use sluice_kafka::BROKERS;

use self::broker::{Broker, Reply, State};
use super::*;

/// Given to a record where it does not matter.
const TIME: Duration = Duration::from_secs(8);

fn record(key: &str, value: &[u8]) -> Record {
    Record {
        topic: "t".to_owned(),
        key: key.to_owned(),
        value: Some(value.to_vec()),
        headers: [("ce_id", format!("id-{key}"))].into(),
        timestamp: DateTime::UNIX_EPOCH,
    }
}

/// A producer, and the lines that it logs.
fn producer(broker: &str) -> (Producer, Shared<Mutex<Vec<String>>>) {
    producer_with(&[(BROKERS, broker)])
}

/// The same, with these variables set.
fn producer_with(variables: &[(&str, &str)]) -> (Producer, Shared<Mutex<Vec<String>>>) {
    let lines = Shared::new(Mutex::new(Vec::new()));
    let log = {
        let lines = Shared::clone(&lines);
        Log::new(Format::Text, move |line| lines.lock().push(line.to_owned()))
    };
    let settings = Settings::from_lookup(|name| {
        let found = variables.iter().find(|(found, _)| *found == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    let producer = Producer::new(settings.expect("settings"), "message".to_owned(), log);
    (producer, lines)
}

/// Publishes a record of that key, in good time.
async fn publish(producer: &Producer, key: &str) -> Result<Receipt, Failure> {
    producer
        .publish(record(key, b"value"), Instant::now() + TIME)
        .await
}

/// An error and all that lies behind it.
fn chain(failure: &Failure) -> String {
    let mut chain = failure.to_string();
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        chain = format!("{chain}: {error}");
        cause = error.source();
    }
    chain
}

#[test]
fn refused_credentials_are_tried_again_where_they_may_be_accepted() {
    let check = |remedy, was_refused| pause_of_refused(remedy, was_refused, PAUSE);
    assert_eq!(check(Remedy::None, false), None);
    assert_eq!(check(Remedy::Fetch, false), Some(PAUSE));
    assert_eq!(check(Remedy::Fetch, true), None);
    assert_eq!(check(Remedy::Time, false), Some(PAUSE_REFUSED));
    assert_eq!(check(Remedy::Time, true), Some(PAUSE_REFUSED));
}

#[test]
fn a_pause_is_shortened_by_up_to_half() {
    for _ in 0..1_000 {
        assert!((PAUSE / 2..=PAUSE).contains(&jittered(PAUSE)));
    }
}

#[test]
fn times_double_up_to_a_bound_however_many_attempts_there_are() {
    let after = |attempts| (0..attempts).fold(PAUSE, |pause, _| doubled(pause, PAUSE_MAX));
    assert_eq!(after(1), PAUSE * 2);
    assert_eq!(after(4), PAUSE * 16);
    assert_eq!(after(1_000), PAUSE_MAX);
}
