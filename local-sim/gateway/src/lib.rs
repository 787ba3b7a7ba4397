//! A local API Gateway WebSocket API, which accepts connections and invokes functions.
//!
//! ```text
//! listener ─▶ http (head) ─┬▶ handshake ─▶ authorizer, $connect ─▶ socket ─▶ routing ─▶ Lambda
//!                          │                                         │  ▲       │
//!                          │                                         │  └ reply or error frame
//!                          │                                         └▶ close, $disconnect
//!                          └▶ management (@connections) ─▶ connection ─▶ socket
//! ```
//! * `gateway` starts and stops the server, and `api` holds the state that all modules share.
//! * `event` builds the events that functions receive.
//! * `connection` holds the state of an open connection.
//! * `limits`, `log` and `faults` are used everywhere.
//! * `admin` is the console's interface.
//!
//! The gateway uses Lambda only to invoke a function with an event.

mod admin;
mod api;
mod authorizer;
mod clock;
mod close;
mod connection;
mod event;
mod faults;
mod gateway;
mod handshake;
mod http;
mod id;
mod limits;
mod listener;
mod log;
mod management;
mod observer;
mod options;
mod routing;
#[cfg(test)]
mod sample;
mod signature;
mod socket;
mod time;

pub use self::{
    clock::Clock,
    connection::view::{ConnectionChange, View},
    faults::Reorder,
    gateway::Gateway,
    http::patience::Patience,
    limits::REORDER_MAX,
    log::{access_log::AccessLogError, entry::Invocation},
    observer::{Event, Kind, Observer},
    options::{AuthorizerContext, ConnectionsAuth, InvalidUtf8, JsonReading, Options, PlainGet},
};
