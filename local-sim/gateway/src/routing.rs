//! Handles a message: selects its route, invokes the function, and sends the reply or an error frame.

pub(crate) mod integration;
mod lenient;
pub(crate) mod message;
mod reply;
