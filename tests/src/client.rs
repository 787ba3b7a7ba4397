//! A well-behaved WebSocket client.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::wait::within;

/// The size of the read buffer.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// One open connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// Why no response arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The wait timed out.
    Late,
    /// The connection ended first.
    Ended,
}

impl Client {
    /// Opens a connection.
    ///
    /// # Panics
    /// Panics if the handshake fails.
    pub async fn connect(url: &str) -> Self {
        Self::open(url, &[]).await.unwrap()
    }

    /// Opens a connection with further headers.
    ///
    /// # Errors
    /// Returns the handshake's error.
    pub async fn open(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Box<Error>> {
        let mut request = url.into_client_request()?;
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
        // The buffer is zeroed before each read: at 128 KiB, that would dominate a small message's cost.
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
        let opened = connect_async_with_config(request, Some(config), true);
        let (socket, _) = within("the handshake", opened).await?;
        Ok(Self { socket })
    }

    /// Attempts a handshake that must be refused, and returns the HTTP status.
    ///
    /// # Panics
    /// Panics if the handshake succeeds or fails without an HTTP status.
    pub async fn refused(url: &str) -> u16 {
        match Self::open(url, &[]).await.map_err(|error| *error) {
            Err(Error::Http(response)) => response.status().as_u16(),
            other => panic!("not a refused handshake: {other:?}"),
        }
    }

    /// Sends one text message in one frame.
    pub async fn send(&mut self, text: &str) {
        self.send_raw(Message::text(text)).await;
    }

    /// Sends one binary message in one frame.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.send_raw(Message::binary(Bytes::copy_from_slice(bytes)))
            .await;
    }

    /// Sends one text message in frames of `size` bytes, which browsers do not do.
    pub async fn send_fragmented(&mut self, text: &str, size: usize) {
        let mut chunks = text.as_bytes().chunks(size).enumerate().peekable();
        while let Some((index, chunk)) = chunks.next() {
            let kind = if index == 0 {
                Data::Text
            } else {
                Data::Continue
            };
            let chunk = Bytes::copy_from_slice(chunk);
            let last = chunks.peek().is_none();
            let frame = Frame::message(chunk, OpCode::Data(kind), last);
            self.send_raw(Message::Frame(frame)).await;
        }
    }

    /// The text of the next message.
    ///
    /// # Panics
    /// Panics if the next message is not text, or on timeout.
    pub async fn next(&mut self) -> String {
        match within("a text frame", self.socket.next()).await {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            other => panic!("not a text frame: {other:?}"),
        }
    }

    /// The JSON of the next message.
    pub async fn next_json(&mut self) -> Value {
        let text = self.next().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// Sends a message and returns the next one received.
    ///
    /// That may be the response to another message, if several are in flight.
    pub async fn ask(&mut self, text: &str) -> Value {
        self.send(text).await;
        self.next_json().await
    }

    /// Sends a message and returns the next one received within `time`.
    ///
    /// # Errors
    /// The wait timed out, or the connection ended.
    pub async fn try_ask(&mut self, text: &str, time: Duration) -> Result<Value, Silence> {
        let exchange = async {
            self.socket.send(Message::text(text)).await.ok()?;
            self.socket.next().await?.ok()
        };
        match timeout(time, exchange).await {
            Ok(Some(Message::Text(text))) => {
                Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}")))
            }
            Ok(_) => Err(Silence::Ended),
            Err(_) => Err(Silence::Late),
        }
    }

    /// Sends a ping and waits for the pong.
    ///
    /// # Panics
    /// Panics if another message arrives first.
    pub async fn ping(&mut self) {
        self.send_raw(Message::Ping(Bytes::new())).await;
        match within("a pong", self.socket.next()).await {
            Some(Ok(Message::Pong(_))) => {}
            other => panic!("not a pong: {other:?}"),
        }
    }

    /// Sends a message up to `times` times and returns the code of the gateway's close frame.
    ///
    /// # Panics
    /// Panics if the gateway does not close the connection.
    pub async fn flood(&mut self, text: &str, times: usize) -> u16 {
        for _ in 0..times {
            // The gateway may have closed already.
            if within("sending", self.socket.send(Message::text(text)))
                .await
                .is_err()
            {
                break;
            }
        }
        loop {
            match within("a close frame", self.socket.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("not a close frame: {other:?}"),
            }
        }
    }

    /// Waits for the close frame and returns its code.
    ///
    /// # Panics
    /// Panics if the connection ends without one or a message arrives first.
    pub async fn closed(&mut self) -> u16 {
        match within("a close frame", self.socket.next()).await {
            Some(Ok(Message::Close(Some(frame)))) => {
                // Reading on sends the close frame in response.
                while within("the end", self.socket.next())
                    .await
                    .is_some_and(|it| it.is_ok())
                {}
                frame.code.into()
            }
            other => panic!("not a close frame: {other:?}"),
        }
    }

    /// Closes the connection and waits until the gateway has closed it too.
    pub async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        self.socket.close(Some(frame)).await.unwrap();
        while within("the end", self.socket.next())
            .await
            .is_some_and(|it| it.is_ok())
        {}
    }

    /// Closes the connection, expecting no further message.
    ///
    /// # Panics
    /// Panics if a message arrives before the gateway's close frame.
    pub async fn leave(mut self) {
        self.socket.close(None).await.unwrap();
        while let Some(Ok(message)) = within("the end", self.socket.next()).await {
            assert!(message.is_close(), "unexpected message: {message:?}");
        }
    }

    async fn send_raw(&mut self, message: Message) {
        within("sending", self.socket.send(message)).await.unwrap();
    }
}
