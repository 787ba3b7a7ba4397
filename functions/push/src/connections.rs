//! The seam between what is decided and what does it: the gateway's connections.

use std::error::Error;

use crate::{address::ConnectionId, batch::Action};

/// Does things to connections.
pub trait Connections: Send + Sync {
    /// Sends a message to a connection, or closes it.
    ///
    /// It may wait for as long as it likes: whoever calls has a time limit.
    fn act(
        &self,
        connection: &ConnectionId,
        action: &Action,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// A post that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{}", text(*.status))]
pub struct Refusal {
    /// The HTTP status; none where no answer came.
    pub status: Option<u16>,
    /// What else is known.
    #[source]
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Refusal {
    /// A refusal of this status, or the lack of an answer.
    pub fn new(status: Option<u16>) -> Self {
        Self {
            status,
            cause: None,
        }
    }

    /// The same refusal, with what lies behind it.
    pub fn because(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..self
        }
    }
}

fn text(status: Option<u16>) -> String {
    match status {
        Some(status) => format!("the gateway answered {status}"),
        None => "the gateway did not answer".to_owned(),
    }
}
