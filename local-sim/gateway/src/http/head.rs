//! The head of an HTTP request: read before it is known what the connection is for.
//!
//! The gateway reads it itself because functions see header names in the case in which the client wrote them,
//! which an HTTP library does not keep.

use std::io;

use bytes::BytesMut;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};

use crate::limits::{HEAD_BYTES_MAX, HEAD_WAIT, HEADERS_MAX, URL_BYTES_MAX};

/// A request's head.
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

    /// What is before the query, and the query, as sent.
    pub(crate) fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }

    /// Whether a header lists `token` among its comma-separated values.
    pub(crate) fn lists(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(token))
    }

    /// Whether the client asks for a WebSocket, rightly or not.
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

/// Why there is no head.
#[derive(Debug, Error)]
pub(crate) enum HeadError {
    /// The client went, or sent nothing for too long: nobody to answer.
    #[error("the client sent no request")]
    Gone(#[source] io::Error),
    /// Not HTTP/1.1.
    #[error("the request is not HTTP/1.1")]
    Malformed(#[source] httparse::Error),
    /// Too long, or too many headers.
    #[error(
        "the head of the request is longer than {HEAD_BYTES_MAX} bytes or has more than {HEADERS_MAX} headers"
    )]
    TooLarge,
    /// The longest URL is exceeded by the very first line.
    #[error("the URL has {0} bytes or more")]
    UrlTooLong(usize),
}

/// Reads a head into `buffer`, where it stays; returns it with the number of bytes it takes there.
///
/// # Errors
/// Where the client sends none in time, or not in form.
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

/// What is too large about a head that is: its first line, or all of it.
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
    async fn names_keep_their_case() {
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
    async fn an_upgrade_is_seen_among_others() {
        let (head, _) = check("GET / HTTP/1.1\r\nUpgrade: h2c, WebSocket\r\n\r\n")
            .await
            .unwrap();
        assert!(head.is_upgrade());
    }

    #[tokio::test]
    async fn what_is_no_head_is_told_apart() {
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
