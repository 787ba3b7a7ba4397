//! What is worth saying once.

use std::collections::HashSet;

use parking_lot::Mutex;

/// What has been said. The keys are of the contract, so there are few.
#[derive(Debug, Default)]
pub(crate) struct WarnOnce(Mutex<HashSet<String>>);

impl WarnOnce {
    /// Whether nothing has been said about this yet; from now on, something has.
    pub(crate) fn is_first(&self, about: &str) -> bool {
        let mut said = self.0.lock();
        !said.contains(about) && said.insert(about.to_owned())
    }
}
