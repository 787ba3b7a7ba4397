//! Faults on demand: read from a file or a request, and put in force in all parts of the simulator.
//!
//! ```text
//! --faults FILE ─┐
//! POST /api/faults ─▶ reader ─document▶ switchboard ─▶ the faults of the gateway, of Lambda's functions, of the broker
//!                                                 └─ each asks its trigger whether it strikes this time
//! ```

mod document;
mod reader;
mod switchboard;

pub(crate) use self::{document::Faults, reader::Scope, switchboard::Switchboard};
