//! What is answered, and to what end.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use functions::{
    failure::{Code, Failure},
    handler::{Handler, Invocation},
    record::Record,
    sink::{Memory, Receipt, Sink},
};
use serde_json::{Value, json};
use sluice_aws::{Format, Log};
use sluice_contract::Contract;

use crate::{CONTRACT, check, event, handler, invocation, message, refusal, with, without};

#[tokio::test]
async fn a_route_without_a_response_answers_with_a_status_only() {
    let (records, answer) = check(&message("silent", r#"{"id":"1"}"#)).await;
    assert_eq!(records.len(), 1);
    assert_eq!(answer, json!({"statusCode": 200}));
}

#[tokio::test]
async fn an_event_that_lacks_something_is_refused_by_its_name() {
    let message = || message("chat", r#"{"id":1}"#);
    for (pointer, told) in [
        ("/requestContext/connectionId", "connectionId is missing"),
        ("/requestContext/messageId", "messageId is missing"),
        ("/requestContext/apiId", "apiId is missing"),
        ("/requestContext/stage", "stage is missing"),
        ("/requestContext/routeKey", "routeKey is missing"),
        ("/requestContext/eventType", "eventType is missing"),
        (
            "/requestContext/connectedAt",
            "requestContext has no `connectedAt`",
        ),
        (
            "/requestContext/requestTimeEpoch",
            "requestContext has no `requestTimeEpoch`",
        ),
        ("/requestContext", "the event has no `requestContext`"),
    ] {
        let (status, frame) = refusal(&without(message(), pointer)).await;
        assert_eq!(status, 400);
        assert_eq!(
            (&frame["type"], &frame["id"]),
            (&json!("error"), &json!(1)),
            "{pointer}"
        );
        assert_eq!(
            (&frame["code"], &frame["retryable"]),
            (&json!("bad_request"), &json!(false))
        );
        assert!(frame["message"].as_str().unwrap().contains(told), "{frame}");
    }
}

#[tokio::test]
async fn an_event_that_is_odd_is_refused_and_not_dropped() {
    for (pointer, odd) in [
        ("/requestContext/eventType", json!("PING")),
        ("/requestContext/messageId", json!("")),
        ("/requestContext/requestTimeEpoch", json!(-1)),
        ("/requestContext/requestTimeEpoch", json!(i64::MAX)),
        (
            "/requestContext/connectedAt",
            json!(253_402_300_800_000_i64),
        ),
        ("/requestContext/connectedAt", json!(1.5)),
        ("/requestContext/identity", Value::Null),
        ("/requestContext/status", json!(200)),
        ("/headers", json!({"a": "\u{0}"})),
        ("/headers", json!({"a b": "c"})),
        ("/multiValueHeaders", json!({"a": ["s3cret\n"]})),
        ("/queryStringParameters", json!({"a": null})),
    ] {
        let (status, frame) = refusal(&with(
            message("chat", r#"{"id":"1"}"#),
            pointer,
            odd.clone(),
        ))
        .await;
        assert_eq!(
            (status, &frame["id"]),
            (400, &json!("1")),
            "{pointer} {odd}"
        );
    }
}

#[tokio::test]
async fn a_refused_event_is_answered_by_the_id_it_has() {
    let broken = |event| without(event, "/requestContext/connectionId");
    let id = async |event| refusal(&event).await.1.get("id").cloned();
    assert_eq!(
        id(broken(message("chat", r#"{"id":"1"}"#))).await,
        Some("1".into())
    );
    assert_eq!(
        id(broken(message("chat", "hello"))).await,
        Some("M=".into())
    );
    assert_eq!(
        id(without(
            broken(message("chat", "hello")),
            "/requestContext/messageId"
        ))
        .await,
        None
    );
    let encoded = with(
        message("chat", "eyJpZCI6Mn0="),
        "/isBase64Encoded",
        true.into(),
    );
    assert_eq!(id(broken(encoded)).await, Some(2.into()));
    let no_base64 = with(message("chat", "{}"), "/isBase64Encoded", true.into());
    assert_eq!(id(no_base64).await, Some("M=".into()));
}

#[tokio::test]
async fn a_refused_connection_is_told_by_the_status_only() {
    let connect = without(event("CONNECT", "$connect"), "/requestContext/connectionId");
    assert_eq!(refusal(&connect).await, (400, Value::Null));
}

#[tokio::test]
async fn what_is_no_event_at_all_is_answered() {
    for event in [json!(null), json!([]), json!("x"), json!({})] {
        let (status, frame) = refusal(&event).await;
        assert_eq!(
            (status, &frame["code"]),
            (400, &json!("bad_request")),
            "{event}"
        );
    }
}

#[tokio::test]
async fn a_route_that_the_contract_cannot_place_is_a_fault_of_ours() {
    for route in ["unheard", "homeless"] {
        let (status, frame) = refusal(&message(route, r#"{"id":"1"}"#)).await;
        assert_eq!(
            (status, &frame["code"], &frame["id"]),
            (500, &json!("internal"), &json!("1"))
        );
        assert!(
            frame["message"].as_str().unwrap().contains(route),
            "{frame}"
        );
    }
}

/// A sink that stores nothing and says why, and until when it was asked to try.
struct Failing(Code);

impl Sink for Failing {
    async fn publish(&self, _record: Record, deadline: Instant) -> Result<Receipt, Failure> {
        assert!(deadline > Instant::now() + Duration::from_secs(5));
        assert!(deadline < Instant::now() + Duration::from_secs(10));
        Err(Failure::new(self.0, "not stored").because("b-1.kafka:9092 refused"))
    }
}

/// A sink that keeps the deadline it was given.
#[derive(Default)]
struct Deadline(Mutex<Option<Instant>>);

impl Sink for Deadline {
    async fn publish(&self, _record: Record, deadline: Instant) -> Result<Receipt, Failure> {
        *self.0.lock().expect("a sink") = Some(deadline);
        Err(Failure::new(Code::Unavailable, "not stored"))
    }
}

/// The milliseconds to store a record of this route in, of so many in all.
async fn time_to_store(route: &str, time_left: u64) -> u128 {
    let sink = Deadline::default();
    let invocation = Invocation {
        time_left: Duration::from_millis(time_left),
        ..invocation()
    };
    let event = message(route, "").to_string();
    handler(&sink).handle(&event, &invocation).await;
    let deadline = sink.0.lock().expect("a sink").expect("a deadline");
    (deadline - invocation.received).as_millis()
}

#[tokio::test]
async fn the_answer_leaves_before_lambda_and_the_gateway_give_up() {
    assert_eq!(time_to_store("silent", 10_000).await, 9_700);
    assert_eq!(time_to_store("silent", 60_000).await, 28_700);
    assert_eq!(time_to_store("hasty", 10_000).await, 700);
    assert_eq!(time_to_store("silent", 0).await, 0);
}

#[tokio::test]
async fn what_is_not_stored_is_not_acknowledged() {
    for (code, status) in [
        (Code::Unavailable, 503),
        (Code::TooLarge, 413),
        (Code::NoTopic, 500),
    ] {
        let check = async |event: Value| {
            let answer = handler(Failing(code))
                .handle(&event.to_string(), &invocation())
                .await;
            assert_eq!(answer.status_code, status);
            answer.body
        };
        assert_eq!(check(event("CONNECT", "$connect")).await, None);
        assert_eq!(check(event("DISCONNECT", "$disconnect")).await, None);
        assert_eq!(check(message("silent", "")).await, None);
        let frame = check(message("chat", r#"{"id":"1"}"#))
            .await
            .expect("a frame");
        assert!(
            frame.starts_with(r#"{"type":"error","id":"1","code":"#),
            "{frame}"
        );
        assert!(!frame.contains("b-1"), "{frame}");
    }
}

#[tokio::test]
async fn what_goes_well_is_not_logged_and_what_does_not_is_one_line() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let contract = Contract::parse("gateway.yaml", CONTRACT).unwrap();
    let log = Log::new(Format::Text, {
        let lines = Arc::clone(&lines);
        move |line| lines.lock().unwrap().push(line.to_owned())
    });
    let handler = Handler::new(contract, Memory::default(), log);
    let handle = async |event: Value| handler.handle(&event.to_string(), &invocation()).await;

    handle(message("chat", r#"{"id":"s3cret"}"#)).await;
    assert_eq!(*lines.lock().unwrap(), [""; 0]);

    handle(with(
        message("chat", "s3cret"),
        "/headers",
        json!({"Authorization": "s3cret\n"}),
    ))
    .await;
    assert_eq!(
        *lines.lock().unwrap(),
        [
            "ERROR the event cannot be used: headers is an object unlike any that API Gateway sends \
          requestId=r-1 routeKey=chat"
        ]
    );
}
