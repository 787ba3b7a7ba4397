//! `/api/invocations`: lists the last invocations with their events and replies.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use local_sim_broker::Control;
use local_sim_lambda::{Lambda, Record};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{
    body::bad,
    produced::Produced,
    response::{self, ApiError, ApiResponse},
};

/// The response with the last invocations.
#[derive(Serialize)]
struct Invocations<'a> {
    invocations: Vec<Invocation<'a>>,
}

/// An ended invocation as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation<'a> {
    request_id: String,
    function: &'a str,
    environment: String,
    started_at: String,
    duration_millis: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    init_duration_millis: Option<f64>,
    event: Payload<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Payload<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error<'a>>,
    log: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordPosition<'a>>,
}

/// The error of an invocation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Error<'a> {
    error_type: &'a str,
    error_message: String,
}

/// The position of the record that an invocation produced.
#[derive(Serialize)]
struct RecordPosition<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
}

/// An event or reply: unchanged if it is JSON, otherwise as a string.
struct Payload<'a>(&'a [u8]);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_slice::<&RawValue>(self.0) {
            Ok(json) => json.serialize(serializer),
            Err(_) => serializer.serialize_str(&String::from_utf8_lossy(self.0)),
        }
    }
}

impl<'a> Invocation<'a> {
    /// Converts an invocation; adds the record that it produced if `produced` has it.
    pub(super) fn new(record: &'a Record, produced: &'a Produced) -> Self {
        let (reply, error) = match &record.outcome {
            Ok(reply) => (Some(Payload(reply)), None),
            Err(error) => {
                let error = Error {
                    error_type: error.error_type(),
                    error_message: error.message(),
                };
                (None, Some(error))
            }
        };
        let place = produced.of(record);
        Self {
            request_id: record.request_id.to_string(),
            function: &record.function,
            environment: record.environment(),
            started_at: DateTime::<Utc>::from(record.started)
                .to_rfc3339_opts(SecondsFormat::Millis, true),
            duration_millis: millis(record.duration),
            init_duration_millis: record.init.map(millis),
            event: Payload(&record.event),
            reply,
            error,
            log: &record.log,
            record: place.map(|place| RecordPosition {
                topic: &place.topic,
                partition: place.partition,
                offset: place.offset,
            }),
        }
    }
}

/// Milliseconds, rounded to two decimals as in `REPORT` lines.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

/// Lists the invocations that match the query, the newest first.
///
/// # Errors
/// 400 if the query is invalid.
pub(super) async fn show(
    lambda: &Lambda,
    broker: Option<&Control>,
    query: Option<&str>,
) -> Result<ApiResponse, ApiError> {
    let functions: BTreeSet<&str> = lambda.functions().collect();
    let query = Query::parse(query.unwrap_or_default(), &functions)?;
    let records = lambda.invocations(query.function.as_deref(), query.limit);
    Ok(render(records, broker.cloned()).await)
}

/// Builds the response on a blocking thread, since it can have several megabytes.
async fn render(records: Vec<Arc<Record>>, broker: Option<Control>) -> ApiResponse {
    let rendering = move || {
        let produced = Produced::find(&records, broker.as_ref());
        let invocations = records.iter().map(|it| Invocation::new(it, &produced));
        response::ok(&Invocations {
            invocations: invocations.collect(),
        })
    };
    tokio::task::spawn_blocking(rendering)
        .await
        .expect("rendering does not panic")
}

/// The parsed query string.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    function: Option<String>,
    limit: usize,
}

impl Query {
    fn parse(query: &str, functions: &BTreeSet<&str>) -> Result<Self, ApiError> {
        let mut function = None;
        let mut limit = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let is_first = match &*name {
                "function" => function.replace(value.into_owned()).is_none(),
                "limit" => limit.replace(value.into_owned()).is_none(),
                name => {
                    return Err(bad(format!(
                        "{name}: unknown parameter (expected function or limit)"
                    )));
                }
            };
            if !is_first {
                return Err(bad(format!("{name}: given twice")));
            }
        }
        // An empty value means the default.
        function = function.filter(|it| !it.is_empty());
        limit = limit.filter(|it| !it.is_empty());
        if let Some(name) = &function
            && !functions.contains(name.as_str())
        {
            let expected = Vec::from_iter(functions.iter().copied()).join(", ");
            return Err(bad(format!(
                "function: invalid value {name:?} (expected one of {expected})"
            )));
        }
        Ok(Self {
            function,
            limit: limit.map_or(Ok(LIMIT_DEFAULT), |text| parse_limit(&text))?,
        })
    }
}

fn parse_limit(text: &str) -> Result<usize, ApiError> {
    let limit = text.parse().ok().filter(|it| (1..=LIMIT_MAX).contains(it));
    limit.ok_or_else(|| {
        bad(format!(
            "limit: invalid value {text:?} (expected an integer from 1 to {LIMIT_MAX})"
        ))
    })
}

/// Number of invocations unless the query sets another.
const LIMIT_DEFAULT: usize = 50;
/// Maximum number: as many as the history keeps.
const LIMIT_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str) -> Result<Query, ApiError> {
        Query::parse(query, &BTreeSet::from(["connect", "message"]))
    }

    #[test]
    fn function_and_limit_are_optional() {
        let query = |function: Option<&str>, limit| Query {
            function: function.map(str::to_owned),
            limit,
        };
        assert_eq!(check(""), Ok(query(None, 50)));
        assert_eq!(check("function=&limit="), Ok(query(None, 50)));
        assert_eq!(check("function=message"), Ok(query(Some("message"), 50)));
        assert_eq!(
            check("limit=1000&function=m%65ssage"),
            Ok(query(Some("message"), 1000))
        );
    }

    #[test]
    fn an_invalid_query_is_refused_with_the_name_of_the_parameter() {
        for (query, message) in [
            (
                "limit=0",
                r#"limit: invalid value "0" (expected an integer from 1 to 1000)"#,
            ),
            (
                "limit=1001",
                r#"limit: invalid value "1001" (expected an integer from 1 to 1000)"#,
            ),
            (
                "limit=-1",
                r#"limit: invalid value "-1" (expected an integer from 1 to 1000)"#,
            ),
            (
                "limit=all",
                r#"limit: invalid value "all" (expected an integer from 1 to 1000)"#,
            ),
            ("limit=1&limit=2", "limit: given twice"),
            (
                "function=x",
                r#"function: invalid value "x" (expected one of connect, message)"#,
            ),
            (
                "Function=message",
                "Function: unknown parameter (expected function or limit)",
            ),
        ] {
            assert_eq!(check(query), Err(bad(message.to_owned())), "{query}");
        }
    }

    #[test]
    fn a_payload_is_json_or_a_string() {
        let check = |payload: &[u8]| serde_json::to_string(&Payload(payload)).unwrap();
        assert_eq!(check(br#"{"b":1,"a":2.50}"#), r#"{"b":1,"a":2.50}"#);
        assert_eq!(check(b"{"), r#""{""#);
        assert_eq!(check(b"a\xffb"), "\"a\u{fffd}b\"");
        assert_eq!(check(b""), r#""""#);
    }

    #[test]
    fn durations_have_two_decimals() {
        assert_eq!(millis(Duration::from_micros(1_526)), 1.53);
        assert_eq!(millis(Duration::from_secs(900)), 900_000.0);
    }
}
