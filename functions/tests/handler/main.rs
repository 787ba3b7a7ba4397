//! What becomes of an event, rule by rule: from its JSON to a record and an answer.

mod answers;
mod records;

use std::time::{Duration, Instant};

use functions::{
    handler::{Handler, Invocation},
    record::Record,
    sink::{Memory, Sink},
};
use serde_json::{Value, json};
use sluice_aws::{Format, Log};
use sluice_contract::Contract;

const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $connect:    { function: connect,    topic: ws.connections }
  $disconnect: { function: disconnect, topic: ws.connections, tombstone: true }
  $default:    { function: message,    topic: ws.messages, routeResponse: true }
  chat:        { function: message,    topic: chat.messages, key: $request.body.room, routeResponse: true }
  where:       { function: message,    topic: ws.messages, key: '${context.stage}/${context.identity.sourceIp}' }
  silent:      { function: message,    topic: ws.messages }
  hasty:       { function: message,    topic: ws.messages, timeoutInMillis: 1000 }
  homeless:    { function: other, routeResponse: true }
";

fn handler<S: Sink>(sink: S) -> Handler<S> {
    let contract = Contract::parse("gateway.yaml", CONTRACT).expect("a contract");
    Handler::new(contract, sink, Log::new(Format::Text, |_| {}))
}

fn invocation() -> Invocation {
    Invocation {
        request_id: "r-1".to_owned(),
        received: Instant::now(),
        time_left: Duration::from_secs(10),
        trace: None,
    }
}

/// The records and the answer of an event.
async fn check(event: &Value) -> (Vec<Record>, Value) {
    let sink = Memory::default();
    let answer = handler(&sink)
        .handle(&event.to_string(), &invocation())
        .await;
    (sink.records(), serde_json::to_value(answer).expect("JSON"))
}

async fn record(event: &Value) -> Record {
    let (mut records, answer) = check(event).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(records.len(), 1);
    records.remove(0)
}

/// The status and the error frame of an event that is refused.
async fn refusal(event: &Value) -> (u64, Value) {
    let (records, answer) = check(event).await;
    assert_eq!(records, []);
    (
        answer["statusCode"].as_u64().expect("a status"),
        frame(&answer),
    )
}

fn frame(answer: &Value) -> Value {
    match &answer["body"] {
        Value::String(body) => serde_json::from_str(body).expect("JSON"),
        _ => Value::Null,
    }
}

fn event(event_type: &str, route_key: &str) -> Value {
    json!({
        "requestContext": {
            "routeKey": route_key,
            "eventType": event_type,
            "extendedRequestId": "R=",
            "requestTime": "20/Jan/2024:11:55:00 +0000",
            "messageDirection": "IN",
            "stage": "dev",
            "connectedAt": 1_705_751_697_419_i64,
            "requestTimeEpoch": 1_705_751_700_453_i64,
            "identity": { "sourceIp": "192.0.2.1" },
            "requestId": "R=",
            "domainName": "example.com",
            "connectionId": "C=",
            "apiId": "api",
        },
        "isBase64Encoded": false,
    })
}

fn message(route_key: &str, body: &str) -> Value {
    let mut event = event("MESSAGE", route_key);
    event["requestContext"]["messageId"] = "M=".into();
    event["body"] = body.into();
    event
}

/// The event with the value at this pointer replaced.
fn with(mut event: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    event.pointer_mut(parent).expect("a parent")[name] = value;
    event
}

fn without(mut event: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = event.pointer_mut(parent).and_then(Value::as_object_mut);
    let removed = parent.and_then(|parent| parent.remove(name));
    assert!(removed.is_some(), "{pointer} was not there");
    event
}

fn document(record: &Record) -> Value {
    serde_json::from_slice(record.value.as_deref().expect("a value")).expect("JSON")
}
