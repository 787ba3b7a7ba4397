//! For who looks on, or interferes: the connections that there are, what becomes of them, and their end.

use std::sync::Arc;

use thiserror::Error;
use tokio::{sync::broadcast, time::timeout};

use super::{
    Gateway,
    close::Closed,
    connection::Connection,
    faults::Faults,
    id::Id,
    limits::{UNPLUG_WAIT, UNPLUGGED_MAX},
    time::iso_8601,
};

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

/// As many plugs are pulled as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{UNPLUGGED_MAX} connections have been unplugged, and their sockets are still kept")]
pub struct TooMany;

/// For who looks on, or interferes.
impl Gateway {
    /// The open connections, the one that opened first in front.
    pub fn connections(&self) -> Vec<View> {
        let mut connections = self.connections.all();
        connections.sort_by_key(|it| (it.caller.connected_at, it.id().as_str().to_owned()));
        connections.iter().map(|it| it.view()).collect()
    }

    /// Every change from now on. Who is too slow misses some.
    pub fn watch(&self) -> broadcast::Receiver<ConnectionChange> {
        self.changes.subscribe()
    }

    /// What is to go wrong.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Closes the connection of this id behind what is queued for it; `None` where none is open.
    pub fn close(&self, id: &str, code: u16, reason: String) -> Option<View> {
        let connection = self.find(id)?;
        let view = connection.view();
        self.connections.remove(connection.id());
        connection.close(Closed::asked(code, reason));
        Some(view)
    }

    /// Pulls the plug of the connection of this id: nothing is read from its socket or written to it any more, and
    /// neither a close frame nor a FIN is sent. `None` where none is open, or not any more.
    ///
    /// # Errors
    /// There are too many such sockets.
    pub async fn unplug(&self, id: &str) -> Option<Result<View, TooMany>> {
        let connection = self.find(id)?;
        if connection.is_unplugged() {
            return Some(Ok(connection.view()));
        }
        let Some(plug) = self.unplugged.plug() else {
            return Some(Err(TooMany));
        };
        let plug = connection.unplug(plug);
        // Whatever is sent from then on is not read; but it may be closing at this moment.
        timeout(UNPLUG_WAIT, plug.pulled()).await.ok()?;
        Some(Ok(connection.view()))
    }

    /// Closes the sockets of connections whose plug was pulled, and ends those that have not ended yet.
    pub fn give_up_unplugged(&self) {
        self.unplugged.give_up();
    }

    /// Tells who watches, if anybody does.
    pub(super) fn tell(&self, change: impl FnOnce() -> ConnectionChange) {
        if self.changes.receiver_count() > 0 {
            // The last one may have gone in between.
            let _ = self.changes.send(change());
        }
    }

    fn find(&self, id: &str) -> Option<Arc<Connection>> {
        self.connections.find(&Id::parse(id)?)
    }
}

impl Connection {
    /// What is to be seen of it.
    pub(super) fn view(&self) -> View {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{caller, gateway};

    #[tokio::test]
    async fn a_plug_that_nobody_pulls_any_more_is_reported_as_no_connection() {
        let gateway = gateway();
        let mut changes = gateway.watch();
        let connection = Arc::new(Connection::new(caller(&gateway)));
        gateway.connections.insert(Arc::clone(&connection));
        let id = connection.id().to_string();
        // Whoever comes second waits for the same plug.
        let both = tokio::join!(gateway.unplug(&id), gateway.unplug(&id));
        assert!(matches!(both, (None, None)), "{both:?}");
        assert!(!connection.view().is_unplugged);
        assert!(changes.try_recv().is_err(), "it was told");
    }
}
