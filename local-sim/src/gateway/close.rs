//! How a connection ended: close codes and the reasons that go with them.
//!
//! Codes: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html>

use tokio_tungstenite::tungstenite::{
    self,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

/// What a `$disconnect` event says of the end of its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) code: u16,
    pub(super) reason: String,
}

impl Closed {
    fn new(code: CloseCode, reason: &str) -> Self {
        Self {
            code: code.into(),
            reason: reason.to_owned(),
        }
    }

    /// Idle for too long, or too old.
    pub(super) fn going_away() -> Self {
        Self::new(CloseCode::Away, "Going away")
    }

    /// `DELETE @connections`.
    pub(super) fn deleted() -> Self {
        Self::new(CloseCode::Normal, "Connection Closed Normally")
    }

    /// A binary frame, which no WebSocket API takes.
    pub(super) fn binary() -> Self {
        Self::new(CloseCode::Unsupported, "Binary frames are not supported")
    }

    /// A client that goes on sending what is throttled.
    pub(super) fn flood() -> Self {
        Self::new(CloseCode::Policy, "Too many requests")
    }

    /// The simulator ends.
    pub(super) fn service_restart() -> Self {
        Self::new(CloseCode::Restart, "Service restart")
    }

    /// The socket is gone without a close frame. Never on the wire.
    pub(super) fn lost() -> Self {
        Self::new(CloseCode::Abnormal, "Connection lost")
    }

    /// The client closed. A close frame without a code is recorded as 1005.
    pub(super) fn by_client(frame: Option<&CloseFrame>) -> Self {
        match frame {
            Some(frame) => Self::new(frame.code, &frame.reason),
            None => Self::new(CloseCode::Status, "Client-side close frame status not set"),
        }
    }

    /// What broke the WebSocket protocol; `None` where there is no one left to tell.
    pub(super) fn by_error(error: &tungstenite::Error) -> Option<Self> {
        use tungstenite::{Error, error::ProtocolError::ResetWithoutClosingHandshake};
        let (code, reason) = match error {
            Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed => return None,
            Error::Protocol(ResetWithoutClosingHandshake) => return None,
            Error::Capacity(_) => (CloseCode::Size, "Message too big"),
            Error::Utf8(_) => (CloseCode::Invalid, "Invalid UTF-8"),
            Error::Protocol(_) => (CloseCode::Protocol, "Protocol error"),
            _ => (CloseCode::Error, "Internal error"),
        };
        Some(Self::new(code, reason))
    }

    /// The close frame that says so.
    pub(super) fn frame(&self) -> CloseFrame {
        CloseFrame {
            code: self.code.into(),
            reason: self.reason.as_str().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};

    use tungstenite::{
        Error,
        error::{CapacityError, ProtocolError},
    };

    use super::*;

    fn check(error: &Error) -> Option<u16> {
        Closed::by_error(error).map(|closed| closed.code)
    }

    #[test]
    fn every_error_has_its_code() {
        let (size, max_size) = (2, 1);
        let too_long = CapacityError::MessageTooLong { size, max_size };
        assert_eq!(
            check(&Error::Protocol(ProtocolError::UnmaskedFrameFromClient)),
            Some(1002)
        );
        assert_eq!(check(&Error::Utf8(String::new())), Some(1007));
        assert_eq!(check(&Error::Capacity(too_long)), Some(1009));
        // What is nobody's fault but the gateway's.
        assert_eq!(check(&Error::AttackAttempt), Some(1011));
    }

    #[test]
    fn nobody_is_told_where_nobody_listens() {
        let reset = ProtocolError::ResetWithoutClosingHandshake;
        assert_eq!(check(&Error::Protocol(reset)), None);
        assert_eq!(
            check(&Error::Io(io::Error::from(ErrorKind::BrokenPipe))),
            None
        );
        assert_eq!(check(&Error::ConnectionClosed), None);
    }
}
