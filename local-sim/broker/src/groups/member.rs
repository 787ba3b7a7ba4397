//! A member of a group.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::{sync::oneshot, time::Instant};

/// Where a waiting member gets its answer.
pub(super) type Reply<T> = oneshot::Sender<Result<T, ResponseError>>;

/// A client that wants to be a member.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    /// The id it was given; empty for a new one.
    pub(crate) member_id: String,
    pub(crate) client: Client,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: String,
    /// Those that it speaks, the one it likes best first.
    pub(crate) protocols: Vec<Protocol>,
    /// Whether it comes back where it is only given an id.
    pub(crate) comes_back: bool,
}

/// Who a member is to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) host: String,
}

/// A way of sharing partitions out, with what a member tells the leader for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: String,
    pub(crate) metadata: Bytes,
}

/// What a member learns when all have joined.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    /// For the leader: every member, and what it tells.
    pub(crate) members: Vec<(String, Bytes)>,
}

/// A member, and what it waits for.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) client: Client,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<Protocol>,
    /// What it is to read, in words of its own protocol.
    pub(super) assignment: Bytes,
    /// When its session ends, unless it is heard of before.
    pub(super) expires: Instant,
    pub(super) joining: Option<Reply<Joined>>,
    pub(super) syncing: Option<Reply<Bytes>>,
}

impl Member {
    pub(super) fn new(now: Instant, join: Join) -> Self {
        Self {
            expires: now + join.session_timeout,
            client: join.client,
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
        }
    }

    /// It was heard of.
    pub(super) fn touch(&mut self, now: Instant) {
        self.expires = now + self.session_timeout;
    }

    /// Whether its session has ended. While it waits for others it need not be heard of.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        !self.waits() && self.expires <= now
    }

    /// Whether it waits for an answer.
    pub(super) fn waits(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    pub(super) fn speaks(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|it| it.name == protocol)
    }

    /// What it tells the leader in this protocol.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let mut protocols = self.protocols.iter();
        protocols
            .find(|it| it.name == protocol)
            .map(|it| it.metadata.clone())
            .unwrap_or_default()
    }

    /// Answers whatever it waits for.
    pub(super) fn refuse(&mut self, error: ResponseError) {
        // Whoever is not there any more misses nothing.
        if let Some(reply) = self.joining.take() {
            let _ = reply.send(Err(error));
        }
        if let Some(reply) = self.syncing.take() {
            let _ = reply.send(Err(error));
        }
    }
}

/// Why a client is not a member.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JoinError {
    /// It is to come back with this id (KIP-394).
    MemberIdRequired(String),
    /// It cannot be one.
    Refused(ResponseError),
}

impl From<ResponseError> for JoinError {
    fn from(error: ResponseError) -> Self {
        Self::Refused(error)
    }
}
