//! What every function takes from AWS: variables, credentials, time and a log.
//!
//! ```text
//! environment ─▶ Variables ─┬▶ Credentials, perhaps fetched from the endpoint that a variable names
//!                           └▶ everything else that a function is configured with
//! deadline ─▶ time left for work
//! Log ─▶ one line on standard error
//! ```
//!
//! It knows neither Kafka nor API Gateway, and has no dependency that only one
//! function needs.

mod deadline;
mod lambda;
mod variables;

mod container;
mod credentials;
mod fetch;
mod file;
mod secret;
mod source;

mod log;

#[cfg(any(test, feature = "fake"))]
pub mod fake;

pub use container::{FULL_URI as CONTAINER_CREDENTIALS, TOKEN as CONTAINER_TOKEN};
pub use credentials::{AwsCredentials, CredentialsError};
pub use deadline::{time_for_work, time_left};
pub use fetch::{FetchError, fetch, has_usable_port};
pub use file::read_text;
pub use lambda::{NotInLambda, NotText, function_name, require_text, variable};
pub use log::{Format, Log};
pub use secret::Secret;
pub use source::{AwsCredentialsSource, SESSION_TOKEN};
pub use variables::{SettingsError, Variables, one_of};
