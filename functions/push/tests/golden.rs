//! The posts, the response and the log lines for sample events, field by field.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lambda_events::event::kafka::KafkaEvent;
use serde_json::{Value, json};
use sluice_aws::{Format, Log};
use sluice_push::{
    address::ConnectionId,
    batch::Action,
    connections::{Connections, PostError},
    handler::{Handler, Invocation},
};

/// Records all actions. Those on `gone=` and `denied=` fail.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<(String, Action)>>);

impl Connections for &Recorder {
    async fn act(&self, connection: &ConnectionId, action: &Action) -> Result<(), PostError> {
        let id = connection.as_str();
        match id {
            "gone=" => return Err(PostError::new(Some(410))),
            "denied=" => return Err(PostError::new(Some(403)).because("Forbidden")),
            _ => {}
        }
        let mut actions = self.0.lock().expect("not poisoned");
        actions.push((id.to_owned(), action.clone()));
        Ok(())
    }
}

/// The result of an event: the posts by connection, the response and the log.
struct Outcome {
    posts: Vec<(String, Action)>,
    response: Value,
    log: Vec<String>,
}

fn event(file: &str) -> String {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/events");
    fs::read_to_string(events.join(file)).expect("an event")
}

fn invocation() -> Invocation {
    Invocation {
        request_id: "r-1".to_owned(),
        time_left: Duration::from_secs(10),
    }
}

async fn check(json: &str) -> Outcome {
    let recorder = Recorder::default();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = {
        let lines = Arc::clone(&lines);
        Log::new(Format::Text, move |line| {
            lines.lock().expect("not poisoned").push(line.to_owned());
        })
    };
    let handler = Handler::new(&recorder, log);
    let response = handler.handle(json, &invocation()).await;
    let response = response.map_or_else(
        |error| json!(error.to_string()),
        |response| serde_json::to_value(response).expect("JSON"),
    );
    let mut posts = recorder.0.lock().expect("not poisoned").clone();
    // A stable sort by connection: the order between connections is not specified.
    posts.sort_by(|(one, _), (other, _)| one.cmp(other));
    let log = lines.lock().expect("not poisoned").clone();
    Outcome {
        posts,
        response,
        log,
    }
}

fn post(connection: &str, message: &'static [u8]) -> (String, Action) {
    (connection.to_owned(), Action::Post(message.into()))
}

#[tokio::test]
async fn a_record_of_a_self_managed_cluster_is_posted_to_the_connection_in_its_key() {
    let outcome = check(&event("self-managed.json")).await;
    let message = r#"{"text":"Noël"}"#.as_bytes();
    assert_eq!(outcome.posts, [post("R1kmxc2VNjMCFIA=", message)]);
    assert_eq!(outcome.response, json!({"batchItemFailures": []}));
    assert_eq!(outcome.log, [""; 0]);
}

#[tokio::test]
async fn an_event_with_several_partitions_is_posted_counted_and_reported() {
    let outcome = check(&event("msk.json")).await;
    let (one, other) = ("R1kmxc2VNjMCFIA=", "bdh_3cVkoAMCF-Q=");
    let mut expected = vec![
        post(one, b"hello all"),
        post(one, b"answer"),
        (one.to_owned(), Action::Close),
    ];
    let mut posts = outcome.posts;
    assert_eq!(posts.drain(..3).collect::<Vec<_>>(), expected);
    // These two are from different partitions, so their order is not specified.
    expected = vec![post(other, b"hello all"), post(other, &[0, 255, 16])];
    assert!(
        posts.len() == 2 && expected.iter().all(|post| posts.contains(post)),
        "{posts:?}"
    );
    assert_eq!(
        outcome.response,
        json!({"batchItemFailures": [
            {"itemIdentifier": {"partition": "ws.outbound-2", "offset": 10}}
        ]})
    );
    assert_eq!(
        outcome.log,
        [
            "WARN no recipient (set the header `to`, the header `ce_connectionid` or the key) requestId=r-1 partition=ws.outbound-2 offset=7",
            "ERROR the gateway returned status 403: Forbidden requestId=r-1 partition=ws.outbound-2 offset=10 connectionId=denied=",
            "INFO posted requestId=r-1 delivered=5 gone=1 tooLarge=0 rejected=0 retried=0 repeated=0 failed=2 poison=1",
        ]
    );
}

#[tokio::test]
async fn an_event_from_another_source_is_an_error() {
    let outcome = check(r#"{"requestContext":{"routeKey":"$default"}}"#).await;
    let error = outcome.response.as_str().expect("an error");
    assert!(
        error.starts_with("not an event of a Kafka event source mapping"),
        "{error}"
    );
    assert_eq!(outcome.log, [format!("ERROR {error} requestId=r-1")]);
}

#[tokio::test]
async fn a_record_redelivered_after_a_failure_is_posted_once() {
    let recorder = Recorder::default();
    let handler = Handler::new(&recorder, Log::new(Format::Text, |_| {}));
    // One record to `denied=`, then one to `a=`.
    let event = r#"{"records":{"t-0":[
        {"offset":1,"key":"ZGVuaWVkPQ==","value":""},
        {"offset":2,"key":"YT0=","value":"aGk="}]}}"#;
    for _ in 0..2 {
        let response = handler
            .handle(event, &invocation())
            .await
            .expect("a response");
        assert_eq!(
            serde_json::to_value(response).expect("JSON"),
            json!({"batchItemFailures": [{"itemIdentifier": {"partition": "t-0", "offset": 1}}]})
        );
    }
    assert_eq!(
        *recorder.0.lock().expect("not poisoned"),
        [post("a=", b"hi")]
    );
}

#[test]
fn the_sample_events_parse_as_aws_lambda_events() {
    for (file, records) in [("self-managed.json", 1), ("msk.json", 8)] {
        let event: KafkaEvent = serde_json::from_str(&event(file)).expect(file);
        let found: usize = event.records.values().map(Vec::len).sum();
        assert_eq!(found, records, "{file}");
    }
}
