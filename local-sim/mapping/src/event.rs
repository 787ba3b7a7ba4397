//! The event that the function receives:
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html>.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use kafka_protocol::records::TimestampType;
use local_sim_records::Record;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// The key of a partition's records, in the event and in the function's response.
pub(super) fn partition_key(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// Writes the event with these records, grouped by partition key.
pub(super) fn event(bootstrap_servers: &str, records: BTreeMap<String, Vec<&RawValue>>) -> Bytes {
    let event = Event {
        event_source: "aws:SelfManagedKafka",
        bootstrap_servers,
        records,
    };
    serde_json::to_vec(&event)
        .expect("strings and raw JSON always serialize")
        .into()
}

/// A record as JSON for an event.
pub(super) fn record(topic: &str, partition: i32, record: &Record) -> Box<RawValue> {
    let headers = record.headers.iter().map(|(name, value)| {
        let value = value.as_deref().unwrap_or_default();
        BTreeMap::from([(
            String::from_utf8_lossy(name),
            value.iter().map(|byte| byte.cast_signed()).collect(),
        )])
    });
    let record = EventRecord {
        topic,
        partition,
        offset: record.offset,
        timestamp: record.timestamp,
        timestamp_type: match record.timestamp_type {
            TimestampType::Creation => "CREATE_TIME",
            TimestampType::LogAppend => "LOG_APPEND_TIME",
        },
        key: record.key.as_ref().map(|key| STANDARD.encode(key)),
        value: record.value.as_ref().map(|value| STANDARD.encode(value)),
        headers: headers.collect(),
    };
    to_raw_value(&record).expect("strings and numbers always serialize")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    event_source: &'static str,
    bootstrap_servers: &'a str,
    records: BTreeMap<String, Vec<&'a RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventRecord<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: i64,
    timestamp_type: &'static str,
    key: Option<String>,
    value: Option<String>,
    /// Bytes are signed, as in Java. A null value becomes an empty one.
    headers: Vec<BTreeMap<Cow<'a, str>, Vec<i8>>>,
}

#[cfg(test)]
mod tests {
    use super::{
        super::sample::{bare, header},
        *,
    };

    fn sample() -> Record {
        Record {
            key: Some("recordKey".into()),
            value: Some("Hello, this is a test.".into()),
            headers: vec![header("headerKey", Some("headerValue"))],
            ..bare(15, 1_545_084_650_987)
        }
    }

    /// The record's JSON.
    fn check(change: impl FnOnce(&mut Record)) -> String {
        let mut sample = sample();
        change(&mut sample);
        record("mytopic", 0, &sample).get().to_owned()
    }

    /// The event of <https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html>, without its
    /// whitespace.
    #[test]
    fn an_event_equals_the_documented_example() {
        let first = record("mytopic", 0, &sample());
        let records = BTreeMap::from([("mytopic-0".to_owned(), vec![&*first, &*first])]);
        let expected = concat!(
            r#"{"eventSource":"aws:SelfManagedKafka","#,
            r#""bootstrapServers":"b-2.demo.c1.kafka.amazonaws.com:9092,b-1.demo.c1.kafka.amazonaws.com:9092","#,
            r#""records":{"mytopic-0":[RECORD,RECORD]}}"#
        );
        let written = concat!(
            r#"{"topic":"mytopic","partition":0,"offset":15,"timestamp":1545084650987,"#,
            r#""timestampType":"CREATE_TIME","key":"cmVjb3JkS2V5","#,
            r#""value":"SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==","#,
            r#""headers":[{"headerKey":[104,101,97,100,101,114,86,97,108,117,101]}]}"#
        );
        let servers = "b-2.demo.c1.kafka.amazonaws.com:9092,b-1.demo.c1.kafka.amazonaws.com:9092";
        assert_eq!(event(servers, records), expected.replace("RECORD", written));
    }

    #[test]
    fn header_bytes_are_signed() {
        let text = check(|it| it.headers = vec![header("e", Some("\u{eb}"))]);
        assert!(text.ends_with(r#""headers":[{"e":[-61,-85]}]}"#), "{text}");
    }

    #[test]
    fn headers_keep_their_order_duplicates_and_empty_values() {
        let headers = [("b", None), ("a", Some("")), ("b", Some("x")), ("b", None)];
        let headers = headers.map(|(name, value)| header(name, value));
        let text = check(|it| it.headers = headers.to_vec());
        assert!(
            text.ends_with(r#""headers":[{"b":[]},{"a":[]},{"b":[120]},{"b":[]}]}"#),
            "{text}"
        );
    }

    #[test]
    fn invalid_utf8_in_a_header_name_is_replaced() {
        let text = check(|it| it.headers = vec![(Bytes::from_static(b"\xff"), None)]);
        assert!(text.ends_with("\"headers\":[{\"\u{fffd}\":[]}]}"), "{text}");
    }

    #[test]
    fn a_missing_key_or_value_is_null() {
        let text = check(|it| (it.key, it.value) = (None, None));
        assert!(text.contains(r#""key":null,"value":null,"#), "{text}");
        let text = check(|it| (it.key, it.value) = (Some(Bytes::new()), Some(Bytes::new())));
        assert!(text.contains(r#""key":"","value":"","#), "{text}");
    }

    #[test]
    fn a_log_append_time_has_its_own_timestamp_type() {
        let text = check(|it| it.timestamp_type = TimestampType::LogAppend);
        assert!(
            text.contains(r#""timestampType":"LOG_APPEND_TIME""#),
            "{text}"
        );
    }
}
