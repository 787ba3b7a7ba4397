//! The open connections, by id.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;

use super::{connection::Connection, id::Id};

/// Every connection between its 101 and its close. Not on a message's way: a reply goes to its own connection.
#[derive(Debug, Default)]
pub(super) struct Registry {
    open: RwLock<HashMap<Id, Arc<Connection>>>,
}

impl Registry {
    /// Adds a connection that has just opened.
    pub(super) fn insert(&self, connection: Arc<Connection>) {
        self.open.write().insert(*connection.id(), connection);
    }

    /// Finds an open connection.
    pub(super) fn find(&self, id: &Id) -> Option<Arc<Connection>> {
        self.open.read().get(id).cloned()
    }

    /// Forgets a connection that has closed.
    pub(super) fn remove(&self, id: &Id) {
        self.open.write().remove(id);
    }
}
