//! Invocations before and after their deadline.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, UNIX_EPOCH},
};

use serde_json::json;

use super::*;
use crate::{address::ConnectionId, batch::Action, connections::PostError};

/// Connections that accept every post and count them.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl Connections for &Counting {
    async fn act(&self, _connection: &ConnectionId, _action: &Action) -> Result<(), PostError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Two partitions with one record each, at offsets 7 and 8.
const EVENT: &str = r#"{"records":{
    "t-0":[{"offset":7,"key":"YT0=","value":"aGk="}],
    "t-1":[{"offset":8,"key":"Yj0=","value":"aGk="}]}}"#;

/// The number of posts of an invocation with this deadline, and the offsets that it reports.
async fn check(deadline: SystemTime) -> (usize, Vec<i64>) {
    let since_1970 = deadline.duration_since(UNIX_EPOCH).expect("a deadline");
    let mut context = Context::default();
    context.deadline = u64::try_from(since_1970.as_millis()).expect("milliseconds");
    let event = RawValue::from_string(EVENT.to_owned()).expect("JSON");

    let connections = Counting::default();
    let handler = Handler::new(&connections, Log::new(Format::Text, |_| {}));
    let response = handle(&handler, LambdaEvent::new(event, context)).await;

    let response = json!(response.expect("a response"));
    let failures = response["batchItemFailures"].as_array().expect("a list");
    let offset = |failure: &serde_json::Value| failure["itemIdentifier"]["offset"].as_i64();
    (
        connections.0.load(Ordering::Relaxed),
        failures.iter().filter_map(offset).collect(),
    )
}

#[tokio::test]
async fn records_are_posted_before_the_deadline() {
    let deadline = SystemTime::now() + Duration::from_secs(10);
    assert_eq!(check(deadline).await, (2, vec![]));
}

#[tokio::test]
async fn nothing_is_posted_after_the_deadline_and_all_records_are_reported() {
    let deadline = SystemTime::now() - Duration::from_secs(1);
    assert_eq!(check(deadline).await, (0, vec![7, 8]));
}

#[tokio::test]
async fn an_emulators_deadline_in_1970_is_ignored() {
    assert_eq!(check(UNIX_EPOCH).await, (2, vec![]));
}
