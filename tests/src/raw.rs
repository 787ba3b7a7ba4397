//! A raw client that can send arbitrary bytes and frames, valid or not.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::net::Url;
use crate::wait::{PATIENCE, within};

/// The most bytes that the client reads.
const READ_BYTES_MAX: u64 = 1024 * 1024;
/// The most bytes of a response head.
const HEAD_BYTES_MAX: usize = 4096;
/// The first byte of a text frame that is a whole message.
pub const TEXT: u8 = 0x81;
/// The `Sec-WebSocket-Key` of the example in RFC 6455.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A TCP connection to a gateway.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects over TCP and sends nothing.
    pub async fn connect(url: &str) -> Self {
        let stream = TcpStream::connect(Url::parse(url).host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// Connects and opens a WebSocket.
    ///
    /// # Panics
    /// Panics if the handshake is refused.
    pub async fn open(url: &str) -> Self {
        let mut raw = Self::connect(url).await;
        raw.send(handshake(url).as_bytes()).await;
        raw.opened().await;
        raw
    }

    /// Waits for the response that completes the handshake.
    ///
    /// # Panics
    /// Panics if the handshake is refused.
    pub async fn opened(&mut self) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert!(head.len() < HEAD_BYTES_MAX, "the response head is too long");
            head.push(within("a handshake", self.stream.read_u8()).await.unwrap());
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101 "),
            "{}",
            head.escape_ascii()
        );
    }

    /// Sends bytes, unless the gateway has closed the connection.
    pub async fn send(&mut self, bytes: &[u8]) {
        // The gateway may have closed already.
        let _ = timeout(PATIENCE, self.stream.write_all(bytes)).await;
    }

    /// The text of the next frame.
    ///
    /// # Panics
    /// Panics if none arrives or it is not a text frame.
    pub async fn text(&mut self) -> String {
        let (first, text) = self.next().await;
        assert_eq!(first, TEXT, "{text}");
        text
    }

    /// The first byte of the next frame, and its text.
    ///
    /// # Panics
    /// Panics if none arrives.
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

    /// Closes the sending half of the connection.
    pub async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads until the gateway closes or resets the connection.
    ///
    /// # Panics
    /// Panics if that takes longer than [`PATIENCE`].
    pub async fn rest(self) -> Vec<u8> {
        self.rest_in(PATIENCE).await
    }

    /// Like [`Self::rest`], with another timeout.
    ///
    /// # Panics
    /// Panics on timeout.
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

/// A client frame of less than 64 KiB, masked with zeros. `first` is its first byte.
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

/// The code of a close frame, if the bytes are exactly one close frame.
pub fn close_code(bytes: &[u8]) -> Option<u16> {
    let [0x88, _, code @ ..] = bytes else {
        return None;
    };
    code.first_chunk().map(|code| u16::from_be_bytes(*code))
}
