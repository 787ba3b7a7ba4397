//! Why a connection to a broker failed or ended.

use std::{io, time::Duration};

use thiserror::Error;

use super::frame::FrameError;

/// Why a connection to a broker failed or ended.
#[derive(Debug, Error)]
pub(crate) enum LinkError {
    /// The name lookup or the TCP connect failed.
    #[error("connect failed")]
    Connect(#[source] io::Error),
    /// Connecting, including the TLS handshake, took too long.
    #[error("connect timed out after {} ms", .0.as_millis())]
    ConnectTimeout(Duration),
    /// The TLS handshake failed.
    #[error("TLS handshake failed")]
    Tls(#[source] io::Error),
    /// The broker accepted the connection, but sent no response.
    #[error("connected, but no response within {} ms", .0.as_millis())]
    ResponseTimeout(Duration),
    /// The broker closed the connection: it was idle for too long, or the broker is shutting down.
    #[error("the broker closed the connection (unanswered requests: {0})")]
    Closed(usize),
    /// Reading or writing failed.
    #[error("connection lost")]
    Lost(#[source] io::Error),
    /// A frame was not a valid frame of Kafka's protocol.
    #[error("protocol error")]
    Frame(#[from] FrameError),
    /// The relay has as many connections as it allows.
    #[error("not connected: {0} connections are already open")]
    TooMany(usize),
}
