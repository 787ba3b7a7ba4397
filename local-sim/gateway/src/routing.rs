//! The way of a message: its route, the function behind it, and the reply or error frame.

pub(crate) mod integration;
mod lenient;
pub(crate) mod message;
mod reply;
