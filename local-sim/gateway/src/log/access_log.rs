//! The access log: one line for every connect, message and disconnect.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html>

use std::{io, path::Path};

use thiserror::Error;

use crate::log::{
    entry::Entry,
    format::{Format, FormatError},
    writer::Writer,
};

/// Writes entries, where a log is wanted.
#[derive(Debug)]
pub(crate) struct AccessLog(Option<(Format, Writer)>);

impl AccessLog {
    /// Opens the log at `path`, behind what is in it already; `-` is standard error. Without a path, nothing is
    /// written.
    ///
    /// # Errors
    /// The format is none, or the file cannot be opened.
    pub(crate) fn open(path: Option<&Path>, format: Option<&str>) -> Result<Self, AccessLogError> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        let format = format.unwrap_or(FORMAT_DEFAULT).parse()?;
        let writer = Writer::open(path).map_err(|source| AccessLogError::Open {
            path: path.display().to_string(),
            source,
        })?;
        Ok(Self(Some((format, writer))))
    }

    /// Queues the line of an entry. It never waits: what a slow disk cannot take is lost, and counted.
    pub(crate) fn write(&self, entry: &Entry<'_>) {
        if let Some((format, writer)) = &self.0 {
            writer.queue(format.line(entry));
        }
    }

    /// Waits until what is queued is written, though not for long.
    pub(crate) async fn close(&self) {
        if let Some((_, writer)) = &self.0 {
            writer.close().await;
        }
    }
}

/// Why there is no access log.
#[derive(Debug, Error)]
pub enum AccessLogError {
    /// The format is none.
    #[error("--access-log-format")]
    Format(#[from] FormatError),
    /// The file cannot be opened.
    #[error("--access-log: cannot open {path}")]
    Open {
        /// As it was given.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// What API Gateway's console proposes for a WebSocket API, and what went wrong.
const FORMAT_DEFAULT: &str = concat!(
    r#"{"requestId":"$context.requestId","ip":"$context.identity.sourceIp","caller":"$context.identity.caller","#,
    r#""user":"$context.identity.user","requestTime":"$context.requestTime","eventType":"$context.eventType","#,
    r#""routeKey":"$context.routeKey","status":"$context.status","connectionId":"$context.connectionId","#,
    r#""messageId":"$context.messageId","principalId":"$context.authorizer.principalId","#,
    r#""integrationStatus":"$context.integration.status","integrationLatency":"$context.integrationLatency","#,
    r#""error":"$context.error.message","integrationError":"$context.integration.error"}"#
);

#[cfg(test)]
mod tests;
