//! The name and the password that a user authenticates with.

use sluice_aws::Secret;

/// A user's name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: Secret,
}
