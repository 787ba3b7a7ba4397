//! Reads the head of the first HTTP request on a socket.
//!
//! The request may be a handshake or a request to `@connections`.
//!
//! The gateway parses it itself because events show header names in the case that the client sent,
//! and the HTTP library does not preserve it.

use std::io;

use bytes::BytesMut;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};

use crate::limits::{HEAD_BYTES_MAX, HEAD_WAIT, HEADERS_MAX, URL_BYTES_MAX};

/// The head of a request.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// Path and query as sent.
    pub(crate) target: String,
    /// Names as sent, in the order sent.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// The last value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.values(name).last()
    }

    /// The path and the query, as sent.
    pub(crate) fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }

    /// Whether a header has `token` among its comma-separated values, in any case.
    pub(crate) fn lists(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(token))
    }

    /// Whether the client asks for a WebSocket, in a valid handshake or not.
    pub(crate) fn is_upgrade(&self) -> bool {
        self.lists("upgrade", "websocket")
    }

    /// All values of a header.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let same = move |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .filter(same)
            .map(|(_, value)| value.as_str())
    }
}

/// Why the head of a request could not be read.
#[derive(Debug, Error)]
pub(crate) enum HeadError {
    /// The client disconnected or timed out, so no response is sent.
    #[error("no request received")]
    Gone(#[source] io::Error),
    /// The bytes are not HTTP/1.1.
    #[error("the request is not HTTP/1.1")]
    Malformed(#[source] httparse::Error),
    /// The head is too long or has too many headers.
    #[error("the request head exceeds {HEAD_BYTES_MAX} bytes or {HEADERS_MAX} headers")]
    TooLarge,
    /// The URL alone exceeds its limit.
    #[error("the URL is at least {0} bytes long")]
    UrlTooLong(usize),
}

/// Reads a head into `buffer`; returns the head and its length in bytes. The bytes stay in
/// `buffer`.
///
/// # Errors
/// The client sends no complete head within [`HEAD_WAIT`], or the head is malformed or too large.
pub(crate) async fn read(
    socket: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<(Head, usize), HeadError> {
    let reading = async {
        loop {
            if let Some(found) = parse(buffer)? {
                return Ok(found);
            }
            if buffer.len() >= HEAD_BYTES_MAX {
                return Err(too_large(buffer));
            }
            if socket.read_buf(buffer).await.map_err(HeadError::Gone)? == 0 {
                return Err(HeadError::Gone(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    };
    timeout(HEAD_WAIT, reading)
        .await
        .unwrap_or_else(|elapsed| Err(HeadError::Gone(elapsed.into())))
}

/// The error for a head that is too large: because of the URL, or as a whole.
fn too_large(bytes: &[u8]) -> HeadError {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let url = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if url.len() > URL_BYTES_MAX {
        HeadError::UrlTooLong(url.len())
    } else {
        HeadError::TooLarge
    }
}

fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLarge),
        Err(error) => return Err(HeadError::Malformed(error)),
    };
    let head = Head {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        headers: request
            .headers
            .iter()
            .map(|header| {
                (
                    header.name.to_owned(),
                    String::from_utf8_lossy(header.value).into_owned(),
                )
            })
            .collect(),
    };
    Ok(Some((head, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(text: &str) -> Result<(Head, usize), HeadError> {
        read(&mut text.as_bytes(), &mut BytesMut::new()).await
    }

    #[tokio::test]
    async fn header_names_keep_their_case() {
        let (head, length) = check("GET /dev?a=1 HTTP/1.1\r\nHost: h\r\nx-ONE: 1\r\n\r\nrest")
            .await
            .unwrap();
        assert_eq!(
            (head.method.as_str(), head.target.as_str(), length),
            ("GET", "/dev?a=1", 44)
        );
        assert_eq!(head.headers[1], ("x-ONE".to_owned(), "1".to_owned()));
        assert_eq!(head.header("HOST"), Some("h"));
    }

    #[tokio::test]
    async fn websocket_is_found_among_several_upgrade_protocols() {
        let (head, _) = check("GET / HTTP/1.1\r\nUpgrade: h2c, WebSocket\r\n\r\n")
            .await
            .unwrap();
        assert!(head.is_upgrade());
    }

    #[tokio::test]
    async fn each_invalid_head_has_its_own_error() {
        assert!(matches!(check("").await, Err(HeadError::Gone(_))));
        assert!(matches!(
            check("GET / HTTP/1.1\r\nHost").await,
            Err(HeadError::Gone(_))
        ));
        assert!(matches!(
            check("\u{1}\u{2}\r\n\r\n").await,
            Err(HeadError::Malformed(_))
        ));
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(HEAD_BYTES_MAX));
        assert!(matches!(
            check(&long).await,
            Err(HeadError::UrlTooLong(URL_BYTES_MAX..))
        ));
        let long = format!("GET / HTTP/1.1\r\na: {}\r\n", "a".repeat(HEAD_BYTES_MAX));
        assert!(matches!(check(&long).await, Err(HeadError::TooLarge)));
        let many = format!(
            "GET / HTTP/1.1\r\n{}\r\n",
            "a: b\r\n".repeat(HEADERS_MAX + 1)
        );
        assert!(matches!(check(&many).await, Err(HeadError::TooLarge)));
    }
}
