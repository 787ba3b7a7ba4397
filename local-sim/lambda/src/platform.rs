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

/// Something that Lambda logs.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// A process starts, ahead of its first invocation.
    InitStart(Init<'a>),
    /// It did not get as far as to ask for one.
    InitReport {
        kind: &'static str,
        duration: Duration,
        status: Status<'a>,
    },
    Start {
        request_id: Uuid,
    },
    /// The process ended in mid-invocation.
    Exited {
        request_id: Uuid,
        how: &'a str,
    },
    /// The process was ended, since it took too long.
    TimedOut {
        request_id: Uuid,
        timeout: Duration,
    },
    Report(&'a Report<'a>),
}

/// What is said of an environment when it starts.
#[derive(Debug)]
pub(super) struct Init<'a> {
    pub(super) kind: &'static str,
    pub(super) function: &'a str,
    pub(super) instance: &'a str,
    pub(super) memory_size: u32,
}

/// What is said of an invocation when it is over.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) request_id: Uuid,
    pub(super) duration: Duration,
    /// Of a cold start; it is billed.
    pub(super) init: Option<Duration>,
    pub(super) memory_size: u32,
    pub(super) memory_used: u64,
    pub(super) status: Status<'a>,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status<'a> {
    Success,
    Timeout,
    /// The process failed, so.
    Error(&'a str),
    /// The function said itself that it failed: the text does not tell.
    Thrown(&'a str),
}

impl Line<'_> {
    /// Whose line it is.
    pub(super) fn request_id(&self) -> Option<Uuid> {
        match self {
            Self::InitStart(_) | Self::InitReport { .. } => None,
            Self::Start { request_id }
            | Self::Exited { request_id, .. }
            | Self::TimedOut { request_id, .. } => Some(*request_id),
            Self::Report(report) => Some(report.request_id),
        }
    }

    /// The line, or the lines; empty where the format has none for this.
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

    /// What is no event of its own in JSON is part of the report.
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

    /// In whole milliseconds, and with the init, as for every runtime since August 2025.
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
    /// What stands at the end of a line: nothing where all went well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success | Self::Thrown(_) => Ok(()),
            Self::Timeout => f.write_str("\tStatus: timeout"),
            Self::Error(error_type) => write!(f, "\tStatus: error\tError Type: {error_type}"),
        }
    }
}

/// A duration as it is logged.
struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ms", self.0.as_secs_f64() * 1000.0)
    }
}

/// Milliseconds, with three digits after the point.
fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// The wall clock in RFC 3339, with milliseconds.
fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let now: DateTime<Utc> = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    now.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// What functions run on: Lambda's own name for it, with a version that it does not have.
const RUNTIME: &str = "provided:al2023.v0";
const RUNTIME_ARN: &str = "arn:aws:lambda:us-east-1::runtime:0000000000000000000000000000000000000000000000000000000000000000";

#[cfg(test)]
mod tests;
