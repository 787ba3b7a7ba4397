//! Recorded events become the records and the answers that are promised, field by field.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use functions::{
    handler::{Handler, Invocation},
    record::Record,
    sink::Memory,
};
use serde_json::{Value, json};
use sluice_aws::{Format, Log};
use sluice_contract::Contract;

const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $connect:    { function: connect,    topic: ws.connections }
  $disconnect: { function: disconnect, topic: ws.connections }
  $default:    { function: message,    topic: ws.messages, routeResponse: true }
";

/// The record and the answer of a recorded event.
async fn check(file: &str) -> (Record, Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/events")
        .join(file);
    let event = fs::read_to_string(path).expect("a recorded event");
    let contract = Contract::parse("gateway.yaml", CONTRACT).expect("a contract");
    let sink = Memory::default();
    let handler = Handler::new(
        contract,
        &sink,
        Log::new(Format::Text, |line| panic!("{line}")),
    );

    let invocation = Invocation {
        request_id: "r-1".to_owned(),
        received: Instant::now(),
        time_left: Duration::from_secs(10),
        trace: Some(
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1".to_owned(),
        ),
    };
    let answer = handler.handle(&event, &invocation).await;

    let [record] = &sink.records()[..] else {
        panic!("one event is one record");
    };
    (record.clone(), serde_json::to_value(answer).expect("JSON"))
}

fn headers<const N: usize>(own: [(&'static str, &str); N]) -> BTreeMap<&'static str, String> {
    let every = [
        ("ce_specversion", "1.0"),
        (
            "traceparent",
            "00-5bef4de7ad49b0e87f6ef6c87fc2e700-9a9197af755a6419-01",
        ),
    ];
    own.into_iter()
        .chain(every)
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
}

/// The document that a record carries.
fn document(record: &Record) -> Value {
    serde_json::from_slice(record.value.as_ref().expect("a value")).expect("JSON")
}

fn is_accepted(answer: &Value) {
    assert_eq!(answer, &json!({"statusCode": 200}));
}

#[tokio::test]
async fn a_browser_tab_that_is_closed() {
    let (record, answer) = check("01-disconnect-browser-tab-1001.aws-lambda-go.json").await;

    assert_eq!(record.topic, "ws.connections");
    assert_eq!(record.key, "R1kmxc2VNjMCFIA=");
    assert_eq!(record.timestamp.timestamp_millis(), 1_705_751_708_326);
    assert_eq!(
        record.headers,
        headers([
            ("ce_id", "R1kmxc2VNjMCFIA=:disconnect"),
            ("ce_source", "/dl7ptocha9/prod"),
            ("ce_type", "sluice.ws.disconnect.v1"),
            ("ce_time", "2024-01-20T11:55:08.326Z"),
            ("ce_subject", "R1kmxc2VNjMCFIA="),
            ("ce_connectionid", "R1kmxc2VNjMCFIA="),
            ("ce_routekey", "$disconnect"),
            ("content-type", "application/json"),
        ])
    );
    assert_eq!(
        document(&record),
        json!({
            "connectionId": "R1kmxc2VNjMCFIA=",
            "connectedAt": "2024-01-20T11:54:57.419Z",
            "disconnectedAt": "2024-01-20T11:55:08.326Z",
            "disconnectStatusCode": 1001,
        })
    );
    is_accepted(&answer);
}

#[tokio::test]
async fn a_message() {
    let (record, answer) = check("02-message.aws-lambda-go.json").await;

    assert_eq!(record.topic, "ws.messages");
    assert_eq!(record.key, "R1kmxc2VNjMCFIA=");
    assert_eq!(record.timestamp.timestamp_millis(), 1_705_751_700_453);
    assert_eq!(
        record.headers,
        headers([
            ("ce_id", "R1knPc2ntjMCFIA="),
            ("ce_source", "/gy415nuibc/prod"),
            ("ce_type", "sluice.ws.message.v1"),
            ("ce_time", "2024-01-20T11:55:00.453Z"),
            ("ce_subject", "R1kmxc2VNjMCFIA="),
            ("ce_connectionid", "R1kmxc2VNjMCFIA="),
            ("ce_routekey", "$default"),
            ("content-type", "application/json"),
        ])
    );
    assert_eq!(record.value.as_deref(), Some(&b"{\r\n\t\"a\": 1\r\n}"[..]));
    assert_eq!(
        answer,
        json!({"statusCode": 200, "body": r#"{"type":"ack","id":"R1knPc2ntjMCFIA="}"#})
    );
}

#[tokio::test]
async fn a_connection_that_is_closed_without_a_status() {
    let (record, answer) = check("03-disconnect-1005.aws-docs.rust-runtime.json").await;

    assert_eq!(record.topic, "ws.connections");
    assert_eq!(record.key, "AAAA1234=");
    assert_eq!(record.timestamp.timestamp_millis(), 1_707_503_008_941);
    assert_eq!(
        record.headers,
        headers([
            ("ce_id", "AAAA1234=:disconnect"),
            ("ce_source", "/abcd1234/prod"),
            ("ce_type", "sluice.ws.disconnect.v1"),
            ("ce_time", "2024-02-09T18:23:28.941Z"),
            ("ce_subject", "AAAA1234="),
            ("ce_connectionid", "AAAA1234="),
            ("ce_routekey", "$disconnect"),
            ("content-type", "application/json"),
        ])
    );
    assert_eq!(
        document(&record),
        json!({
            "connectionId": "AAAA1234=",
            "connectedAt": "2024-02-09T18:23:27.396Z",
            "disconnectedAt": "2024-02-09T18:23:28.941Z",
            "disconnectStatusCode": 1005,
            "disconnectReason": "Client-side close frame status not set",
        })
    );
    is_accepted(&answer);
}

#[tokio::test]
async fn a_handshake_with_an_api_key() {
    let (record, answer) = check("04-connect-with-api-key.rust-runtime.json").await;

    assert_eq!(record.topic, "ws.connections");
    assert_eq!(record.key, "asdfasdf=");
    assert_eq!(record.timestamp.timestamp_millis(), 1_645_556_857_902);
    assert_eq!(
        record.headers,
        headers([
            ("ce_id", "asdfasdf=:connect"),
            ("ce_source", "/asdfasdf/dev"),
            ("ce_type", "sluice.ws.connect.v1"),
            ("ce_time", "2022-02-22T19:07:37.902Z"),
            ("ce_subject", "asdfasdf="),
            ("ce_connectionid", "asdfasdf="),
            ("ce_routekey", "$connect"),
            ("content-type", "application/json"),
        ])
    );
    assert_eq!(
        document(&record),
        json!({
            "connectionId": "asdfasdf=",
            "connectedAt": "2022-02-22T19:07:37.902Z",
            "expiresAt": "2022-02-22T21:07:37.902Z",
            "sourceIp": "10.0.0.13",
        })
    );
    is_accepted(&answer);
}

#[tokio::test]
async fn a_handshake_with_an_origin() {
    let (record, answer) = check("06-connect-2023.swift-aws-lambda-events.json").await;

    assert_eq!(record.topic, "ws.connections");
    assert_eq!(record.key, "IU3kkeN4IAMCJwA=");
    assert_eq!(record.timestamp.timestamp_millis(), 1_689_794_896_162);
    assert_eq!(
        record.headers,
        headers([
            ("ce_id", "IU3kkeN4IAMCJwA=:connect"),
            ("ce_source", "/lqrlmblaa2/dev"),
            ("ce_type", "sluice.ws.connect.v1"),
            ("ce_time", "2023-07-19T19:28:16.162Z"),
            ("ce_subject", "IU3kkeN4IAMCJwA="),
            ("ce_connectionid", "IU3kkeN4IAMCJwA="),
            ("ce_routekey", "$connect"),
            ("content-type", "application/json"),
        ])
    );
    assert_eq!(
        document(&record),
        json!({
            "connectionId": "IU3kkeN4IAMCJwA=",
            "connectedAt": "2023-07-19T19:28:16.145Z",
            "expiresAt": "2023-07-19T21:28:16.145Z",
            "sourceIp": "24.148.42.16",
            "origin": "wss://lqrlmblaa2.execute-api.us-east-1.amazonaws.com",
        })
    );
    is_accepted(&answer);
}

#[tokio::test]
async fn a_handshake_as_documented() {
    let (record, answer) = check("08-connect.aws-docs-2024.json").await;

    assert_eq!(record.topic, "ws.connections");
    assert_eq!(record.key, "AAAA1234=");
    assert_eq!(record.timestamp.timestamp_millis(), 1_707_502_303_420);
    assert_eq!(
        record.headers,
        headers([
            ("ce_id", "AAAA1234=:connect"),
            ("ce_source", "/abcd1234/prod"),
            ("ce_type", "sluice.ws.connect.v1"),
            ("ce_time", "2024-02-09T18:11:43.420Z"),
            ("ce_subject", "AAAA1234="),
            ("ce_connectionid", "AAAA1234="),
            ("ce_routekey", "$connect"),
            ("content-type", "application/json"),
        ])
    );
    assert_eq!(
        document(&record),
        json!({
            "connectionId": "AAAA1234=",
            "connectedAt": "2024-02-09T18:11:43.419Z",
            "expiresAt": "2024-02-09T20:11:43.419Z",
            "sourceIp": "192.0.2.1",
        })
    );
    is_accepted(&answer);
}
