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

/// The access log; `None` if it is disabled.
#[derive(Debug)]
pub(crate) struct AccessLog(Option<(Format, Writer)>);

impl AccessLog {
    /// Opens the log at `path` for appending; `-` is standard error. Without a path, the log is
    /// disabled.
    ///
    /// # Errors
    /// The format is invalid, or the file cannot be opened.
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

    /// Queues the line of an entry. Never blocks: if the disk is too slow, lines are dropped with a
    /// warning.
    pub(crate) fn write(&self, entry: &Entry<'_>) {
        if let Some((format, writer)) = &self.0 {
            writer.queue(format.line(entry));
        }
    }

    /// Waits until all queued lines are written, or until a timeout.
    pub(crate) async fn close(&self) {
        if let Some((_, writer)) = &self.0 {
            writer.close().await;
        }
    }
}

/// Why the access log cannot be opened.
#[derive(Debug, Error)]
pub enum AccessLogError {
    /// The format is invalid.
    #[error("--access-log-format")]
    Format(#[from] FormatError),
    /// The file cannot be opened.
    #[error("--access-log: cannot open {path}")]
    Open {
        /// The path from the command line.
        path: String,
        /// The cause.
        source: io::Error,
    },
}

/// The format that API Gateway's console suggests for a WebSocket API, plus error variables.
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
