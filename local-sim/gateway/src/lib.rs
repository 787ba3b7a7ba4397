//! API Gateway's WebSocket APIs, as seen by clients and by functions.
//!
//! ```text
//! listener ─▶ http (head) ─┬▶ handshake ─▶ authorizer, $connect ─▶ socket ─▶ routing ─▶ Lambda
//!                          │                                         │  ▲       │
//!                          │                                         │  └ reply or error frame
//!                          │                                         └▶ close, $disconnect
//!                          └▶ management (@connections) ─▶ connection ─▶ socket
//! ```
//! `gateway` starts and ends all of it; `api` is what the parts share; `event` is what functions are told; `connection`
//! is what the parts know of an open connection; `limits`, `log` and `faults` serve all. Of Lambda the gateway knows only
//! how to invoke a function with an event. `admin` is for the console.

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
