//! One line on standard error for each thing that went wrong.
//!
//! Nothing is written for what went well: the gateway and Lambda count that.
//! A line carries ids and causes, never a body and never a credential.

use std::{
    error::Error,
    fmt,
    io::{self, Write},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::record::rfc3339;

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
        self.line("ERROR", error, fields);
    }

    /// Writes one line about an error that work goes on after.
    pub fn warn(&self, error: &dyn Error, fields: &[(&str, &str)]) {
        self.line("WARN", error, fields);
    }

    fn line(&self, level: &str, error: &dyn Error, fields: &[(&str, &str)]) {
        let line = match self.format {
            Format::Text => text(level, error, fields),
            Format::Json => json(level, error, fields, now()),
        };
        (self.write)(&line);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Log").field(&self.format).finish()
    }
}

fn text(level: &str, error: &dyn Error, fields: &[(&str, &str)]) -> String {
    let mut line = format!("{level} {}", chain(error));
    for (name, value) in fields {
        line.push_str(&format!(" {name}={value}"));
    }
    // One event is one line, whatever the texts in it hold.
    line.replace(char::is_control, " ")
}

fn json(level: &str, error: &dyn Error, fields: &[(&str, &str)], now: DateTime<Utc>) -> String {
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), rfc3339(now).into());
    line.insert("level".to_owned(), level.into());
    line.insert("message".to_owned(), chain(error).into());
    for (name, value) in fields {
        line.insert((*name).to_owned(), (*value).into());
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
    use crate::failure::{Code, Failure};

    fn failure() -> Failure {
        let cause = Failure::new(Code::Internal, "broker b-1:\n9092").because("refused");
        Failure::new(Code::Unavailable, "not stored").because(cause)
    }

    #[test]
    fn a_text_line_tells_the_chain_of_causes_and_the_fields() {
        assert_eq!(
            text("ERROR", &failure(), &[("requestId", "r-1")]),
            "ERROR not stored: broker b-1: 9092: refused requestId=r-1"
        );
    }

    #[test]
    fn a_json_line_has_the_level_and_the_timestamp_that_lambda_asks_for() {
        assert_eq!(
            json(
                "WARN",
                &failure(),
                &[("requestId", "r-1")],
                DateTime::UNIX_EPOCH
            ),
            r#"{"level":"WARN","message":"not stored: broker b-1:\n9092: refused","requestId":"r-1","timestamp":"1970-01-01T00:00:00.000Z"}"#
        );
    }

    #[test]
    fn a_cause_that_is_quoted_above_is_said_once() {
        let error = Failure::new(Code::Internal, "cannot connect: refused").because("refused");
        assert_eq!(chain(&error), "cannot connect: refused");
    }
}
