//! What a developer may do with the broker while it runs, beside what clients may.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{cluster::Cluster, faults::Faults, store::recent::Place};

/// A hand on a broker; it does not keep it running.
#[derive(Debug, Clone)]
pub struct Control(Arc<Cluster>);

impl Control {
    /// A hand on the broker of this cluster.
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self(cluster)
    }

    /// What is wrong with the broker, for every client.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Where the records are whose header `ce_id` is one of these, the newest where there are several. A record
    /// that is not among the newest batches is missing.
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
