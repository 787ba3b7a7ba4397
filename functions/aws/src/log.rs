//! One line on standard error for each thing that went wrong.
//!
//! Nothing is written for what went well: the gateway and Lambda count that.
//! What they cannot see is counted in a line of its own.
//! A line carries ids and causes, never a body and never a credential.

use std::{
    error::Error,
    fmt,
    io::{self, Write},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::lambda::variable;

/// Where lines go, and in which form.
#[derive(Clone)]
pub struct Log {
    format: Format,
    write: Arc<dyn Fn(&str) + Send + Sync>,
}

/// The form of a line: Lambda's `AWS_LAMBDA_LOG_FORMAT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people. Lambda adds the time.
    Text,
    /// For Lambda's log filter, which takes a line without a level and an
    /// RFC 3339 timestamp for mere information.
    Json,
}

impl Log {
    /// A log on standard error, which Lambda reads.
    ///
    /// A line that cannot be written is lost: there is nowhere to say so.
    pub fn stderr(format: Format) -> Self {
        Self::new(format, |line| {
            let _ = writeln!(io::stderr().lock(), "{line}");
        })
    }

    /// A log that hands each line, without its end, to `write`.
    pub fn new(format: Format, write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            format,
            write: Arc::new(write),
        }
    }

    /// Writes one line about an error and what lies behind it.
    pub fn error(&self, error: &dyn Error, fields: &[(&str, &str)]) {
        self.line("ERROR", &chain(error), fields, &[]);
    }

    /// Writes one line about an error that work goes on after.
    pub fn warn(&self, error: &dyn Error, fields: &[(&str, &str)]) {
        self.line("WARN", &chain(error), fields, &[]);
    }

    /// Writes one line of counts. In JSON they are numbers.
    pub fn counts(&self, message: &str, fields: &[(&str, &str)], counts: &[(&str, u64)]) {
        self.line("INFO", message, fields, counts);
    }

    fn line(&self, level: &str, message: &str, fields: &[(&str, &str)], counts: &[(&str, u64)]) {
        let line = match self.format {
            Format::Text => text(level, message, fields, counts),
            Format::Json => json(level, message, fields, counts, now()),
        };
        (self.write)(&line);
    }
}

impl Format {
    /// Reads `AWS_LAMBDA_LOG_FORMAT` (`Text` or `JSON`) from the process's environment.
    ///
    /// It is read apart from the rest, since it says how to tell what is wrong with the rest.
    pub fn from_env() -> Self {
        Self::from_lookup(variable)
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        match lookup("AWS_LAMBDA_LOG_FORMAT").as_deref() {
            Some("JSON") => Self::Json,
            _ => Self::Text,
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Log").field(&self.format).finish()
    }
}

fn text(level: &str, message: &str, fields: &[(&str, &str)], counts: &[(&str, u64)]) -> String {
    let mut line = format!("{level} {message}");
    for (name, value) in fields {
        line.push_str(&format!(" {name}={value}"));
    }
    for (name, count) in counts {
        line.push_str(&format!(" {name}={count}"));
    }
    // One event is one line, whatever the texts in it hold.
    line.replace(char::is_control, " ")
}

fn json(
    level: &str,
    message: &str,
    fields: &[(&str, &str)],
    counts: &[(&str, u64)],
    now: DateTime<Utc>,
) -> String {
    let mut line = Map::new();
    line.insert(
        "timestamp".to_owned(),
        now.to_rfc3339_opts(SecondsFormat::Millis, true).into(),
    );
    line.insert("level".to_owned(), level.into());
    line.insert("message".to_owned(), message.into());
    for (name, value) in fields {
        line.insert((*name).to_owned(), (*value).into());
    }
    for (name, count) in counts {
        line.insert((*name).to_owned(), (*count).into());
    }
    Value::Object(line).to_string()
}

/// An error and its causes, outermost first. A cause that the error above it
/// already quotes is not said twice.
fn chain(error: &dyn Error) -> String {
    let mut chain = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !chain.contains(&text) {
            chain = format!("{chain}: {text}");
        }
        cause = error.source();
    }
    chain
}

fn now() -> DateTime<Utc> {
    let millis = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    i64::try_from(millis)
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error, and those behind it.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Self>>);

    fn layers(texts: &[&'static str]) -> Layer {
        let (first, rest) = texts.split_first().expect("a text");
        Layer(first, (!rest.is_empty()).then(|| Box::new(layers(rest))))
    }

    fn failure() -> Layer {
        layers(&["not stored", "broker b-1:\n9092", "refused"])
    }

    #[test]
    fn a_text_line_tells_the_chain_of_causes_and_the_fields() {
        assert_eq!(
            text("ERROR", &chain(&failure()), &[("requestId", "r-1")], &[]),
            "ERROR not stored: broker b-1: 9092: refused requestId=r-1"
        );
    }

    #[test]
    fn a_json_line_has_the_level_and_the_timestamp_that_lambda_asks_for() {
        assert_eq!(
            json(
                "WARN",
                &chain(&failure()),
                &[("requestId", "r-1")],
                &[],
                DateTime::UNIX_EPOCH
            ),
            r#"{"level":"WARN","message":"not stored: broker b-1:\n9092: refused","requestId":"r-1","timestamp":"1970-01-01T00:00:00.000Z"}"#
        );
    }

    #[test]
    fn counts_are_numbers() {
        let count = [("gone", 2)];
        assert_eq!(text("INFO", "posted", &[], &count), "INFO posted gone=2");
        assert_eq!(
            json("INFO", "posted", &[], &count, DateTime::UNIX_EPOCH),
            r#"{"gone":2,"level":"INFO","message":"posted","timestamp":"1970-01-01T00:00:00.000Z"}"#
        );
    }

    #[test]
    fn a_cause_that_is_quoted_above_is_said_once() {
        let error = layers(&["cannot connect: refused", "refused"]);
        assert_eq!(chain(&error), "cannot connect: refused");
    }

    #[test]
    fn lines_are_json_only_where_lambda_says_so() {
        let check = |value: Option<&str>| Format::from_lookup(|_| value.map(str::to_owned));
        assert_eq!(check(Some("JSON")), Format::Json);
        assert_eq!(check(Some("Text")), Format::Text);
        assert_eq!(check(None), Format::Text);
    }
}
