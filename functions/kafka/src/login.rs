//! A user name and password for SASL.

use sluice_aws::Secret;

/// A user name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: Secret,
}
