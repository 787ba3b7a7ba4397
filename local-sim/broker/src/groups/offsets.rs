//! How far a group has come.

use std::collections::BTreeMap;

/// A topic and a partition of it.
pub(crate) type Place = (String, i32);

/// The offsets of a group, by their places.
pub(crate) type Offsets = BTreeMap<Place, Committed>;

/// The next record that a group will read in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Its offset.
    pub(crate) offset: i64,
    /// What the committer knew of the partition's leader.
    pub(crate) leader_epoch: i32,
    /// The committer's own note.
    pub(crate) metadata: String,
}
