//! HTTP/1.1 before a socket becomes a WebSocket: reads and routes the request head, and refuses handshakes.

pub(crate) mod domain;
pub(crate) mod head;
pub(crate) mod patience;
pub(crate) mod refusal;
