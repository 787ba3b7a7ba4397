//! A client that can do what well-behaved ones do not, and sees every byte of a handshake's answer.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tests::http::Response;
use tests::net::{Stream, Url};
use tests::probe::Step;
use tests::wait::within;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::report::Report;

/// A request to upgrade, header by header.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    url: Url,
    headers: Vec<(String, String)>,
}

impl Handshake {
    /// What a client sends that has nothing to add.
    pub(crate) fn new(url: &str) -> Self {
        let url = Url::parse(url);
        let key = BASE64_STANDARD.encode(fastrand::u128(..).to_be_bytes());
        let headers = [
            ("Host", url.host.as_str()),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Key", &key),
            ("Sec-WebSocket-Version", "13"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            headers: headers.into(),
            url,
        }
    }

    /// Adds a header, besides one of the same name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives headers, each in the place of one of the same name.
    pub(crate) fn headers(self, headers: &[(String, String)]) -> Self {
        headers.iter().fold(self, |handshake, (name, value)| {
            handshake.without(name).header(name, value)
        })
    }

    /// Leaves a header out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self
    }

    /// Asks for another path or query.
    pub(crate) fn target(mut self, target: &str) -> Self {
        self.url.target = target.to_owned();
        self
    }

    /// Does this when the connection opens and when it has closed, without saying so in the query.
    pub(crate) fn told(self, steps: &[Step]) -> Self {
        self.header("User-Agent", &format!("do={}", json!(steps)))
    }

    /// Opens the connection.
    ///
    /// # Panics
    /// Panics where it is refused.
    pub(crate) async fn open(self) -> Socket {
        match self.send().await {
            Ok(socket) => socket,
            Err(response) => panic!("refused: {response:?}"),
        }
    }

    /// Asks for a connection that is refused.
    ///
    /// # Panics
    /// Panics where it is opened.
    pub(crate) async fn refused(self) -> Response {
        match self.send().await {
            Ok(socket) => panic!("opened: {:?}", socket.response),
            Err(response) => response,
        }
    }

    /// Asks for a connection, and waits until it is open or refused.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn send(self) -> Result<Socket, Response> {
        self.begin().await.answer().await
    }

    /// Asks for a connection, and does not wait.
    pub(crate) async fn begin(self) -> Begun {
        let mut stream = within("a connection", self.url.connect()).await;
        let mut head = format!("GET {} HTTP/1.1\r\n", self.url.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        within("sending", stream.write_all(head.as_bytes()))
            .await
            .unwrap();
        Begun(stream)
    }
}

/// A handshake that has been sent.
#[derive(Debug)]
pub(crate) struct Begun(Box<dyn Stream>);

impl Begun {
    /// Waits until the connection is open or refused.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn answer(self) -> Result<Socket, Response> {
        let Self(mut stream) = self;
        let mut answer = within("the handshake's answer", read_head(&mut stream)).await;
        if !answer.starts_with("HTTP/1.1 101 ") {
            let rest = within("the refusal's body", read_rest(&mut stream)).await;
            answer.push_str(&rest);
            return Err(Response::parse(&answer));
        }
        let config = Some(WebSocketConfig::default());
        let stream = WebSocketStream::from_raw_socket(stream, Role::Client, config).await;
        Ok(Socket {
            stream,
            response: Response::parse(&answer),
        })
    }
}

/// Reads to the empty line, and not a byte of what follows.
async fn read_head(stream: &mut Box<dyn Stream>) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&head)),
        }
    }
    String::from_utf8(head).unwrap()
}

/// Reads what the gateway sends until it closes.
async fn read_rest(stream: &mut Box<dyn Stream>) -> String {
    let mut rest = Vec::new();
    // Not every server says goodbye in TLS.
    let _ = stream.read_to_end(&mut rest).await;
    String::from_utf8_lossy(&rest).into_owned()
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
    /// The answer to the handshake.
    pub(crate) response: Response,
}

/// How a connection was closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Socket {
    /// Sends a text in one frame.
    pub(crate) async fn send(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    /// Sends a message that the probe answers by these steps, on the default route.
    pub(crate) async fn order(&mut self, steps: &[Step]) {
        self.send(&json!({"do": steps}).to_string()).await;
    }

    /// Sends a message that the probe answers by these steps, on the route of this key.
    pub(crate) async fn order_on(&mut self, route: &str, steps: &[Step]) {
        let message = json!({"action": route, "do": steps});
        self.send(&message.to_string()).await;
    }

    /// Sends a text in frames of `size` bytes.
    pub(crate) async fn send_fragmented(&mut self, text: &str, size: usize) {
        let mut chunks = text.as_bytes().chunks(size).enumerate().peekable();
        while let Some((index, chunk)) = chunks.next() {
            let kind = if index == 0 {
                Data::Text
            } else {
                Data::Continue
            };
            let is_last = chunks.peek().is_none();
            self.send_frame(OpCode::Data(kind), is_last, chunk).await;
        }
    }

    /// Sends one frame, sound or not.
    pub(crate) async fn send_frame(&mut self, code: OpCode, is_last: bool, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        let frame = Frame::message(bytes, code, is_last);
        self.send_message(Message::Frame(frame)).await;
    }

    /// Sends a close frame without a code.
    pub(crate) async fn send_bare_close(&mut self) {
        self.send_message(Message::Close(None)).await;
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        // What the gateway has closed already says so when it is read.
        let _ = within("sending", self.stream.send(message)).await;
    }

    /// The next message of any kind; none at the end.
    pub(crate) async fn next_message(&mut self) -> Option<Message> {
        within("a message", self.stream.next()).await?.ok()
    }

    /// The text of the next message.
    ///
    /// # Panics
    /// Panics where none comes, or something else.
    pub(crate) async fn next(&mut self) -> String {
        match within("a text", self.stream.next()).await {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            other => panic!("a text was expected, not {other:?}"),
        }
    }

    /// The text of the next message, if there is one within this time.
    pub(crate) async fn next_within(&mut self, time: Duration) -> Option<String> {
        match timeout(time, self.stream.next()).await.ok()? {
            Some(Ok(Message::Text(text))) => Some(text.as_str().to_owned()),
            other => panic!("a text was expected, not {other:?}"),
        }
    }

    /// The report that the next message is.
    pub(crate) async fn report(&mut self) -> Report {
        Report::parse(&self.next().await)
    }

    /// What the probe reports of a message with these steps, which end in a report.
    pub(crate) async fn ask(&mut self, steps: &[Step]) -> Report {
        self.order(steps).await;
        self.report().await
    }

    /// The connection's id, which a client can only learn from an event.
    pub(crate) async fn connection_id(&mut self) -> String {
        let report = self.ask_quietly().await;
        report.context("connectionId")
    }

    /// The report of a message on whatever route takes one.
    async fn ask_quietly(&mut self) -> Report {
        let message = json!({"service": "chat", "action": "join", "do": [Step::Report]});
        self.send(&message.to_string()).await;
        self.report().await
    }

    /// Waits for the close frame.
    ///
    /// # Panics
    /// Panics where a message comes first, or the connection ends without one.
    pub(crate) async fn closed(&mut self) -> Closed {
        let closed = match within("a close frame", self.stream.next()).await {
            Some(Ok(Message::Close(Some(frame)))) => Closed {
                code: frame.code.into(),
                reason: frame.reason.as_str().to_owned(),
            },
            other => panic!("a close frame was expected, not {other:?}"),
        };
        while self.next_message().await.is_some() {}
        closed
    }

    /// Closes the connection with a code and a reason, and waits for the gateway's answer.
    pub(crate) async fn close(&mut self, code: u16, reason: &str) -> Option<Message> {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        self.send_message(Message::Close(Some(frame))).await;
        self.next_message().await
    }
}

/// The text of a message in JSON of exactly so many bytes, on this route.
pub(crate) fn text_of(route: &str, bytes: usize) -> String {
    let empty = json!({"action": route, "text": ""}).to_string().len();
    json!({"action": route, "text": "x".repeat(bytes - empty)}).to_string()
}
