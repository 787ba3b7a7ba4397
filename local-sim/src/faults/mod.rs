//! Trouble on demand: what is to go wrong, and when.
//!
//! ```text
//! --faults FILE ─┐
//! POST /api/faults ─▶ reader ─document▶ switchboard ─▶ the faults of the gateway, of Lambda's functions, of the broker
//!                                                 └─ each asks its trigger whether it strikes this time
//! ```

mod document;
mod pause;
mod reader;
mod switchboard;
mod trigger;

pub(crate) use self::{
    document::Faults,
    pause::Pause,
    reader::Scope,
    switchboard::Switchboard,
    trigger::{Striking, Trigger, chance},
};
