//! The Lambda functions `connect`, `message` and `disconnect`: each turns a
//! WebSocket event of API Gateway into a Kafka record, and answers when the
//! record is stored.
//!
//! ```text
//! event JSON ─parse▶ Event ─route▶ Record ─publish▶ Receipt ─render▶ Response
//!  apigw_event       event         record            sink             reply
//!                    body          document          kafka            failure
//! ```
//!
//! The core knows neither AWS nor Kafka. Each outside library is used in one module only:
//! `apigw_event` (the event's JSON), `kafka` (the sink) and `lambda` (start and invocations).
//!
//! The three functions are one program under three names, so that each can have its own memory,
//! concurrency and rights.

// The event …
pub mod body;
pub mod event;

// … its record …
mod credentials;
mod document;
pub mod partition;
pub mod record;
mod trace;

// … where it goes …
pub mod failure;
pub mod sink;

// … and the answer.
pub mod handler;
pub mod reply;

// The edges: AWS's JSON, Kafka, Lambda, the environment.
pub mod apigw_event;
pub mod config;
pub mod kafka;
pub mod lambda;
