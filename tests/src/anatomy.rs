//! Checks every field of a record against the format that consumers may rely on.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::consumer::Record;
use crate::partition::java_partition;

/// API Gateway closes every connection after this time.
const LIFETIME: TimeDelta = TimeDelta::hours(2);

/// Checks a connect record against the user agent, origin and query that the test sent.
pub fn check_connect(record: &Record) {
    let document = record.json();
    assert_eq!(record.header("ce_type"), "sluice.ws.connect.v1");
    assert_eq!(record.header("ce_routekey"), "$connect");
    assert_eq!(record.header("ce_id"), format!("{}:connect", record.key));
    assert_eq!(record.header("content-type"), "application/json");
    let connected = time(&document["connectedAt"]);
    assert!(connected <= record.timestamp);
    assert_eq!(
        document,
        json!({
            "connectionId": record.key,
            "connectedAt": document["connectedAt"],
            "expiresAt": document["expiresAt"],
            "sourceIp": "127.0.0.1",
            "userAgent": "probe/1",
            "origin": "https://example.com",
            "query": {"colour": ["blue", "red"]},
        })
    );
    assert_eq!(time(&document["expiresAt"]) - connected, LIFETIME);
}

/// Checks the record of a message to room `abc`, which is its key.
pub fn check_message(record: &Record, text: &str) {
    assert_eq!(record.value, text.as_bytes());
    assert_eq!(record.key, "abc");
    assert_eq!(record.partition, java_partition("abc"));
    assert_eq!(record.header("ce_type"), "sluice.ws.message.v1");
    assert_eq!(record.header("ce_routekey"), "chat");
    assert_eq!(record.header("ce_clientmessageid"), "1");
    assert_eq!(record.header("content-type"), "application/json");
    check_id(record.header("ce_id"));
}

/// Checks the disconnect record that belongs to a connect record.
pub fn check_disconnect(record: &Record, connect: &Record) {
    assert_eq!(record.header("ce_type"), "sluice.ws.disconnect.v1");
    assert_eq!(record.header("ce_routekey"), "$disconnect");
    assert_eq!(
        record.header("ce_id"),
        format!("{}:disconnect", connect.key)
    );
    assert_eq!(record.key, connect.key);
    assert_eq!(record.partition, connect.partition);
    let document = record.json();
    assert!(time(&document["disconnectedAt"]) >= connect.timestamp);
    assert_eq!(
        document,
        json!({
            "connectionId": connect.key,
            "connectedAt": connect.json()["connectedAt"],
            "disconnectedAt": document["disconnectedAt"],
            "disconnectStatusCode": 4001,
            "disconnectReason": "enough",
        })
    );
}

/// Checks the headers that all records have in common, and that no header is unknown.
pub fn check_headers(record: &Record, connection_id: &str) {
    check_id(connection_id);
    assert_eq!(record.header("ce_specversion"), "1.0");
    assert_eq!(record.header("ce_subject"), connection_id);
    assert_eq!(record.header("ce_connectionid"), connection_id);
    let ce_time = DateTime::parse_from_rfc3339(record.header("ce_time")).unwrap();
    assert_eq!(ce_time, record.timestamp);
    let source: Vec<&str> = record.header("ce_source").split('/').collect();
    let ["", api, "dev"] = source[..] else {
        panic!("ce_source: {source:?}");
    };
    assert!(!api.is_empty());
    for name in record.headers.keys() {
        assert!(HEADERS.contains(&name.as_str()), "unexpected header {name}");
    }
}

/// Every header that a record of an unauthenticated client may carry.
const HEADERS: &[&str] = &[
    "ce_clientmessageid",
    "ce_connectionid",
    "ce_id",
    "ce_routekey",
    "ce_source",
    "ce_specversion",
    "ce_subject",
    "ce_time",
    "ce_type",
    "content-type",
    "traceparent",
];

/// Checks an id's form: eleven bytes in base64url, padded.
pub fn check_id(id: &str) {
    let (digits, padding) = id.split_at(id.len().saturating_sub(1));
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    assert!(
        digits.len() == 15 && digits.bytes().all(base64url) && padding == "=",
        "id {id:?}"
    );
}

fn time(value: &Value) -> DateTime<Utc> {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("not a time: {value}"))
}
