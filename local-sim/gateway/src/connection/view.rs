//! A snapshot of a connection for the console.

use super::Connection;
use crate::time::iso_8601;

/// A snapshot of a connection.
#[derive(Debug, Clone)]
pub struct View {
    /// The connection id.
    pub id: String,
    /// The time of the handshake, in the format of `@connections`.
    pub connected_at: String,
    /// The time of the last traffic in either direction, in the same format.
    pub last_active_at: String,
    /// The client's IP address.
    pub source_ip: String,
    /// The client's `User-Agent` header.
    pub user_agent: Option<String>,
    /// The authorizer's `principalId`, or the ARN of the IAM user.
    pub principal_id: Option<String>,
    /// Whether the connection is unplugged.
    pub is_unplugged: bool,
}

/// A change of a connection's state.
#[derive(Debug, Clone)]
pub enum ConnectionChange {
    /// The connection has opened.
    Opened(View),
    /// The connection was unplugged.
    Unplugged(View),
    /// The connection has closed, with the code and the reason that its `$disconnect` event has.
    Closed {
        /// The connection's last state.
        view: View,
        /// The close code.
        code: u16,
        /// The close reason; empty if there is none.
        reason: String,
    },
}

impl Connection {
    /// Takes a snapshot.
    pub(crate) fn view(&self) -> View {
        let caller = &self.caller;
        let principal = caller.principal.as_deref();
        View {
            id: caller.connection_id.to_string(),
            connected_at: iso_8601(caller.connected_at),
            last_active_at: iso_8601(self.last_active_at()),
            source_ip: caller.source_ip.clone(),
            user_agent: caller.user_agent.clone(),
            principal_id: principal.map(|it| it.id().to_owned()),
            is_unplugged: self.is_unplugged(),
        }
    }
}
