//! A connection as the console shows it.

use super::Connection;
use crate::time::iso_8601;

/// What is to be seen of a connection.
#[derive(Debug, Clone)]
pub struct View {
    /// The connection id.
    pub id: String,
    /// As `@connections` writes it.
    pub connected_at: String,
    /// When something last came from or went to the client.
    pub last_active_at: String,
    /// The client's address.
    pub source_ip: String,
    /// What the client says it is.
    pub user_agent: Option<String>,
    /// What an authorizer calls it, or the ARN of an IAM user.
    pub principal_id: Option<String>,
    /// Its plug was pulled.
    pub is_unplugged: bool,
}

/// Something that has just happened to a connection.
#[derive(Debug, Clone)]
pub enum ConnectionChange {
    /// It has opened.
    Opened(View),
    /// Its plug was pulled.
    Unplugged(View),
    /// It has ended, as its `$disconnect` is told.
    Closed {
        /// The connection as it was.
        view: View,
        /// The close code.
        code: u16,
        /// The close reason; empty if there is none.
        reason: String,
    },
}

impl Connection {
    /// What is to be seen of it.
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
