//! Whose cloud this is: constants, so that every run names the same things.

/// Where everything happens, as far as a function can tell.
pub const REGION: &str = "us-east-1";
/// Whose it all is: the account of AWS's own examples.
pub const ACCOUNT_ID: &str = "123456789012";
/// The simulator's own key, which the functions get and the documentation shows.
pub const ACCESS_KEY_ID: &str = "sluice";
/// The secret that goes with [`ACCESS_KEY_ID`].
pub const SECRET_ACCESS_KEY: &str = "sluice";
