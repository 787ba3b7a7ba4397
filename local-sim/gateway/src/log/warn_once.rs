//! Warnings that are logged only once.

use std::collections::HashSet;

use parking_lot::Mutex;

/// The keys of the warnings logged so far. They are route keys of the contract, so there are few.
#[derive(Debug, Default)]
pub(crate) struct WarnOnce(Mutex<HashSet<String>>);

impl WarnOnce {
    /// Returns `true` on the first call with this key, then `false`.
    pub(crate) fn is_first(&self, key: &str) -> bool {
        let mut logged = self.0.lock();
        !logged.contains(key) && logged.insert(key.to_owned())
    }
}
