//! Why a link with a broker ended.

use std::{io, time::Duration};

use thiserror::Error;

use super::frame::FrameError;

/// What ended a connection with a broker, or kept it from being made.
#[derive(Debug, Error)]
pub(crate) enum LinkError {
    /// TCP failed, or looking up the name before it.
    #[error("cannot be connected with")]
    Connect(#[source] io::Error),
    /// There was neither a connection nor a refusal.
    #[error("cannot be connected with in {} ms", .0.as_millis())]
    Late(Duration),
    /// The handshake failed: a certificate, a name, an alert.
    #[error("TLS failed")]
    Tls(#[source] io::Error),
    /// The broker accepted the connection, and then sent nothing.
    #[error("connected, but sent no answer in {} ms", .0.as_millis())]
    Silent(Duration),
    /// The broker closed the connection, as it does when it was idle for long,
    /// or when the broker stops.
    #[error("closed the connection, requests unanswered: {0}")]
    Closed(usize),
    /// Reading or writing failed.
    #[error("connection lost")]
    Lost(#[source] io::Error),
    /// What went through was not Kafka's protocol as rskafka speaks it.
    #[error("not understood")]
    Frame(#[from] FrameError),
    /// There are as many connections as there may be.
    #[error("not connected with: {0} connections are open already")]
    TooMany(usize),
}
