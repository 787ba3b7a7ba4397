//! A client that sends what it likes: bytes on a socket, frames in any state.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::net::Url;
use crate::wait::{PATIENCE, within};

/// What a raw client reads at most before it gives up.
const READ_BYTES_MAX: u64 = 1024 * 1024;
/// The head of an answer has fewer bytes than this.
const HEAD_BYTES_MAX: usize = 4096;
/// The first byte of a text frame that is a whole message.
pub const TEXT: u8 = 0x81;
/// The key of RFC 6455's own example.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A TCP connection to a gateway.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects, and says nothing yet.
    pub async fn connect(url: &str) -> Self {
        let stream = TcpStream::connect(Url::parse(url).host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// Connects and opens a WebSocket.
    ///
    /// # Panics
    /// Panics where that is refused.
    pub async fn open(url: &str) -> Self {
        let mut raw = Self::connect(url).await;
        raw.send(handshake(url).as_bytes()).await;
        raw.opened().await;
        raw
    }

    /// Waits until the WebSocket that was asked for is open.
    ///
    /// # Panics
    /// Panics where it is refused.
    pub async fn opened(&mut self) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert!(head.len() < HEAD_BYTES_MAX, "an endless head");
            head.push(within("a handshake", self.stream.read_u8()).await.unwrap());
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101 "),
            "{}",
            head.escape_ascii()
        );
    }

    /// Sends bytes, as far as the gateway still takes them.
    pub async fn send(&mut self, bytes: &[u8]) {
        // It may have closed already.
        let _ = timeout(PATIENCE, self.stream.write_all(bytes)).await;
    }

    /// The text of the next frame.
    ///
    /// # Panics
    /// Panics where none comes, or another kind of frame.
    pub async fn text(&mut self) -> String {
        let (first, text) = self.next().await;
        assert_eq!(first, TEXT, "{text}");
        text
    }

    /// The first byte of the next frame, and its text.
    ///
    /// # Panics
    /// Panics where none comes.
    pub async fn next(&mut self) -> (u8, String) {
        let stream = &mut self.stream;
        let reading = async {
            let [first, short] = [stream.read_u8().await?, stream.read_u8().await?];
            let length = match short {
                126 => u64::from(stream.read_u16().await?),
                127 => stream.read_u64().await?,
                short => u64::from(short),
            };
            let mut text = String::new();
            stream.take(length).read_to_string(&mut text).await?;
            Ok::<_, io::Error>((first, text))
        };
        within("a frame", reading).await.unwrap()
    }

    /// Sends no more, but would still read.
    pub async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Everything that comes until the gateway closes; a reset counts as that.
    ///
    /// # Panics
    /// Panics where it never closes.
    pub async fn rest(self) -> Vec<u8> {
        self.rest_in(PATIENCE).await
    }

    /// The same, from a gateway that has more time.
    ///
    /// # Panics
    /// Panics where it does not close by then.
    pub async fn rest_in(mut self, patience: Duration) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut limited = (&mut self.stream).take(READ_BYTES_MAX);
        let read = timeout(patience, limited.read_to_end(&mut bytes)).await;
        assert!(read.is_ok(), "not closed within {patience:?}");
        bytes
    }
}

/// The request that opens a WebSocket.
pub fn handshake(url: &str) -> String {
    let url = Url::parse(url);
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n",
        url.target, url.host
    )
}

/// A frame of fewer than 64 KB as clients send it, masked with zeros; `first` is its first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut frame = vec![first];
    match u8::try_from(length) {
        Ok(short @ ..126) => frame.push(0x80 | short),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The code of a gateway's close frame, where these bytes are one and nothing else.
pub fn close_code(bytes: &[u8]) -> Option<u16> {
    let [0x88, _, code @ ..] = bytes else {
        return None;
    };
    code.first_chunk().map(|code| u16::from_be_bytes(*code))
}
