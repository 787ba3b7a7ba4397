//! Decides when injected faults occur and how long they delay work.
//!
//! The gateway, Lambda and the broker keep their own faults. Each time a fault could occur, they
//! ask its [`Striking`] trigger.

mod pause;
mod trigger;

pub use self::{
    pause::Pause,
    trigger::{Striking, Trigger, chance},
};
