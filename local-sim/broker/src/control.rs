//! Inspection and control of a running broker, for the console.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{cluster::Cluster, faults::Faults, store::recent::Place};

/// A handle to a broker. It does not keep the broker running.
#[derive(Debug, Clone)]
pub struct Control(Arc<Cluster>);

impl Control {
    /// Creates a handle to the broker of this cluster.
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self(cluster)
    }

    /// The faults injected into the broker, which apply to every client.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Finds the records with these `ce_id` headers, and returns where they are stored.
    ///
    /// Only the newest batches of the broker are searched. If several records share an id, the
    /// newest one is returned.
    pub fn find(&self, ce_ids: &BTreeSet<String>) -> BTreeMap<String, Place> {
        self.0.topics.recent().find(ce_ids)
    }

    /// Where the record with this header `ce_id` is, if it is in one of the last few hundred batches.
    pub fn find_newest(&self, ce_id: String) -> Option<Place> {
        let ce_ids = BTreeSet::from([ce_id]);
        let found = self.0.topics.recent().find_within(&ce_ids, NEWEST_BATCHES);
        found.into_values().next()
    }
}

/// What a look for a record just stored may cost.
const NEWEST_BATCHES: usize = 256;
