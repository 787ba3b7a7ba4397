//! The connections, by id: the open ones, and those whose `$connect` runs.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use crate::{connection::Connection, id::Id};

/// Every connection between its 101 and its close. Not on a message's way: a reply goes to its own connection.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    open: RwLock<HashMap<Id, Arc<Connection>>>,
    /// Those whose `$connect` runs. For everybody else they do not exist, but a developer is told the difference.
    connecting: Mutex<HashSet<Id>>,
}

impl Registry {
    /// Takes note that a connection's `$connect` runs, until the guard is dropped.
    pub(crate) fn begin_connect(&self, id: Id) -> PendingConnect<'_> {
        self.connecting.lock().insert(id);
        PendingConnect { registry: self, id }
    }

    /// Whether a connection's `$connect` still runs.
    pub(crate) fn is_connecting(&self, id: &Id) -> bool {
        self.connecting.lock().contains(id)
    }

    /// Adds a connection that has just opened.
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

    /// Forgets a connection that has closed.
    pub(crate) fn remove(&self, id: &Id) {
        self.open.write().remove(id);
    }
}

/// A connection whose `$connect` runs.
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
