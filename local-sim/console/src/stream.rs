//! `/api/stream`: all changes as server-sent events.
//!
//! ```text
//! gateway, lambda ─▶ feed (bounded queues of changes) ─▶ events ─▶ client
//! ```
//!
//! A client that reads too slowly misses events, and gets their number in a `missed` event.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use std::{
    convert::Infallible,
    fmt,
    future::ready,
    pin::Pin,
    sync::Arc,
    task::{self, Context, Poll},
};

use bytes::Bytes;
use hyper::{
    StatusCode,
    body::{Body, Frame},
};
use local_sim_broker::Control;
use local_sim_gateway::ConnectionChange;
use local_sim_lambda::{Change, Record, View};
use serde::Serialize;
use serde_json::json;
use tokio::{
    sync::{
        OwnedSemaphorePermit,
        broadcast::{
            Receiver,
            error::{RecvError, TryRecvError},
        },
    },
    task::spawn_blocking,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use super::{
    connections::Connection,
    controls::Console,
    environments::Environment,
    invocations::Invocation,
    limits::{EVENTS_AT_ONCE_MAX, HEARTBEAT, STREAMS_MAX},
    produced::Produced,
    response::ApiError,
};

/// A response body that continues until the client disconnects.
pub(super) struct Stream {
    /// The next chunk; `None` at the end.
    next: Pin<Box<dyn Future<Output = Option<Chunk>> + Send>>,
}

/// The bytes to send next, and the feed to continue with.
struct Chunk {
    bytes: Bytes,
    feed: Feed,
}

impl Stream {
    /// Opens a stream of all changes from now on.
    ///
    /// # Errors
    /// 503 if there are [`STREAMS_MAX`] streams already.
    pub(super) fn open(console: &Console) -> Result<Self, ApiError> {
        let permit = Arc::clone(&console.streams).try_acquire_owned();
        let permit = permit.map_err(|_| {
            let message =
                format!("{STREAMS_MAX} clients read the stream already (disconnect one of them)");
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message)
        })?;
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let feed = Feed {
            lambda: console.lambda.watch(),
            gateway: console.gateway.watch(),
            broker: console.broker.clone(),
            heartbeat,
            _permit: permit,
        };
        // Sent at once, so that the client knows that the subscription is active.
        let first = feed.chunk(Bytes::from_static(COMMENT));
        Ok(Self {
            next: Box::pin(ready(Some(first))),
        })
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(Chunk { bytes, feed }) = task::ready!(self.next.as_mut().poll(cx)) else {
            return Poll::Ready(None);
        };
        self.next = Box::pin(feed.next());
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

/// The sources of events.
struct Feed {
    lambda: Receiver<Change>,
    gateway: Receiver<ConnectionChange>,
    broker: Option<Control>,
    heartbeat: Interval,
    /// Counts this client of the stream.
    _permit: OwnedSemaphorePermit,
}

/// An event to send.
enum Event {
    Connection(ConnectionChange),
    Environment(View),
    Invocation(Arc<Record>),
    /// This many events were lost.
    Missed(u64),
}

impl Feed {
    /// Waits for the next events, or for the heartbeat.
    async fn next(mut self) -> Option<Chunk> {
        let first = tokio::select! {
            change = self.lambda.recv() => received(change)?,
            change = self.gateway.recv() => received(change)?,
            _ = self.heartbeat.tick() => return Some(self.chunk(Bytes::from_static(COMMENT))),
        };
        let mut events = vec![first];
        while events.len() < EVENTS_AT_ONCE_MAX
            && let Some(event) = self.try_next()
        {
            events.push(event);
        }
        let broker = self.broker.clone();
        // Blocking: rendering searches the broker for their records.
        let text = spawn_blocking(move || render(events, broker.as_ref()));
        Some(self.chunk(text.await.ok()?))
    }

    fn chunk(self, bytes: Bytes) -> Chunk {
        Chunk { bytes, feed: self }
    }

    /// The next event that is available without waiting.
    fn try_next(&mut self) -> Option<Event> {
        match self.gateway.try_recv() {
            Err(TryRecvError::Empty | TryRecvError::Closed) => {}
            Err(TryRecvError::Lagged(count)) => return Some(Event::Missed(count)),
            Ok(change) => return Some(change.into()),
        }
        match self.lambda.try_recv() {
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
            Err(TryRecvError::Lagged(count)) => Some(Event::Missed(count)),
            Ok(change) => Some(change.into()),
        }
    }
}

/// Converts a received change; `None` if the channel is closed.
fn received<T: Into<Event>>(change: Result<T, RecvError>) -> Option<Event> {
    match change {
        Ok(change) => Some(change.into()),
        Err(RecvError::Lagged(count)) => Some(Event::Missed(count)),
        Err(RecvError::Closed) => None,
    }
}

impl From<ConnectionChange> for Event {
    fn from(change: ConnectionChange) -> Self {
        Self::Connection(change)
    }
}

impl From<Change> for Event {
    fn from(change: Change) -> Self {
        match change {
            Change::Environment(view) => Self::Environment(view),
            // A record that the history has evicted counts as missed.
            Change::Invocation(record) => {
                record.upgrade().map_or(Self::Missed(1), Self::Invocation)
            }
        }
    }
}

fn render(events: Vec<Event>, broker: Option<&Control>) -> Bytes {
    let invocations = events.iter().filter_map(|event| match event {
        Event::Invocation(record) => Some(Arc::clone(record)),
        Event::Connection(_) | Event::Environment(_) | Event::Missed(_) => None,
    });
    let produced = Produced::find(&Vec::from_iter(invocations), broker);
    let mut text = String::new();
    for event in events {
        match event {
            Event::Connection(change) => add(&mut text, "connection", &Connection::from(change)),
            Event::Environment(view) => add(&mut text, "environment", &Environment::from(view)),
            Event::Invocation(record) => {
                add(
                    &mut text,
                    "invocation",
                    &Invocation::new(&record, &produced),
                );
            }
            Event::Missed(count) => add(&mut text, "missed", &json!({ "count": count })),
        }
    }
    text.into()
}

/// Appends an event.
///
/// Embedded JSON may have line breaks, so each line gets its own `data:` field.
fn add(text: &mut String, name: &str, value: &impl Serialize) {
    let json = serde_json::to_string(value).expect("strings and numbers serialize to JSON");
    text.push_str(&format!("event: {name}\n"));
    for line in json.split(['\n', '\r']) {
        text.push_str(&format!("data: {line}\n"));
    }
    text.push('\n');
}

const COMMENT: &[u8] = b":\n\n";

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn each_line_of_the_json_gets_a_data_field() {
        let mut text = String::new();
        add(&mut text, "missed", &json!({ "count": 2 }));
        let pretty: &RawValue = serde_json::from_str("{\n\"a\":\r\n1}").unwrap();
        add(&mut text, "x", &pretty);
        let expected = "event: missed\ndata: {\"count\":2}\n\nevent: x\ndata: {\ndata: \"a\":\ndata: \ndata: 1}\n\n";
        assert_eq!(text, expected);
    }
}
