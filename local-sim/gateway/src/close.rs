//! How a connection ended: close codes and the reasons that go with them.
//!
//! Codes: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html>

use std::borrow::Cow;

use tokio_tungstenite::tungstenite::{
    self,
    error::CapacityError,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::limits::{FLOOD_MAX, FRAME_BYTES_MAX, IDLE_MAX, LIFE_MAX};

/// What a `$disconnect` event says of the end of its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) code: u16,
    pub(crate) reason: String,
    /// What a developer is told, where the gateway closes a connection that nobody asked it to close.
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

    /// Idle for too long.
    pub(crate) fn idle() -> Self {
        let minutes = IDLE_MAX.as_secs() / 60;
        Self::new(CloseCode::Away, GOING_AWAY).because(format!(
            "nothing came or went for {minutes} minutes: send something more often, or connect anew"
        ))
    }

    /// Too old.
    pub(crate) fn expired() -> Self {
        let hours = LIFE_MAX.as_secs() / 3600;
        Self::new(CloseCode::Away, GOING_AWAY).because(format!(
            "it was open for {hours} hours, and none is for longer: connect anew"
        ))
    }

    /// As the console asked.
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

    /// A binary frame, which no WebSocket API takes.
    pub(crate) fn binary() -> Self {
        Self::new(CloseCode::Unsupported, "Binary frames are not supported")
            .because("a binary message came, which no WebSocket API takes: send text")
    }

    /// A client that goes on sending what is throttled.
    pub(crate) fn flood() -> Self {
        Self::new(CloseCode::Policy, "Too many requests").because(format!(
            "{FLOOD_MAX} more of its messages were throttled than let in: send fewer, or raise \
             throttlingRateLimit and throttlingBurstLimit"
        ))
    }

    /// The simulator ends.
    pub(crate) fn service_restart() -> Self {
        Self::new(CloseCode::Restart, "Service restart")
    }

    /// The socket is gone without a close frame. Never on the wire.
    pub(crate) fn lost() -> Self {
        Self::new(CloseCode::Abnormal, "Connection lost")
    }

    /// The client closed. A close frame without a code is recorded as 1005.
    pub(crate) fn by_client(frame: Option<&CloseFrame>) -> Self {
        match frame {
            Some(frame) => Self::new(frame.code, &frame.reason),
            None => Self::new(CloseCode::Status, "Client-side close frame status not set"),
        }
    }

    /// What broke the WebSocket protocol; `None` where there is no one left to tell.
    pub(crate) fn by_error(error: &tungstenite::Error) -> Option<Self> {
        use tungstenite::{Error, error::ProtocolError::ResetWithoutClosingHandshake};
        let (code, reason, why) = match error {
            Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed => return None,
            Error::Protocol(ResetWithoutClosingHandshake) => return None,
            Error::Capacity(capacity) => (CloseCode::Size, "Message too big", too_big(capacity)),
            Error::Utf8(_) => (
                CloseCode::Invalid,
                "Invalid UTF-8",
                "a text is not UTF-8".to_owned(),
            ),
            Error::Protocol(fault) => (
                CloseCode::Protocol,
                "Protocol error",
                format!("that is no WebSocket frame: {fault}"),
            ),
            fault => (
                CloseCode::Error,
                "Internal error",
                format!("a fault of the gateway: {fault}"),
            ),
        };
        Some(Self::new(code, reason).because(why))
    }

    /// The close frame that says so.
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
        } => format!("a frame has {size} bytes, at most {FRAME_BYTES_MAX}: fragment the message"),
        CapacityError::MessageTooLong { size, max_size } => {
            format!(
                "a message has {size} bytes in its frames so far, at most {max_size}: send less"
            )
        }
        CapacityError::TooManyHeaders => capacity.to_string(),
    }
}

/// The reason for who is idle or old.
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
        // What is nobody's fault but the gateway's.
        assert_eq!(check(&Error::AttackAttempt), Some(1011));
    }

    #[test]
    fn what_is_too_big_is_told_with_what_may_be_sent() {
        let check = |size, max_size| {
            let error = Error::Capacity(CapacityError::MessageTooLong { size, max_size });
            Closed::by_error(&error).and_then(|closed| closed.why)
        };
        assert_eq!(
            check(40_000, FRAME_BYTES_MAX).as_deref(),
            Some("a frame has 40000 bytes, at most 32768: fragment the message")
        );
        assert_eq!(
            check(131_073, MESSAGE_BYTES_MAX).as_deref(),
            Some("a message has 131073 bytes in its frames so far, at most 131072: send less")
        );
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
