//! Connections by id: the open ones, and those whose `$connect` is running.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use crate::{connection::Connection, id::Id};

/// All connections from their 101 until they are closed.
///
/// Replies do not look up their connection here, so messages do not contend for the lock.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    open: RwLock<HashMap<Id, Arc<Connection>>>,
    /// Connections whose `$connect` is running. They are not open; only the log tells the
    /// difference.
    connecting: Mutex<HashSet<Id>>,
}

impl Registry {
    /// Marks a connection's `$connect` as running until the guard is dropped.
    pub(crate) fn begin_connect(&self, id: Id) -> PendingConnect<'_> {
        self.connecting.lock().insert(id);
        PendingConnect { registry: self, id }
    }

    /// Whether a connection's `$connect` is running.
    pub(crate) fn is_connecting(&self, id: &Id) -> bool {
        self.connecting.lock().contains(id)
    }

    /// Adds an open connection.
    pub(crate) fn insert(&self, connection: Arc<Connection>) {
        self.open.write().insert(*connection.id(), connection);
    }

    /// Finds an open connection.
    pub(crate) fn find(&self, id: &Id) -> Option<Arc<Connection>> {
        self.open.read().get(id).cloned()
    }

    /// All open connections.
    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.open.read().values().cloned().collect()
    }

    /// Removes a closed connection.
    pub(crate) fn remove(&self, id: &Id) {
        self.open.write().remove(id);
    }
}

/// A guard that marks a connection's `$connect` as running.
#[derive(Debug)]
pub(crate) struct PendingConnect<'a> {
    registry: &'a Registry,
    id: Id,
}

impl Drop for PendingConnect<'_> {
    fn drop(&mut self) {
        self.registry.connecting.lock().remove(&self.id);
    }
}
