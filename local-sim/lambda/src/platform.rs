//! The lines that Lambda itself writes into a function's log, as text or as JSON.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// How a function's log is written (`AWS_LAMBDA_LOG_FORMAT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
}

/// A log entry of Lambda's own.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// A process starts.
    InitStart(Init<'a>),
    /// A process ended before its first poll.
    InitReport {
        kind: &'static str,
        duration: Duration,
        status: Status<'a>,
    },
    Start {
        request_id: Uuid,
    },
    /// The process exited during the invocation.
    Exited {
        request_id: Uuid,
        how: &'a str,
    },
    /// The invocation timed out.
    TimedOut {
        request_id: Uuid,
        timeout: Duration,
    },
    Report(&'a Report<'a>),
}

/// The fields of `platform.initStart`.
#[derive(Debug)]
pub(super) struct Init<'a> {
    pub(super) kind: &'static str,
    pub(super) function: &'a str,
    pub(super) instance: &'a str,
    pub(super) memory_size: u32,
}

/// The report of an ended invocation.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) request_id: Uuid,
    pub(super) duration: Duration,
    /// The init duration of a cold start, which is billed.
    pub(super) init: Option<Duration>,
    pub(super) memory_size: u32,
    pub(super) memory_used: u64,
    pub(super) status: Status<'a>,
}

/// The status of an invocation or init.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status<'a> {
    Success,
    Timeout,
    /// The process failed, with this error type.
    Error(&'a str),
    /// The function returned an error of this type. Shown only in JSON.
    Thrown(&'a str),
}

impl Line<'_> {
    /// The request id that the line belongs to.
    pub(super) fn request_id(&self) -> Option<Uuid> {
        match self {
            Self::InitStart(_) | Self::InitReport { .. } => None,
            Self::Start { request_id }
            | Self::Exited { request_id, .. }
            | Self::TimedOut { request_id, .. } => Some(*request_id),
            Self::Report(report) => Some(report.request_id),
        }
    }

    /// Formats the entry as one or more lines; empty if the format has no such entry.
    pub(super) fn render(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Json => self.json().map_or_else(String::new, |it| it.to_string()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::InitStart(_) => {
                format!("INIT_START Runtime Version: {RUNTIME}\tRuntime Version ARN: {RUNTIME_ARN}")
            }
            Self::InitReport {
                duration, status, ..
            } => format!(
                "INIT_REPORT Init Duration: {}\tPhase: init{status}",
                Milliseconds(*duration)
            ),
            Self::Start { request_id } => {
                format!("START RequestId: {request_id} Version: $LATEST")
            }
            Self::Exited { request_id, how } => {
                format!("RequestId: {request_id} Error: {how}\nRuntime.ExitError")
            }
            Self::TimedOut {
                request_id,
                timeout,
            } => format!(
                "{} {request_id} Task timed out after {:.2} seconds",
                now(),
                timeout.as_secs_f64()
            ),
            Self::Report(report) => report.text(),
        }
    }

    /// `None` for entries that JSON includes in the report.
    fn json(&self) -> Option<Value> {
        let (kind, record) = match self {
            Self::InitStart(init) => (
                "platform.initStart",
                json!({
                    "initializationType": init.kind,
                    "phase": "init",
                    "runtimeVersion": RUNTIME,
                    "runtimeVersionArn": RUNTIME_ARN,
                    "functionName": init.function,
                    "functionVersion": "$LATEST",
                    "instanceId": init.instance,
                    "instanceMaxMemory": u64::from(init.memory_size) << 20,
                }),
            ),
            Self::InitReport {
                kind,
                duration,
                status,
            } => {
                let mut record = json!({
                    "initializationType": kind,
                    "phase": "init",
                    "metrics": { "durationMs": rounded(*duration) },
                });
                status.put(&mut record);
                ("platform.initReport", record)
            }
            Self::Start { request_id } => (
                "platform.start",
                json!({ "requestId": request_id.to_string(), "version": "$LATEST" }),
            ),
            Self::Report(report) => ("platform.report", report.json()),
            Self::Exited { .. } | Self::TimedOut { .. } => return None,
        };
        Some(json!({ "time": now(), "type": kind, "record": record }))
    }
}

impl Report<'_> {
    fn text(&self) -> String {
        let Self {
            request_id,
            duration,
            memory_size,
            memory_used,
            status,
            ..
        } = self;
        let duration = Milliseconds(*duration);
        let billed = self.billed();
        let init = self.init.map_or_else(String::new, |init| {
            format!("\tInit Duration: {}", Milliseconds(init))
        });
        format!(
            "END RequestId: {request_id}\n\
             REPORT RequestId: {request_id}\tDuration: {duration}\tBilled Duration: {billed} ms\t\
             Memory Size: {memory_size} MB\tMax Memory Used: {memory_used} MB{init}{status}"
        )
    }

    fn json(&self) -> Value {
        let mut metrics = json!({
            "durationMs": rounded(self.duration),
            "billedDurationMs": self.billed(),
            "memorySizeMB": self.memory_size,
            "maxMemoryUsedMB": self.memory_used,
        });
        if let Some(init) = self.init {
            metrics["initDurationMs"] = json!(rounded(init));
        }
        let mut record = json!({ "requestId": self.request_id.to_string(), "metrics": metrics });
        self.status.put(&mut record);
        record
    }

    /// Whole milliseconds, including the init, as for all runtimes since August 2025.
    /// <https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/>
    fn billed(&self) -> u128 {
        let billed = self.duration + self.init.unwrap_or_default();
        billed.as_micros().div_ceil(1000)
    }
}

impl Status<'_> {
    fn put(self, record: &mut Value) {
        let status = match self {
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::Error(_) | Self::Thrown(_) => "error",
        };
        record["status"] = json!(status);
        if let Self::Error(error_type) | Self::Thrown(error_type) = self {
            record["errorType"] = json!(error_type);
        }
    }
}

impl fmt::Display for Status<'_> {
    /// Writes the end of a text line; nothing on success.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success | Self::Thrown(_) => Ok(()),
            Self::Timeout => f.write_str("\tStatus: timeout"),
            Self::Error(error_type) => write!(f, "\tStatus: error\tError Type: {error_type}"),
        }
    }
}

/// A duration formatted for text logs.
struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ms", self.0.as_secs_f64() * 1000.0)
    }
}

/// Milliseconds, rounded to three decimals.
fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// The current time in RFC 3339 with milliseconds.
fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let now: DateTime<Utc> = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    now.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The runtime: Lambda's name with a made-up version.
const RUNTIME: &str = "provided:al2023.v0";
const RUNTIME_ARN: &str = "arn:aws:lambda:us-east-1::runtime:0000000000000000000000000000000000000000000000000000000000000000";

#[cfg(test)]
mod tests;
