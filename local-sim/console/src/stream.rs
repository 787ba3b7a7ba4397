//! `/api/stream`: everything that happens, as it happens, by server-sent events.
//!
//! ```text
//! gateway, lambda ─▶ feed (what has come, a bounded part of it) ─▶ events ─▶ the client, as fast as it reads
//! ```
//! Who reads too slowly misses some, and is told how many.
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
    answer::Refusal,
    connections::Connection,
    controls::Console,
    environments::Environment,
    invocations::Invocation,
    limits::{EVENTS_AT_ONCE_MAX, HEARTBEAT, STREAMS_MAX},
    produced::Produced,
};

/// The body of an answer that goes on until the client leaves.
pub(super) struct Stream {
    /// `None` at the end.
    next: Pin<Box<dyn Future<Output = Option<Told>> + Send>>,
}

/// What is sent next.
struct Told {
    bytes: Bytes,
    /// What goes on from there.
    feed: Feed,
}

impl Stream {
    /// Everything that happens from now on.
    ///
    /// # Errors
    /// 503 where as many read it as may.
    pub(super) fn open(console: &Console) -> Result<Self, Refusal> {
        let place = Arc::clone(&console.streams).try_acquire_owned();
        let place = place.map_err(|_| {
            let message = format!("as many as {STREAMS_MAX} read the stream already");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message)
        })?;
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let feed = Feed {
            lambda: console.lambda.watch(),
            gateway: console.gateway.watch(),
            broker: console.broker.clone(),
            heartbeat,
            _place: place,
        };
        // So that a client knows when it has begun.
        let begun = feed.told(Bytes::from_static(COMMENT));
        Ok(Self {
            next: Box::pin(ready(Some(begun))),
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
        let Some(Told { bytes, feed }) = task::ready!(self.next.as_mut().poll(cx)) else {
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

/// Where events come from.
struct Feed {
    lambda: Receiver<Change>,
    gateway: Receiver<ConnectionChange>,
    broker: Option<Control>,
    heartbeat: Interval,
    /// Among those who read.
    _place: OwnedSemaphorePermit,
}

/// Something to tell.
enum Event {
    Connection(ConnectionChange),
    Environment(View),
    Invocation(Arc<Record>),
    /// So much could not be told.
    Missed(u64),
}

impl Feed {
    /// Waits for something to tell.
    async fn next(mut self) -> Option<Told> {
        let first = tokio::select! {
            change = self.lambda.recv() => received(change)?,
            change = self.gateway.recv() => received(change)?,
            _ = self.heartbeat.tick() => return Some(self.told(Bytes::from_static(COMMENT))),
        };
        let mut events = vec![first];
        while events.len() < EVENTS_AT_ONCE_MAX
            && let Some(event) = self.ready()
        {
            events.push(event);
        }
        let broker = self.broker.clone();
        // It takes a while to find their records.
        let text = spawn_blocking(move || render(events, broker.as_ref()));
        Some(self.told(text.await.ok()?))
    }

    fn told(self, bytes: Bytes) -> Told {
        Told { bytes, feed: self }
    }

    /// What has come already.
    fn ready(&mut self) -> Option<Event> {
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

/// `None` where nothing will come any more.
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
            // One that is kept no more is missed, too.
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

/// Adds an event. What was JSON already may have line breaks, each of which takes a line of its own.
fn add(text: &mut String, name: &str, value: &impl Serialize) {
    let json = serde_json::to_string(value).expect("texts and numbers are always JSON");
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
    fn an_event_has_a_line_for_each_of_its_json() {
        let mut text = String::new();
        add(&mut text, "missed", &json!({ "count": 2 }));
        let pretty: &RawValue = serde_json::from_str("{\n\"a\":\r\n1}").unwrap();
        add(&mut text, "x", &pretty);
        let expected = "event: missed\ndata: {\"count\":2}\n\nevent: x\ndata: {\ndata: \"a\":\ndata: \ndata: 1}\n\n";
        assert_eq!(text, expected);
    }
}
