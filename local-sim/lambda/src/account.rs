//! The simulated account, region and credentials: constants, so that all runs are alike.

/// The simulated AWS region.
pub const REGION: &str = "us-east-1";
/// The simulated AWS account: the one of AWS's own examples.
pub const ACCOUNT_ID: &str = "123456789012";
/// The simulator's access key id, given to functions and shown in the documentation.
pub const ACCESS_KEY_ID: &str = "sluice";
/// The secret access key for [`ACCESS_KEY_ID`].
pub const SECRET_ACCESS_KEY: &str = "sluice";
