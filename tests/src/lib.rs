//! Test harness for the end-to-end tests: starts the programs and provides clients for them.
//!
//! ```text
//!  client ── WebSocket ──▶ simulator ── Runtime API ──▶ function ──▶ broker ──▶ consumer, kcat
//!  http ──── @connections ─────┤                                  (embedded, or real_kafka)
//!  client ◀─────────────────── push ◀── event source mapping ◀────── broker ◀── producer, echo
//! ```
//! `load` and `faults` run the path against a `cluster` of three brokers, each behind a `proxy`.
//! `audit` then compares the responses that clients received with the records that are stored.
//!
//! No program under test runs inside the test process. The tests run the release binaries, reach
//! the broker over its socket, and assert only behaviour that is visible from outside.

#![expect(clippy::unwrap_used, reason = "a test cannot run without its harness")]

pub mod admin;
pub mod anatomy;
pub mod audit;
pub mod binaries;
pub mod certificates;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod console;
pub mod consumer;
pub mod duplex;
pub mod echo;
pub mod exchange;
pub mod extension;
pub mod faults;
pub mod group;
pub mod http;
pub mod kcat;
pub mod load;
pub mod msk;
pub mod net;
pub mod partition;
pub mod path;
pub mod probe;
pub mod process;
pub mod producer;
pub mod proxy;
pub mod pushed;
pub mod raw;
pub mod readme;
pub mod real_kafka;
pub mod secured_kafka;
pub mod sigv4;
pub mod simulator;
pub mod unwilling;
pub mod wait;
