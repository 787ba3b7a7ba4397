//! The committed offsets of a group.

use std::collections::BTreeMap;

/// A topic name and a partition index.
pub(crate) type PartitionKey = (String, i32);

/// The committed offsets of a group, by partition.
pub(crate) type Offsets = BTreeMap<PartitionKey, Committed>;

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The offset of the next record to read.
    pub(crate) offset: i64,
    /// The partition's leader epoch as known to the committer.
    pub(crate) leader_epoch: i32,
    /// A free-form text from the committer.
    pub(crate) metadata: String,
}
