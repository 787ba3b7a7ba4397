//! Generates load from many clients and records every response.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Error;

use crate::client::{Client, Silence};
use crate::wait::eventually;

/// The invocation timeout in the contract under load.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a cold start may try to connect before the first invocation.
const COLD_START: Duration = Duration::from_secs(2);

/// Allowance for a busy machine: two cores run brokers, functions, clients and perhaps a build.
const NOISE: Duration = Duration::from_secs(3);

/// The longest wait for a response. A client counts a later one as lost.
pub const ANSWER_MAX: Duration = TIMEOUT.saturating_add(COLD_START).saturating_add(NOISE);

/// The pause between a refusal and the retry.
const BACKOFF: Duration = Duration::from_millis(100);

/// A client reconnects after this many messages.
const STAY: u32 = 100;

/// The close code of browsers (RFC 6455, section 7.4.1).
const NORMAL_CLOSURE: u16 = 1000;

/// Padding lengths cycle from zero up to this bound.
const PADDING_BYTES_MAX: u32 = 300;

/// Every so often, a message exceeds the 8 KiB that the Kafka client writes at once.
const LONG_EVERY: u32 = 50;
const LONG_BYTES: usize = 12_000;

/// The running clients.
#[derive(Debug)]
pub struct Load {
    clients: JoinSet<Account>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    phase: Sender<Phase>,
    /// Number of clients that wait for a response or a handshake.
    busy: AtomicUsize,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    /// The slowest response in milliseconds since the last call of [`Load::slowest`].
    slowest: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Going,
    Resting,
    Ending,
}

/// The id of a message: the client's number and the message's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    client: u32,
    message: u32,
}

/// The outcome of one message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fate {
    /// How often it was sent.
    pub sent: u32,
    /// Whether it was acknowledged.
    pub acknowledged: bool,
}

/// The messages that clients sent and the responses they received.
#[derive(Debug, Default)]
pub struct Account {
    /// Every message.
    pub messages: HashMap<Id, Fate>,
    /// Number of refusals by code.
    pub refused: BTreeMap<String, u64>,
    /// How many handshakes were accepted.
    pub connected: u64,
    /// How many handshakes were refused, by status.
    pub handshakes_refused: BTreeMap<u16, u64>,
    /// How many handshakes had no response within [`ANSWER_MAX`].
    pub handshakes_unanswered: u64,
    /// The slowest response to a message or handshake.
    pub slowest: Duration,
    /// How many messages had no response within [`ANSWER_MAX`].
    pub unanswered: u64,
    /// How many connections ended without a client's close, or failed to open.
    pub connections_lost: u64,
}

impl Load {
    /// Starts clients that each send messages to route `chat` in turn, with a pause after each.
    ///
    /// A client resends a message after a retryable refusal.
    pub fn start(url: &str, clients: u32, pause: Duration) -> Self {
        let state = Arc::new(State {
            phase: channel(Phase::Going).0,
            busy: AtomicUsize::new(0),
            acknowledged: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            slowest: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        for client in 0..clients {
            let visitor = Visitor {
                url: url.to_owned(),
                pause,
                phase: state.phase.subscribe(),
                state: Arc::clone(&state),
                account: Account::default(),
            };
            tasks.spawn(visitor.run(client));
        }
        Self {
            clients: tasks,
            state,
        }
    }

    /// How many messages were acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.state.acknowledged.load(Ordering::Relaxed)
    }

    /// Number of refusals so far.
    pub fn refused(&self) -> u64 {
        self.state.refused.load(Ordering::Relaxed)
    }

    /// The slowest response to a message since the last call.
    pub fn slowest(&self) -> Duration {
        Duration::from_millis(self.state.slowest.swap(0, Ordering::Relaxed))
    }

    /// Waits until `count` more messages are acknowledged.
    pub async fn progress(&self, count: u64) {
        let target = self.acknowledged() + count;
        eventually(&format!("{count} more acknowledgements"), async || {
            (self.acknowledged() >= target).then_some(())
        })
        .await;
    }

    /// Pauses the clients once they have their responses. Their connections stay open.
    pub async fn rest(&self) {
        self.state.phase.send_replace(Phase::Resting);
        eventually("all answers", async || {
            (self.state.busy.load(Ordering::SeqCst) == 0).then_some(())
        })
        .await;
    }

    /// Resumes the clients.
    pub fn go_on(&self) {
        self.state.phase.send_replace(Phase::Going);
    }

    /// Ends the clients once they have their responses, and returns the sum of their accounts.
    pub async fn end(mut self) -> Account {
        self.state.phase.send_replace(Phase::Ending);
        let mut total = Account::default();
        while let Some(account) = self.clients.join_next().await {
            total.add(account.unwrap());
        }
        total
    }
}

/// One client, over all its connections.
struct Visitor {
    url: String,
    pause: Duration,
    phase: Receiver<Phase>,
    state: Arc<State>,
    account: Account,
}

/// What a client does after a response or a timeout.
enum Next {
    Message,
    SameAgain,
    SameElsewhere,
}

impl Visitor {
    async fn run(mut self, client: u32) -> Account {
        let mut connection = None;
        for message in 0.. {
            if !self.deliver(Id { client, message }, &mut connection).await {
                break;
            }
            if message % STAY == STAY - 1
                && let Some(open) = connection.take()
            {
                open.close(NORMAL_CLOSURE, "").await;
            }
            sleep(self.pause).await;
        }
        self.account
    }

    /// Sends a message until its final response. Returns false if the clients are to end.
    async fn deliver(&mut self, id: Id, connection: &mut Option<Client>) -> bool {
        let state = Arc::clone(&self.state);
        loop {
            if self.is_over().await {
                return false;
            }
            let _busy = Busy::begin(&state.busy);
            // The phase may have changed before this client counted as busy.
            if *self.phase.borrow() != Phase::Going {
                continue;
            }
            if connection.is_none() {
                *connection = self.connect().await;
            }
            let Some(open) = connection else {
                continue;
            };
            match self.send(open, id).await {
                Next::Message => return true,
                Next::SameAgain => {}
                Next::SameElsewhere => *connection = None,
            }
        }
    }

    /// Waits while the clients are paused. Returns whether they are to end.
    async fn is_over(&mut self) -> bool {
        let awake = self.phase.wait_for(|phase| *phase != Phase::Resting).await;
        awake.is_ok_and(|phase| *phase == Phase::Ending)
    }

    /// Opens a connection. Returns `None` if that fails.
    async fn connect(&mut self) -> Option<Client> {
        let start = Instant::now();
        let opened = timeout(ANSWER_MAX, Client::open(&self.url, &[])).await;
        self.account.slowest = self.account.slowest.max(start.elapsed());
        let Ok(opened) = opened else {
            self.account.handshakes_unanswered += 1;
            return None;
        };
        match opened.map_err(|error| *error) {
            Ok(client) => {
                self.account.connected += 1;
                Some(client)
            }
            Err(Error::Http(response)) => {
                let status = response.status().as_u16();
                *self.account.handshakes_refused.entry(status).or_default() += 1;
                sleep(BACKOFF).await;
                None
            }
            Err(_) => {
                self.account.connections_lost += 1;
                sleep(BACKOFF).await;
                None
            }
        }
    }

    async fn send(&mut self, connection: &mut Client, id: Id) -> Next {
        let fate = self.account.messages.entry(id).or_default();
        fate.sent += 1;
        let start = Instant::now();
        let answer = connection.try_ask(&id.message(), ANSWER_MAX).await;
        let elapsed = start.elapsed();
        self.account.slowest = self.account.slowest.max(elapsed);
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.state
            .slowest
            .fetch_max(milliseconds, Ordering::Relaxed);
        match answer {
            Ok(answer) if answer["type"] == "ack" => {
                assert_eq!(
                    answer["id"],
                    id.text(),
                    "the response is to another message"
                );
                fate.acknowledged = true;
                self.state.acknowledged.fetch_add(1, Ordering::Relaxed);
                Next::Message
            }
            Ok(refusal) => {
                let retryable = self.refused(&refusal);
                sleep(BACKOFF).await;
                if retryable {
                    Next::SameAgain
                } else {
                    Next::Message
                }
            }
            Err(Silence::Late) => {
                self.account.unanswered += 1;
                // A late response must not be taken for that of the next message.
                Next::SameElsewhere
            }
            Err(Silence::Ended) => {
                self.account.connections_lost += 1;
                Next::SameElsewhere
            }
        }
    }

    /// Counts a refusal and returns whether the message may be resent.
    ///
    /// The functions' errors say whether they are retryable. The gateway's own error reports a
    /// failed function and is always retryable.
    fn refused(&mut self, refusal: &Value) -> bool {
        let is_ours = refusal["type"] == "error";
        let code = &refusal[if is_ours { "code" } else { "message" }];
        let code = code.as_str().unwrap_or_else(|| panic!("{refusal}"));
        *self.account.refused.entry(code.to_owned()).or_default() += 1;
        self.state.refused.fetch_add(1, Ordering::Relaxed);
        !is_ours || refusal["retryable"] == true
    }
}

/// Counts a client as busy until dropped.
struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Id {
    /// The text form, which clients send as `id`.
    pub fn text(self) -> String {
        format!("{}-{}", self.client, self.message)
    }

    /// Parses the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let (client, message) = text.split_once('-')?;
        Some(Self {
            client: client.parse().ok()?,
            message: message.parse().ok()?,
        })
    }

    /// The message body, which is derived from the id.
    pub fn message(self) -> String {
        let padding = if self.message % LONG_EVERY == LONG_EVERY - 1 {
            LONG_BYTES
        } else {
            (self.message % PADDING_BYTES_MAX) as usize
        };
        format!(
            r#"{{"action":"chat","room":"r{}","id":"{}","text":"{:x<padding$}"}}"#,
            self.client,
            self.text(),
            "",
        )
    }
}

impl Account {
    fn add(&mut self, other: Self) {
        self.messages.extend(other.messages);
        for (code, count) in other.refused {
            *self.refused.entry(code).or_default() += count;
        }
        for (status, count) in other.handshakes_refused {
            *self.handshakes_refused.entry(status).or_default() += count;
        }
        self.connected += other.connected;
        self.handshakes_unanswered += other.handshakes_unanswered;
        self.slowest = self.slowest.max(other.slowest);
        self.unanswered += other.unanswered;
        self.connections_lost += other.connections_lost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_from_its_message() {
        let id = Id {
            client: 7,
            message: 49,
        };
        let message: Value = serde_json::from_str(&id.message()).unwrap();
        assert_eq!(message["id"].as_str().and_then(Id::parse), Some(id));
        assert!(id.message().len() > LONG_BYTES);
        assert_eq!(Id::parse("7"), None);
        assert_eq!(Id::parse("7-x"), None);
    }
}
