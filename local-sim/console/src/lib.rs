//! The console: an HTTP API to inspect and control the running simulator.
//!
//! ```text
//! socket ─▶ guard (foreign origin?) ─▶ router ─▶ connections, environments, invocations, stream
//!                                           └─▶ faults, time, reset
//! ```
//!
//! AWS has no such API, so it has a separate address.

mod body;
mod connections;
mod controls;
mod environments;
mod faults;
mod guard;
mod invocations;
mod limits;
mod produced;
mod reset;
mod response;
mod router;
mod serve;
mod stream;
mod time;

pub use self::{controls::Console, faults::FaultControl, serve::serve};
