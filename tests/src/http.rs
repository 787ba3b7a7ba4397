//! A plain HTTP/1.1 client: one request per connection, the response read to its end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::net::Url;
use crate::sigv4::Signer;
use crate::wait::within;

/// The most bytes of a response that are read.
const RESPONSE_BYTES_MAX: u64 = 1024 * 1024;

/// A parsed response.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header lines, without the status line.
    pub head: String,
    /// The body, without decoding of chunks.
    pub body: String,
}

impl Response {
    /// The value of a header. The name is not case-sensitive.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Parses a response.
    ///
    /// # Panics
    /// Panics if it is not HTTP.
    pub fn parse(answer: &str) -> Self {
        let parse = || {
            let (head, body) = answer.split_once("\r\n\r\n")?;
            let (status, head) = head.split_once("\r\n").unwrap_or((head, ""));
            Some(Self {
                status: status.split(' ').nth(1)?.parse().ok()?,
                head: head.to_owned(),
                body: body.to_owned(),
            })
        };
        parse().unwrap_or_else(|| panic!("not HTTP: {answer}"))
    }
}

/// Sends one request to an `http://` or `https://` URL.
///
/// # Panics
/// Panics if the response is not HTTP.
pub async fn request(method: &str, url: &str, body: &str) -> Response {
    send(method, url, &[], body.as_bytes()).await
}

/// Sends one request to `@connections`, signed with the simulator's own key.
///
/// # Panics
/// Panics if the response is not HTTP.
pub async fn signed(method: &str, url: &str, body: &str) -> Response {
    let headers = Signer::default().headers(method, url, body.as_bytes());
    send(method, url, &headers, body.as_bytes()).await
}

/// Sends one request with these headers. A `Host` header replaces the URL's host.
///
/// # Panics
/// Panics if the response is not HTTP.
pub async fn send(method: &str, url: &str, headers: &[(String, String)], body: &[u8]) -> Response {
    let url = Url::parse(url);
    let mut head = format!("{method} {} HTTP/1.1\r\n", url.target);
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        head.push_str(&format!("Host: {}\r\n", url.host));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    ));
    let answer = within("an HTTP response", async {
        let mut stream = url.connect().await;
        let mut answer = Vec::new();
        // The server may refuse a request before reading all of it; the response still counts.
        let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
        let _ = stream
            .take(RESPONSE_BYTES_MAX)
            .read_to_end(&mut answer)
            .await;
        answer
    })
    .await;
    Response::parse(&String::from_utf8_lossy(&answer))
}

/// The URL of one connection below `@connections`. The `=` at the end of an id is escaped.
pub fn connection_url(connections: &str, id: &str) -> String {
    format!("{connections}/{}", id.replace('=', "%3D"))
}
