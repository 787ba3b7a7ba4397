//! `/api/invocations`: what functions were asked, and what they replied.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use local_sim_broker::Control;
use local_sim_lambda::{Lambda, Record};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{
    answer::{self, Answer, Refusal},
    body::bad,
    produced::Produced,
};

/// The last invocations.
#[derive(Serialize)]
struct Invocations<'a> {
    invocations: Vec<Invocation<'a>>,
}

/// An invocation that is over, as JSON.
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
    record: Option<Place<'a>>,
}

/// Why there is no reply.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Error<'a> {
    error_type: &'a str,
    error_message: String,
}

/// Where the record is that an invocation led to.
#[derive(Serialize)]
struct Place<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
}

/// What was sent: as it is where that is JSON, else as a text.
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
    /// An invocation, with the record that it led to, where that is among those that were found.
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
            record: place.map(|place| Place {
                topic: &place.topic,
                partition: place.partition,
                offset: place.offset,
            }),
        }
    }
}

/// To hundredths, as a `REPORT` line has it.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

/// Shows the last invocations that the query asks for, the newest first.
///
/// # Errors
/// 400 where the query asks for something else.
pub(super) async fn show(
    lambda: &Lambda,
    broker: Option<&Control>,
    query: Option<&str>,
) -> Result<Answer, Refusal> {
    let functions: BTreeSet<&str> = lambda.functions().collect();
    let query = Query::parse(query.unwrap_or_default(), &functions)?;
    let records = lambda.invocations(query.function.as_deref(), query.limit);
    Ok(render(records, broker.cloned()).await)
}

/// All of it may be some megabytes, which nobody else is to wait for.
async fn render(records: Vec<Arc<Record>>, broker: Option<Control>) -> Answer {
    let rendering = move || {
        let produced = Produced::find(&records, broker.as_ref());
        let invocations = records.iter().map(|it| Invocation::new(it, &produced));
        answer::ok(&Invocations {
            invocations: invocations.collect(),
        })
    };
    tokio::task::spawn_blocking(rendering)
        .await
        .expect("rendering does not panic")
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    function: Option<String>,
    limit: usize,
}

impl Query {
    fn parse(query: &str, functions: &BTreeSet<&str>) -> Result<Self, Refusal> {
        let mut function = None;
        let mut limit = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let is_first = match &*name {
                "function" => function.replace(value.into_owned()).is_none(),
                "limit" => limit.replace(value.into_owned()).is_none(),
                name => {
                    return Err(bad(format!(
                        "{name}: an unknown parameter, expected function, limit"
                    )));
                }
            };
            if !is_first {
                return Err(bad(format!("{name}: given twice, expected once")));
            }
        }
        // One that is left empty is not given.
        function = function.filter(|it| !it.is_empty());
        limit = limit.filter(|it| !it.is_empty());
        if let Some(name) = &function
            && !functions.contains(name.as_str())
        {
            let expected = Vec::from_iter(functions.iter().copied()).join(", ");
            return Err(bad(format!(
                "function: found {name:?}, expected one of {expected}"
            )));
        }
        Ok(Self {
            function,
            limit: limit.map_or(Ok(LIMIT_DEFAULT), |text| parse_limit(&text))?,
        })
    }
}

fn parse_limit(text: &str) -> Result<usize, Refusal> {
    let limit = text.parse().ok().filter(|it| (1..=LIMIT_MAX).contains(it));
    limit.ok_or_else(|| {
        bad(format!(
            "limit: found {text:?}, expected a whole number from 1 to {LIMIT_MAX}"
        ))
    })
}

/// How many are shown unless the query says so.
const LIMIT_DEFAULT: usize = 50;
/// As many as are kept.
const LIMIT_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str) -> Result<Query, Refusal> {
        Query::parse(query, &BTreeSet::from(["connect", "message"]))
    }

    #[test]
    fn a_query_may_name_a_function_and_a_limit() {
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
    fn anything_else_is_refused_by_name() {
        for (query, message) in [
            (
                "limit=0",
                r#"limit: found "0", expected a whole number from 1 to 1000"#,
            ),
            (
                "limit=1001",
                r#"limit: found "1001", expected a whole number from 1 to 1000"#,
            ),
            (
                "limit=-1",
                r#"limit: found "-1", expected a whole number from 1 to 1000"#,
            ),
            (
                "limit=all",
                r#"limit: found "all", expected a whole number from 1 to 1000"#,
            ),
            ("limit=1&limit=2", "limit: given twice, expected once"),
            (
                "function=x",
                r#"function: found "x", expected one of connect, message"#,
            ),
            (
                "Function=message",
                "Function: an unknown parameter, expected function, limit",
            ),
        ] {
            assert_eq!(check(query), Err(bad(message.to_owned())), "{query}");
        }
    }

    #[test]
    fn a_payload_is_json_or_a_text() {
        let check = |payload: &[u8]| serde_json::to_string(&Payload(payload)).unwrap();
        assert_eq!(check(br#"{"b":1,"a":2.50}"#), r#"{"b":1,"a":2.50}"#);
        assert_eq!(check(b"{"), r#""{""#);
        assert_eq!(check(b"a\xffb"), "\"a\u{fffd}b\"");
        assert_eq!(check(b""), r#""""#);
    }

    #[test]
    fn durations_are_told_to_hundredths_of_a_millisecond() {
        assert_eq!(millis(Duration::from_micros(1_526)), 1.53);
        assert_eq!(millis(Duration::from_secs(900)), 900_000.0);
    }
}
