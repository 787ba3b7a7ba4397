//! A plain HTTP/1.1 client: one request per connection, the response read to its end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wait::within;

/// An answer, taken apart as far as tests look into it.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header lines, without the status line.
    pub head: String,
    /// The body as it was sent.
    pub body: String,
}

impl Response {
    /// The value of a header, whose name counts in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Sends one request to an `http://` URL.
///
/// # Panics
/// Panics where the answer is not HTTP.
pub async fn request(method: &str, url: &str, body: &str) -> Response {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len(),
    );
    let answer = within("an HTTP response", async {
        let mut socket = TcpStream::connect(host).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    })
    .await;
    parse(&answer).unwrap_or_else(|| panic!("not HTTP: {answer}"))
}

fn parse(answer: &str) -> Option<Response> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let (status, head) = head.split_once("\r\n").unwrap_or((head, ""));
    Some(Response {
        status: status.split(' ').nth(1)?.parse().ok()?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// The URL of one connection below the parent of all; an id ends in `=`, which a path escapes.
pub fn connection_url(connections: &str, id: &str) -> String {
    format!("{connections}/{}", id.replace('=', "%3D"))
}
