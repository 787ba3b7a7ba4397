//! Handles a message: selects the route, invokes the function, and sends the reply.

pub(crate) mod integration;
mod lenient;
pub(crate) mod message;
mod reply;
