//! The interface to the gateway's connections, which tests can replace.

use std::error::Error;

use crate::{address::ConnectionId, batch::Action};

/// Acts on connections.
pub trait Connections: Send + Sync {
    /// Sends a message to a connection, or closes it.
    ///
    /// It has no time limit of its own: the caller sets a timeout.
    fn act(
        &self,
        connection: &ConnectionId,
        action: &Action,
    ) -> impl Future<Output = Result<(), PostError>> + Send;
}

/// A request to the gateway failed.
#[derive(Debug, thiserror::Error)]
#[error("{}", text(*.status))]
pub struct PostError {
    /// The HTTP status; `None` if there was no response.
    pub status: Option<u16>,
    /// The gateway's message, or why there was no response.
    #[source]
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

impl PostError {
    /// An error with this status, or without a response.
    pub fn new(status: Option<u16>) -> Self {
        Self {
            status,
            cause: None,
        }
    }

    /// Adds the cause.
    pub fn because(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..self
        }
    }
}

fn text(status: Option<u16>) -> String {
    match status {
        Some(status) => format!("the gateway returned status {status}"),
        None => "no response from the gateway".to_owned(),
    }
}
