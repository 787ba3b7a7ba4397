//! HTTP/1.1 before a socket becomes a WebSocket: request heads, domains and refusals.

pub(crate) mod domain;
pub(crate) mod head;
pub(crate) mod patience;
pub(crate) mod refusal;
