//! The whole path over the embedded broker, as clients, functions and operators see it.

#![expect(
    clippy::unwrap_used,
    reason = "what a test relies on ends it where it fails"
)]

mod acknowledged;
mod broker_away;
mod build;
mod connections;
mod lambda_watch;
mod limits;
mod routes;
mod shutdown;
mod startup;

#[cfg(feature = "kcat")]
mod kcat;
#[cfg(feature = "python")]
mod lambda_environments;
#[cfg(feature = "go")]
mod lambda_go;
#[cfg(feature = "python")]
mod lambda_logs;
#[cfg(feature = "python")]
mod lambda_managed;
#[cfg(feature = "python")]
mod scripted;
