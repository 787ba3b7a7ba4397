//! End-to-end tests of the simulator with its embedded broker.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod access_log;
mod acknowledged;
mod broker_away;
mod build;
mod connections;
mod console;
mod console_act;
mod console_look;
mod duplex_faults;
mod faults;
mod hints;
mod lambda_watch;
mod limits;
mod log;
mod memory;
mod robustness;
mod routes;
mod shutdown;
mod signatures;
mod startup;
mod throttling;

#[cfg(feature = "python")]
mod authorization;
#[cfg(feature = "python")]
mod console_lambda;
#[cfg(feature = "kcat")]
mod full_duplex;
#[cfg(any(feature = "kafka", feature = "kcat"))]
mod groups;
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
mod mapping;
#[cfg(any(feature = "curl", feature = "kcat"))]
mod readme;
#[cfg(feature = "python")]
mod scripted;
