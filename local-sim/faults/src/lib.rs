//! When a fault strikes, and how long it holds things up: the ground floor of the simulator's faults.
//!
//! The gateway, Lambda and the broker each keep the faults that they can have, and ask a [`Striking`] trigger each
//! time that one could strike.

mod pause;
mod trigger;

pub use self::{
    pause::Pause,
    trigger::{Striking, Trigger, chance},
};
