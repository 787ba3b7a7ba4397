//! Serves the socket of an open connection.

mod frames;
#[cfg(test)]
mod fuzz;
mod metered;
pub(crate) mod run;
mod timers;
