//! An open connection's socket: frames in both directions, timers, the close.

mod frames;
#[cfg(test)]
mod fuzz;
mod metered;
pub(crate) mod run;
mod timers;
