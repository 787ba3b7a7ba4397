//! What the console inspects and controls: connections, what becomes of them, and faults.

use std::sync::Arc;

use thiserror::Error;
use tokio::{sync::broadcast, time::timeout};

use crate::{
    close::Closed,
    connection::{
        Connection,
        view::{ConnectionChange, View},
    },
    faults::Faults,
    gateway::Gateway,
    id::Id,
    limits::{UNPLUG_WAIT, UNPLUGGED_MAX},
};

/// As many plugs are pulled as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{UNPLUGGED_MAX} connections have been unplugged, and their sockets are still kept")]
pub struct TooManyUnplugged;

/// Inspection and control for the console.
impl Gateway {
    /// The open connections, the one that opened first in front.
    pub fn connections(&self) -> Vec<View> {
        let mut connections = self.api.connections.all();
        connections.sort_by_key(|it| (it.caller.connected_at, it.id().as_str().to_owned()));
        connections.iter().map(|it| it.view()).collect()
    }

    /// Every change from now on. Who is too slow misses some.
    pub fn watch(&self) -> broadcast::Receiver<ConnectionChange> {
        self.api.changes.subscribe()
    }

    /// What is to go wrong.
    pub fn faults(&self) -> &Faults {
        &self.api.faults
    }

    /// Closes the connection of this id behind what is queued for it; `None` where none is open.
    pub fn close(&self, id: &str, code: u16, reason: String) -> Option<View> {
        let connection = self.find(id)?;
        let view = connection.view();
        self.api.connections.remove(connection.id());
        connection.close(Closed::requested(code, reason));
        Some(view)
    }

    /// Pulls the plug of the connection of this id: nothing is read from its socket or written to it any more, and
    /// neither a close frame nor a FIN is sent. `None` where none is open, or not any more.
    ///
    /// # Errors
    /// There are too many such sockets.
    pub async fn unplug(&self, id: &str) -> Option<Result<View, TooManyUnplugged>> {
        let connection = self.find(id)?;
        if connection.is_unplugged() {
            return Some(Ok(connection.view()));
        }
        let Some(plug) = self.api.blackhole.plug() else {
            return Some(Err(TooManyUnplugged));
        };
        let plug = connection.unplug(plug);
        // Whatever is sent from then on is not read; but it may be closing at this moment.
        timeout(UNPLUG_WAIT, plug.pulled()).await.ok()?;
        Some(Ok(connection.view()))
    }

    /// Closes the sockets of connections whose plug was pulled, and ends those that have not ended yet.
    pub fn give_up_unplugged(&self) {
        self.api.blackhole.give_up();
    }

    fn find(&self, id: &str) -> Option<Arc<Connection>> {
        self.api.connections.find(&Id::parse(id)?)
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
        let connection = Arc::new(Connection::new(caller(&gateway.api)));
        gateway.api.connections.insert(Arc::clone(&connection));
        let id = connection.id().to_string();
        // Whoever comes second waits for the same plug.
        let both = tokio::join!(gateway.unplug(&id), gateway.unplug(&id));
        assert!(matches!(both, (None, None)), "{both:?}");
        assert!(!connection.view().is_unplugged);
        assert!(changes.try_recv().is_err(), "it was told");
    }
}
