//! The HTTP response to a refused handshake.

use std::{
    borrow::Cow,
    fmt::{Display, Write as _},
};

use hyper::StatusCode;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tracing::warn;

use crate::{
    id::Id,
    limits::{CLOSE_WAIT, URL_BYTES_MAX},
    signature::error::SignatureError,
    time::{http_date, now_ms},
};

/// A refused handshake: status and message for the client, and the reason for the log.
#[derive(Debug)]
pub(crate) struct HandshakeRefusal {
    status: u16,
    message: Cow<'static, str>,
    error_type: &'static str,
    why: String,
    ids: Option<(Id, Id)>,
}

impl HandshakeRefusal {
    /// Refuses with a status and a message for the client.
    pub(crate) fn new(
        status: u16,
        message: impl Into<Cow<'static, str>>,
        why: impl Display,
    ) -> Self {
        Self {
            status,
            message: message.into(),
            error_type: error_type(status),
            why: why.to_string(),
            ids: None,
        }
    }

    /// Refuses with a status from an authorizer or `$connect`, and API Gateway's message for it.
    pub(crate) fn of_status(status: u16, why: impl Display) -> Self {
        let message = match status {
            401 => "Unauthorized",
            403 => "Forbidden",
            429 => "Too Many Requests",
            504 => "Endpoint request timed out",
            300..500 => StatusCode::from_u16(status)
                .ok()
                .and_then(|status| status.canonical_reason())
                .unwrap_or("Bad Request"),
            _ => "Internal server error",
        };
        Self::new(status, message, why)
    }

    /// Refuses a handshake without a valid signature, with AWS's message.
    pub(crate) fn of_signature(error: &SignatureError) -> Self {
        let summary = error.message.lines().next().unwrap_or_default();
        let why = format!("AWS_IAM: {summary}");
        Self {
            error_type: error.error_type,
            ..Self::new(403, error.message.clone(), why)
        }
    }

    /// Refuses a URL of at least this many bytes.
    pub(crate) fn url_too_long(bytes: usize) -> Self {
        let why = format!("the URL is at least {bytes} bytes long (limit: {URL_BYTES_MAX})");
        Self::new(414, "Request-URI Too Long", why)
    }

    /// Adds the ids of the connection and the request to the response.
    pub(crate) fn with_ids(self, connection_id: Id, request_id: Id) -> Self {
        Self {
            ids: Some((connection_id, request_id)),
            ..self
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The message for the client.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Logs the reason, sends the response and closes the socket.
    pub(crate) async fn send(self, mut socket: TcpStream) {
        let (connection, request) = self.ids.unzip();
        warn!(
            connection = connection.map(tracing::field::display),
            request = request.map(tracing::field::display),
            "handshake refused with {}: {}",
            self.status,
            self.why
        );
        let responding = async {
            socket.write_all(self.to_http().as_bytes()).await?;
            socket.shutdown().await?;
            // Closing a socket with unread data resets the connection before the client has read
            // the response.
            let mut rest = [0; 512];
            while socket.read(&mut rest).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        // The client may be too slow or have disconnected.
        let _ = timeout(CLOSE_WAIT, responding).await;
    }

    fn to_http(&self) -> String {
        let message = json!(self.message);
        let body = match &self.ids {
            None => format!(r#"{{"message":{message}}}"#),
            Some((connection, request)) => format!(
                r#"{{"message":{message},"connectionId":"{connection}","requestId":"{request}"}}"#
            ),
        };
        let reason = StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason());
        let mut http = format!(
            "HTTP/1.1 {} {}\r\n",
            self.status,
            reason.unwrap_or_default()
        );
        if self.status == 426 {
            http.push_str("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
        }
        // Writing to a string cannot fail.
        let _ = write!(
            http,
            "Date: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\
             x-amzn-ErrorType: {}\r\n\r\n{body}",
            http_date(now_ms()),
            body.len(),
            self.error_type,
        );
        http
    }
}

fn error_type(status: u16) -> &'static str {
    match status {
        401 => "UnauthorizedException",
        403 => "ForbiddenException",
        429 => "LimitExceededException",
        400..500 => "BadRequestException",
        _ => "InternalServerErrorException",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_complete_http_response() {
        let http = HandshakeRefusal::new(403, "Forbidden", "why").to_http();
        assert!(
            http.starts_with("HTTP/1.1 403 Forbidden\r\nDate: "),
            "{http}"
        );
        assert!(http.contains("\r\nContent-Length: 23\r\n"), "{http}");
        assert!(
            http.ends_with(
                "\r\nx-amzn-ErrorType: ForbiddenException\r\n\r\n{\"message\":\"Forbidden\"}"
            ),
            "{http}"
        );
    }

    #[test]
    fn a_refusal_by_connect_contains_its_ids() {
        let [connection, request] =
            ["R1kmxc2VNjMCFIA=", "R1knPH17NjMFftw="].map(|id| Id::parse(id).unwrap());
        let http = HandshakeRefusal::of_status(404, "why")
            .with_ids(connection, request)
            .to_http();
        let body = r#"{"message":"Not Found","connectionId":"R1kmxc2VNjMCFIA=","requestId":"R1knPH17NjMFftw="}"#;
        assert!(http.ends_with(&format!("\r\n\r\n{body}")), "{http}");
    }

    #[test]
    fn every_status_has_its_message() {
        let check = |status| {
            HandshakeRefusal::of_status(status, "why")
                .message()
                .to_owned()
        };
        assert_eq!(check(302), "Found");
        assert_eq!(check(401), "Unauthorized");
        assert_eq!(check(418), "I'm a teapot");
        assert_eq!(check(499), "Bad Request");
        assert_eq!(check(502), "Internal server error");
        assert_eq!(check(504), "Endpoint request timed out");
    }
}
