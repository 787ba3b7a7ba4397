//! Close codes and reasons of a connection.
//!
//! Codes:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html>

use std::borrow::Cow;

use tokio_tungstenite::tungstenite::{
    self,
    error::CapacityError,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::limits::{FLOOD_MAX, FRAME_BYTES_MAX, IDLE_MAX, LIFE_MAX};

/// How a connection was closed, as its `$disconnect` event shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) code: u16,
    pub(crate) reason: String,
    /// An explanation for the log, if the gateway closes the connection without being asked to.
    pub(crate) why: Option<Cow<'static, str>>,
}

impl Closed {
    fn new(code: CloseCode, reason: &str) -> Self {
        Self {
            code: code.into(),
            reason: reason.to_owned(),
            why: None,
        }
    }

    fn because(self, why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            why: Some(why.into()),
            ..self
        }
    }

    /// The idle timeout.
    pub(crate) fn idle() -> Self {
        let minutes = IDLE_MAX.as_secs() / 60;
        Self::new(CloseCode::Away, GOING_AWAY).because(format!(
            "no traffic for {minutes} minutes (send something more often, or reconnect)"
        ))
    }

    /// The maximum duration.
    pub(crate) fn expired() -> Self {
        let hours = LIFE_MAX.as_secs() / 3600;
        Self::new(CloseCode::Away, GOING_AWAY).because(format!(
            "reached the maximum connection duration of {hours} hours (reconnect)"
        ))
    }

    /// A close with a code and reason from the console.
    pub(crate) fn requested(code: u16, reason: String) -> Self {
        Self {
            code,
            reason,
            why: None,
        }
    }

    /// `DELETE @connections`.
    pub(crate) fn deleted() -> Self {
        Self::new(CloseCode::Normal, "Connection Closed Normally")
    }

    /// A binary message, which WebSocket APIs do not support.
    pub(crate) fn binary() -> Self {
        Self::new(CloseCode::Unsupported, "Binary frames are not supported")
            .because("WebSocket APIs do not support binary messages (send text)")
    }

    /// A client that keeps sending while it is throttled.
    pub(crate) fn flood() -> Self {
        Self::new(CloseCode::Policy, "Too many requests").because(format!(
            "{FLOOD_MAX} more messages were throttled than accepted (send fewer, or raise \
             throttlingRateLimit and throttlingBurstLimit)"
        ))
    }

    /// The simulator shuts down.
    pub(crate) fn service_restart() -> Self {
        Self::new(CloseCode::Restart, "Service restart")
    }

    /// The connection ended without a close frame. This code is never sent.
    pub(crate) fn lost() -> Self {
        Self::new(CloseCode::Abnormal, "Connection lost")
    }

    /// The client sent a close frame. One without a code is recorded as 1005.
    pub(crate) fn by_client(frame: Option<&CloseFrame>) -> Self {
        match frame {
            Some(frame) => Self::new(frame.code, &frame.reason),
            None => Self::new(CloseCode::Status, "Client-side close frame status not set"),
        }
    }

    /// The close for a protocol error; `None` if the connection is already lost.
    pub(crate) fn by_error(error: &tungstenite::Error) -> Option<Self> {
        use tungstenite::{Error, error::ProtocolError::ResetWithoutClosingHandshake};
        let (code, reason, why) = match error {
            Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed => return None,
            Error::Protocol(ResetWithoutClosingHandshake) => return None,
            Error::Capacity(capacity) => (CloseCode::Size, "Message too big", too_big(capacity)),
            Error::Utf8(_) => (
                CloseCode::Invalid,
                "Invalid UTF-8",
                "the message is not valid UTF-8".to_owned(),
            ),
            Error::Protocol(error) => (
                CloseCode::Protocol,
                "Protocol error",
                format!("invalid WebSocket frame: {error}"),
            ),
            error => (
                CloseCode::Error,
                "Internal error",
                format!("internal error of the gateway: {error}"),
            ),
        };
        Some(Self::new(code, reason).because(why))
    }

    /// The close frame to send.
    pub(crate) fn frame(&self) -> CloseFrame {
        CloseFrame {
            code: self.code.into(),
            reason: self.reason.as_str().into(),
        }
    }
}

fn too_big(capacity: &CapacityError) -> String {
    match capacity {
        CapacityError::MessageTooLong {
            size,
            max_size: FRAME_BYTES_MAX,
        } => {
            format!("frame of {size} bytes exceeds {FRAME_BYTES_MAX} bytes (fragment the message)")
        }
        CapacityError::MessageTooLong { size, max_size } => {
            format!(
                "message of at least {size} bytes exceeds {max_size} bytes (send a shorter message)"
            )
        }
        CapacityError::TooManyHeaders => capacity.to_string(),
    }
}

/// The reason for the idle timeout and the maximum duration.
const GOING_AWAY: &str = "Going away";

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};

    use tungstenite::{Error, error::ProtocolError};

    use super::*;
    use crate::limits::MESSAGE_BYTES_MAX;

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
        // An internal error.
        assert_eq!(check(&Error::AttackAttempt), Some(1011));
    }

    #[test]
    fn the_explanation_of_a_too_big_frame_or_message_names_the_limit() {
        let check = |size, max_size| {
            let error = Error::Capacity(CapacityError::MessageTooLong { size, max_size });
            Closed::by_error(&error).and_then(|closed| closed.why)
        };
        assert_eq!(
            check(40_000, FRAME_BYTES_MAX).as_deref(),
            Some("frame of 40000 bytes exceeds 32768 bytes (fragment the message)")
        );
        assert_eq!(
            check(131_073, MESSAGE_BYTES_MAX).as_deref(),
            Some("message of at least 131073 bytes exceeds 131072 bytes (send a shorter message)")
        );
    }

    #[test]
    fn a_lost_connection_has_no_close_code() {
        let reset = ProtocolError::ResetWithoutClosingHandshake;
        assert_eq!(check(&Error::Protocol(reset)), None);
        assert_eq!(
            check(&Error::Io(io::Error::from(ErrorKind::BrokenPipe))),
            None
        );
        assert_eq!(check(&Error::ConnectionClosed), None);
    }
}
