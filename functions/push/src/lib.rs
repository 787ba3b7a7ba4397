//! The Lambda function `push`: posts Kafka records to WebSocket connections.
//!
//! ```text
//! event JSON ─parse▶ Batch ─plan▶ Work ⇄ Connections ─▶ Report ─render▶ response JSON
//!   event            batch        work    connections    report            event
//!                    address      verdict sdk, http
//!                    poison       backoff
//! ```
//!
//! The modules that decide what to post next, what a response means and what to report use neither
//! AWS, a clock nor sockets. Each external library is used in one edge module only: `event` (the
//! event's JSON), `sdk` and `http` (the gateway) and `lambda` (startup and invocations).
//!
//! This is a separate crate so that no other function depends on the AWS SDK. It never connects to
//! Kafka: an event source mapping does.

// Parsing: what a batch contains.
pub mod address;
pub mod batch;
pub mod poison;

// Decisions: what to post next.
mod backoff;
pub mod verdict;
pub mod work;

// Delivery.
pub mod connections;
pub mod dedup;
mod delivery;
pub mod handler;
pub mod report;

// Edges: AWS's JSON, the gateway, Lambda and the environment.
pub mod config;
pub mod event;
mod http;
pub mod lambda;
pub mod sdk;
