//! The console: how a developer, or a test, takes hold of the running simulator.
//!
//! ```text
//! socket ─▶ guard (whose page asks?) ─▶ router ─▶ connections, environments, invocations, stream: look, and act
//!                                             └─▶ faults, time, reset: change what happens
//! ```
//!
//! It is no part of AWS, so it listens at an address of its own.

mod answer;
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
mod router;
mod serve;
mod stream;
mod time;

pub use self::{controls::Console, faults::FaultControl, serve::serve};
