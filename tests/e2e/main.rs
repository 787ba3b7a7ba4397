//! The whole path over the embedded broker, as clients, functions and operators see it.

#![expect(
    clippy::unwrap_used,
    reason = "what a test relies on ends it where it fails"
)]

mod acknowledged;
mod broker_away;
mod build;
mod connections;
mod limits;
mod routes;
mod shutdown;
mod startup;

#[cfg(any(feature = "kafka", feature = "kcat"))]
mod groups;
#[cfg(feature = "kcat")]
mod kcat;
#[cfg(feature = "python")]
mod mapping;
#[cfg(feature = "python")]
mod scripted;
