//! The console's interface: lists, closes and unplugs connections, and sets faults.

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

/// The limit of unplugged sockets is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the limit of {UNPLUGGED_MAX} unplugged sockets is reached")]
pub struct TooManyUnplugged;

/// Inspection and control for the console.
impl Gateway {
    /// The open connections, oldest first.
    pub fn connections(&self) -> Vec<View> {
        let mut connections = self.api.connections.all();
        connections.sort_by_key(|it| (it.caller.connected_at, it.id().as_str().to_owned()));
        connections.iter().map(|it| it.view()).collect()
    }

    /// Subscribes to changes from now on. A subscriber that lags behind misses some.
    pub fn watch(&self) -> broadcast::Receiver<ConnectionChange> {
        self.api.changes.subscribe()
    }

    /// The injected faults.
    pub fn faults(&self) -> &Faults {
        &self.api.faults
    }

    /// Closes the connection with this id after its queued messages; `None` if none is open.
    pub fn close(&self, id: &str, code: u16, reason: String) -> Option<View> {
        let connection = self.find(id)?;
        let view = connection.view();
        self.api.connections.remove(connection.id());
        connection.close(Closed::requested(code, reason));
        Some(view)
    }

    /// Unplugs the connection with this id; `None` if none is open or it closes in the meantime.
    ///
    /// The gateway stops reading from and writing to its socket, and sends neither a close frame
    /// nor a FIN.
    ///
    /// # Errors
    /// The limit of unplugged sockets is reached.
    pub async fn unplug(&self, id: &str) -> Option<Result<View, TooManyUnplugged>> {
        let connection = self.find(id)?;
        if connection.is_unplugged() {
            return Some(Ok(connection.view()));
        }
        let Some(plug) = self.api.blackhole.plug() else {
            return Some(Err(TooManyUnplugged));
        };
        let plug = connection.unplug(plug);
        // Times out if the connection is closing and its task never handles the command.
        timeout(UNPLUG_WAIT, plug.pulled()).await.ok()?;
        Some(Ok(connection.view()))
    }

    /// Closes all unplugged sockets, and ends their connections that are still open.
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
    async fn unplugging_a_connection_without_a_task_reports_no_connection() {
        let gateway = gateway();
        let mut changes = gateway.watch();
        let connection = Arc::new(Connection::new(caller(&gateway.api)));
        gateway.api.connections.insert(Arc::clone(&connection));
        let id = connection.id().to_string();
        // The second call waits for the same plug.
        let both = tokio::join!(gateway.unplug(&id), gateway.unplug(&id));
        assert!(matches!(both, (None, None)), "{both:?}");
        assert!(!connection.view().is_unplugged);
        assert!(changes.try_recv().is_err(), "subscribers were notified");
    }
}
