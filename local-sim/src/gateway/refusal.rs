//! An HTTP answer to a handshake that does not become a WebSocket.

use std::fmt::{Display, Write as _};

use hyper::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tracing::warn;

use super::{
    id::Id,
    limits::CLOSE_WAIT,
    time::{http_date, now_ms},
};

/// Why a handshake is refused: a status and a word for the client, the reason for the developer.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    message: &'static str,
    why: String,
    ids: Option<(Id, Id)>,
}

impl Refusal {
    /// Refuses what never became a connection.
    pub(super) fn new(status: u16, message: &'static str, why: impl Display) -> Self {
        Self {
            status,
            message,
            why: why.to_string(),
            ids: None,
        }
    }

    /// Refuses by the outcome of `$connect`, when there are ids already.
    pub(super) fn of_connection(
        status: u16,
        why: impl Display,
        connection_id: Id,
        request_id: Id,
    ) -> Self {
        let message = match status {
            401 => "Unauthorized",
            403 => "Forbidden",
            429 => "Too Many Requests",
            504 => "Endpoint request timed out",
            400..500 => "Bad Request",
            _ => "Internal server error",
        };
        Self {
            ids: Some((connection_id, request_id)),
            ..Self::new(status, message, why)
        }
    }

    /// Says on the log why, answers, and closes.
    pub(super) async fn send(self, mut socket: TcpStream) {
        warn!("handshake refused with {}: {}", self.status, self.why);
        let answering = async {
            socket.write_all(self.to_http().as_bytes()).await?;
            socket.shutdown().await?;
            // What the client still sends would otherwise reset the connection before it has read the answer.
            let mut rest = [0; 512];
            while socket.read(&mut rest).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        // Late or gone: the client is not owed more.
        let _ = timeout(CLOSE_WAIT, answering).await;
    }

    fn to_http(&self) -> String {
        let body = match &self.ids {
            None => format!(r#"{{"message":"{}"}}"#, self.message),
            Some((connection, request)) => {
                format!(
                    r#"{{"message":"{}","connectionId":"{connection}","requestId":"{request}"}}"#,
                    self.message
                )
            }
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
            error_type(self.status),
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
    fn a_refusal_is_whole_http() {
        let http = Refusal::new(403, "Forbidden", "why").to_http();
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
}
