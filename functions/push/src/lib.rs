//! The Lambda function `push`: posts Kafka records to WebSocket connections.
//!
//! ```text
//! event JSON ─parse▶ Batch ─plan▶ Work ⇄ Connections ─▶ Report ─render▶ response JSON
//!   event            batch        work    connections    report            event
//!                    address      verdict sdk, http
//!                    poison       backoff
//! ```
//!
//! What goes out next, what an answer means and what is reported is decided
//! without AWS, clock or socket. At the edges, each outside library is named in
//! one module only: `event` (the event's JSON), `sdk` and `http` (the gateway)
//! and `lambda` (start-up and invocations).
//!
//! It is a crate of its own so that the AWS SDK is in no other function. It
//! never speaks to Kafka: an event source mapping does.

// What a batch asks for …
pub mod address;
pub mod batch;
pub mod poison;

// … what is to be done next …
mod backoff;
pub mod verdict;
pub mod work;

// … doing it …
pub mod connections;
mod delivery;
pub mod handler;
pub mod memory;
pub mod report;

// … and the edges: AWS's JSON, the gateway, Lambda, the environment.
pub mod config;
pub mod event;
mod http;
pub mod lambda;
pub mod sdk;
