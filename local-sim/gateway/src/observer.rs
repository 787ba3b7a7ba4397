//! What happens on connections, told to an observer: one event for each handshake, message, post and end.

use std::fmt::Debug;

use crate::log::entry::Invocation;

/// Receives the events of all connections, as they happen. A call must not block.
pub trait Observer: Debug + Send + Sync {
    /// Something has happened, and the client's answer is decided.
    fn observe(&self, event: &Event<'_>);
}

/// Something that happened on a connection.
#[derive(Debug)]
pub struct Event<'a> {
    /// What happened.
    pub kind: Kind<'a>,
    /// The connection id.
    pub connection_id: &'a str,
    /// The route; `None` for a post, and if no route takes a message.
    pub route_key: Option<&'a str>,
    /// The invocation of the route's function, if there was one.
    pub invocation: Option<&'a Invocation>,
    /// The outcome as an HTTP status.
    pub status: u16,
    /// The gateway's error message to the client.
    pub error: Option<&'a str>,
}

/// What happened on a connection.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'a> {
    /// A handshake was accepted or refused.
    Connect,
    /// A message came in.
    Message {
        /// Its id, if a function was invoked.
        message_id: Option<&'a str>,
        /// The function's reply to the client, if the route has a response.
        reply: Option<&'a str>,
    },
    /// A text of so many bytes was posted by `@connections`.
    Post(usize),
    /// The connection ended.
    Disconnect {
        /// The close code.
        code: u16,
        /// The close reason; empty if there is none.
        reason: &'a str,
    },
}
