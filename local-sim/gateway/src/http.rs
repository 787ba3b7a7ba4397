//! HTTP/1.1 up to the point where a socket becomes a WebSocket: what is read, where it leads, how it is refused.

pub(crate) mod domain;
pub(crate) mod head;
pub(crate) mod patience;
pub(crate) mod refusal;
