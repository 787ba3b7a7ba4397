//! A member of a group, and the request to become one.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::{sync::oneshot, time::Instant};

/// Sends the response to a waiting member.
pub(super) type Reply<T> = oneshot::Sender<Result<T, ResponseError>>;

/// A client's request to join a group.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    /// The assigned member id. Empty for a new member.
    pub(crate) member_id: String,
    pub(crate) client: Client,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: String,
    /// The supported protocols, in order of preference.
    pub(crate) protocols: Vec<Protocol>,
    /// Whether a new member must first get an id and join again with it (KIP-394).
    pub(crate) requires_member_id: bool,
}

/// Identifies a member's client to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) host: String,
}

/// An assignment protocol, with a member's metadata for the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: String,
    pub(crate) metadata: Bytes,
}

/// The result of joining, once all members have joined.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    /// Every member and its metadata. Empty except for the leader.
    pub(crate) members: Vec<(String, Bytes)>,
}

/// A member, and the responses that it waits for.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) client: Client,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<Protocol>,
    /// The member's assignment, encoded by the protocol.
    pub(super) assignment: Bytes,
    /// When the session ends unless the member sends a request.
    pub(super) session_deadline: Instant,
    pub(super) joining: Option<Reply<Joined>>,
    pub(super) syncing: Option<Reply<Bytes>>,
}

impl Member {
    pub(super) fn new(now: Instant, join: Join) -> Self {
        Self {
            session_deadline: now + join.session_timeout,
            client: join.client,
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
        }
    }

    /// Restarts the session timeout.
    pub(super) fn extend_session(&mut self, now: Instant) {
        self.session_deadline = now + self.session_timeout;
    }

    /// Whether the session has ended. It does not end while the member waits for a response.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        !self.is_waiting() && self.session_deadline <= now
    }

    /// Whether the member waits for a response.
    pub(super) fn is_waiting(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|it| it.name == protocol)
    }

    /// The member's metadata for a protocol.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let mut protocols = self.protocols.iter();
        protocols
            .find(|it| it.name == protocol)
            .map(|it| it.metadata.clone())
            .unwrap_or_default()
    }

    /// Answers the requests that the member waits for with an error.
    pub(super) fn fail_waiting(&mut self, error: ResponseError) {
        // Sending fails if the client has disconnected, which does not matter.
        if let Some(reply) = self.joining.take() {
            let _ = reply.send(Err(error));
        }
        if let Some(reply) = self.syncing.take() {
            let _ = reply.send(Err(error));
        }
    }
}

/// Why a client cannot join.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JoinError {
    /// The client must join again with this member id (KIP-394).
    MemberIdRequired(String),
    /// The join is rejected.
    Rejected(ResponseError),
}

impl From<ResponseError> for JoinError {
    fn from(error: ResponseError) -> Self {
        Self::Rejected(error)
    }
}
