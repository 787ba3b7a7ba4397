//! The JSON of an event source mapping's events and of the response.
//!
//! The event's format: <https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html>

use std::collections::BTreeMap;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{
    address::Header,
    batch::{Batch, Command, Partition, Record},
    poison::Poison,
    report::Report,
};

/// Parses an event of a mapping from Amazon MSK or from a self-managed cluster.
///
/// # Errors
/// The JSON is not such an event. A malformed record is not an error: its command is [`Poison`],
/// and the other records are delivered.
pub fn parse(json: &str) -> Result<Batch, EventError> {
    let event: Event<'_> = serde_json::from_str(json).map_err(|error| EventError {
        line: error.line(),
        column: error.column(),
    })?;
    let partition = |(name, records): (String, Vec<RawRecord<'_>>)| Partition {
        name,
        records: records.iter().map(RawRecord::read).collect(),
    };
    Ok(Batch {
        partitions: event.records.into_iter().map(partition).collect(),
    })
}

/// The JSON is not an event of a Kafka event source mapping.
///
/// The parser's message is dropped, since it may quote a record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "not an event of a Kafka event source mapping: invalid at line {line}, column {column} (expected {{\"records\":{{\"TOPIC-PARTITION\":[{{\"offset\":…}}]}}}})"
)]
pub struct EventError {
    /// The line of the error, from 1.
    pub line: usize,
    /// The column of the error, from 1.
    pub column: usize,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    records: BTreeMap<String, Vec<RawRecord<'a>>>,
}

/// A record of the event. Only its offset must be valid.
#[derive(Deserialize)]
struct RawRecord<'a> {
    offset: i64,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    key: Option<&'a RawValue>,
    value: Option<&'a RawValue>,
    headers: Option<&'a RawValue>,
}

impl RawRecord<'_> {
    fn read(&self) -> Record {
        let timestamp = read(self.timestamp, "timestamp", "not a number");
        Record {
            offset: self.offset,
            timestamp: timestamp.ok().flatten().unwrap_or_default(),
            command: self.command(),
        }
    }

    fn command(&self) -> Result<Command, Poison> {
        let key = base64(self.key, "key")?;
        let value = base64(self.value, "value")?;
        let headers = headers(self.headers)?;
        Command::new(&headers, key.as_deref(), value)
    }
}

fn read<'a, T: Deserialize<'a>>(
    json: Option<&'a RawValue>,
    field: &'static str,
    problem: &'static str,
) -> Result<Option<T>, Poison> {
    json.map(|json| serde_json::from_str(json.get()))
        .transpose()
        .map_err(|_| Poison::Malformed { field, problem })
}

fn base64(json: Option<&RawValue>, field: &'static str) -> Result<Option<Vec<u8>>, Poison> {
    let problem = "invalid base64";
    let text: Option<String> = read(json, field, problem)?;
    text.map(|text| BASE64.decode(text))
        .transpose()
        .map_err(|_| Poison::Malformed { field, problem })
}

/// As lenient as Java's decoder: AWS's own sample event has a key that strict decoders reject.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Parses a list of headers, each `{"name":[bytes]}`.
fn headers(json: Option<&RawValue>) -> Result<Vec<Header>, Poison> {
    let (field, problem) = ("headers", "not a list of {\"name\":[bytes]}");
    let list: Option<Vec<BTreeMap<String, Option<Vec<i16>>>>> = read(json, field, problem)?;
    list.into_iter()
        .flatten()
        .flatten()
        .map(|(name, numbers)| {
            let value = numbers.map(|numbers| numbers.into_iter().map(byte).collect());
            match value {
                Some(None) => Err(Poison::Malformed { field, problem }),
                Some(Some(bytes)) => Ok((name, Some(bytes))),
                None => Ok((name, None)),
            }
        })
        .collect()
}

/// Converts a signed byte, as Java writes it, or an unsigned one.
fn byte(number: i16) -> Option<u8> {
    let unsigned = if number < 0 { number + 256 } else { number };
    u8::try_from(unsigned).ok().filter(|_| number >= -128)
}

/// The response to a mapping with `ReportBatchItemFailures`.
/// <https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    batch_item_failures: Vec<BatchItemFailure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure {
    item_identifier: ItemIdentifier,
}

/// The record from which the mapping redelivers a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ItemIdentifier {
    partition: String,
    offset: i64,
}

impl Response {
    /// A response with the report's failures.
    pub fn new(report: &Report<'_>) -> Self {
        let item = |partition: &str, offset| BatchItemFailure {
            item_identifier: ItemIdentifier {
                partition: partition.to_owned(),
                offset,
            },
        };
        let failures = report.failures.iter();
        Self {
            batch_item_failures: failures
                .map(|failure| item(failure.partition, failure.offset))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Action;

    /// The command of a record with these fields, as text.
    fn check(fields: &str) -> String {
        let json = format!(r#"{{"records":{{"t-0":[{{"offset":7{fields}}}]}}}}"#);
        let batch = parse(&json).expect("an event");
        let [partition] = &batch.partitions[..] else {
            panic!("not one partition: {batch:?}");
        };
        let [record] = &partition.records[..] else {
            panic!("not one record: {batch:?}");
        };
        assert_eq!((&*partition.name, record.offset), ("t-0", 7));
        match &record.command {
            Ok(Command {
                to,
                action: Action::Post(value),
            }) => format!("{to:?} {value:?}"),
            Ok(Command {
                to,
                action: Action::Close,
            }) => format!("{to:?} close"),
            Err(poison) => poison.to_string(),
        }
    }

    const KEY: &str = r#","key":"YT0=""#;

    #[test]
    fn a_value_is_posted_and_a_null_or_missing_one_closes() {
        assert_eq!(check(&format!(r#"{KEY},"value":"aGk=""#)), r#"[a=] b"hi""#);
        assert_eq!(check(&format!(r#"{KEY},"value":"""#)), r#"[a=] b"""#);
        assert_eq!(check(&format!(r#"{KEY},"value":null"#)), "[a=] close");
        assert_eq!(check(KEY), "[a=] close");
    }

    #[test]
    fn the_bytes_of_headers_are_signed_or_unsigned() {
        let check = |bytes: &str| headers(Some(&RawValue::from_string(bytes.to_owned()).unwrap()));
        let header = |bytes: &[u8]| vec![("h".to_owned(), Some(bytes.to_vec()))];
        assert_eq!(check(r#"[{"h":[-61,-85]}]"#), Ok(header("ë".as_bytes())));
        assert_eq!(check(r#"[{"h":[195,171]}]"#), Ok(header("ë".as_bytes())));
        assert_eq!(
            check(r#"[{"h":[-128,0,127,255]}]"#),
            Ok(header(&[128, 0, 127, 255]))
        );
        assert_eq!(check(r#"[{"h":null}]"#), Ok(vec![("h".to_owned(), None)]));
        assert_eq!(check("[]"), Ok(vec![]));
        for wrong in ["-129", "256", "1.5", "\"a\"", "40000"] {
            assert!(
                check(&format!(r#"[{{"h":[{wrong}]}}]"#)).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn headers_keep_their_order() {
        assert_eq!(
            check(r#","headers":[{"ce_connectionid":[98]},{"ce_connectionid":[99]}],"value":"""#),
            r#"[c] b"""#
        );
    }

    #[test]
    fn a_malformed_record_is_poison_that_names_the_field() {
        assert_eq!(check(r#","key":"?""#), "key: invalid base64");
        assert_eq!(check(r#","key":5"#), "key: invalid base64");
        assert_eq!(
            check(&format!(r#"{KEY},"value":{{}}"#)),
            "value: invalid base64"
        );
        assert_eq!(
            check(&format!(r#"{KEY},"headers":{{}}"#)),
            "headers: not a list of {\"name\":[bytes]}"
        );
    }

    #[test]
    fn json_without_records_and_offsets_is_an_error_that_does_not_quote_it() {
        for json in [
            "",
            "5",
            "{}",
            r#"{"records":[]}"#,
            r#"{"records":{"t-0":[{}]}}"#,
            r#"{"records":{"t-0":[{"offset":"hunter2"}]}}"#,
        ] {
            let error = parse(json).expect_err(json).to_string();
            assert!(
                error.starts_with("not an event of a Kafka event source mapping: invalid at line"),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(parse(r#"{"records":{}}"#), Ok(Batch::default()));
    }
}
