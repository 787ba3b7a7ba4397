//! The harness of the whole-path tests: everything that a test starts, speaks to or reads.
//!
//! ```text
//!  client ── WebSocket ──▶ simulator ── Runtime API ──▶ function ──▶ broker ──▶ consumer, kcat
//!  http ──── @connections ─────┤                                  (embedded, or real_kafka)
//!  client ◀─────────────────── push ◀── event source mapping ◀────── broker ◀── producer, echo
//! ```
//! Under load and faults (`load`, `faults`), `audit` compares what clients were told with what a
//! `cluster` of three has stored; a `proxy` stands before each of its brokers.
//!
//! Nothing runs inside the test: the programs are the release binaries, the broker is reached
//! over its socket, and what a test asserts is what an outsider would see.

#![expect(
    clippy::unwrap_used,
    reason = "a harness that cannot start should stop the test"
)]

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
