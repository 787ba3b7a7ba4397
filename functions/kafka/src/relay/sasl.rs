//! Reads the outcome of authentication in SaslHandshake and SaslAuthenticate responses.

use std::time::Duration;

use bytes::Buf;
use thiserror::Error;

use super::{
    fields::{compact, count, skip_tagged, string, take},
    request::{Request, SASL_HANDSHAKE},
};

/// The outcome of authentication in one response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SaslOutcome {
    /// The broker rejected the credentials.
    Refused(Refusal),
    /// The broker accepted the credentials and closes the connection after this time (KIP-368).
    Authenticated(Duration),
    /// The handshake continues, or succeeded without a session lifetime.
    Other,
}

/// A broker rejected the credentials.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a broker refused the credentials with error {code}: {message:?}")]
pub struct Refusal {
    /// Kafka's error code; 0 if the broker rejected a token with a JSON document instead.
    pub code: i16,
    /// The broker's reason, which may be empty.
    pub message: String,
}

/// Reads the outcome from a response body, which starts after the correlation id.
pub(super) fn outcome(request: Request, response: &[u8]) -> SaslOutcome {
    parse(request, response).unwrap_or(SaslOutcome::Other)
}

/// Parses the response.
///
/// With SASL/OAUTHBEARER a broker rejects a token without an error code, with a JSON document as
/// the challenge. The challenges of other mechanisms never start with a brace.
fn parse(request: Request, mut response: &[u8]) -> Option<SaslOutcome> {
    let bytes = &mut response;
    let is_handshake = request.api == SASL_HANDSHAKE;
    let is_flexible = !is_handshake && request.version >= 2;
    if is_flexible {
        // The response header's tagged fields, of which none are defined.
        skip_tagged(bytes)?;
    }
    let code = bytes.try_get_i16().ok()?;
    let (message, challenge) = if is_handshake {
        (None, None)
    } else if is_flexible {
        (compact(bytes), compact(bytes))
    } else {
        (string(bytes), count(bytes).and_then(|len| take(bytes, len)))
    };
    let challenge = challenge.filter(|challenge| challenge.starts_with(b"{"));
    if code != 0 || challenge.is_some() {
        let text = message.or(challenge).unwrap_or_default();
        let text = &text[..text.len().min(MESSAGE_BYTES_MAX)];
        return Some(SaslOutcome::Refused(Refusal {
            code,
            message: String::from_utf8_lossy(text).into_owned(),
        }));
    }
    // Version 0 does not have this field.
    let session_lifetime_ms = u64::try_from(bytes.try_get_i64().ok()?).ok()?;
    (!is_handshake && session_lifetime_ms > 0)
        .then(|| SaslOutcome::Authenticated(Duration::from_millis(session_lifetime_ms)))
}

/// Longer messages from a broker are truncated.
const MESSAGE_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::request::SASL_AUTHENTICATE;

    fn outcome_of(api: i16, version: i16, response: &[u8]) -> SaslOutcome {
        let request = Request {
            api,
            version,
            correlation_id: 1,
        };
        outcome(request, response)
    }

    /// The error code and message in a response that rejects the credentials.
    fn check(api: i16, version: i16, response: &[u8]) -> Option<(i16, String)> {
        match outcome_of(api, version, response) {
            SaslOutcome::Refused(refusal) => Some((refusal.code, refusal.message)),
            SaslOutcome::Authenticated(_) | SaslOutcome::Other => None,
        }
    }

    #[test]
    fn the_handshake_rejects_an_unsupported_mechanism() {
        let plain = b"\0\0\0\x01\0\x05PLAIN";
        let response = |code: &[u8]| [code, plain].concat();
        assert_eq!(check(SASL_HANDSHAKE, 1, &response(b"\0\0")), None);
        assert_eq!(
            check(SASL_HANDSHAKE, 1, &response(b"\0\x21")),
            Some((33, String::new()))
        );
    }

    #[test]
    fn rejected_credentials_carry_the_brokers_message() {
        let rejected = Some((58, "wrong".to_owned()));
        let check = |version, response: &[u8]| check(SASL_AUTHENTICATE, version, response);
        assert_eq!(check(0, b"\0\x3a\0\x05wrong\0\0\0\0"), rejected);
        assert_eq!(
            check(1, b"\0\x3a\0\x05wrong\0\0\0\0\0\0\0\0\0\0\0\0"),
            rejected
        );
        assert_eq!(
            check(2, b"\0\0\x3a\x06wrong\x01\0\0\0\0\0\0\0\0\0"),
            rejected
        );
        // A truncated response has no message, but still rejects the credentials.
        assert_eq!(check(2, b"\0\0\x3a\x06wr"), Some((58, String::new())));
        assert_eq!(
            check(1, b"\0\x3a\xff\xff\0\0\0\0"),
            Some((58, String::new()))
        );
    }

    #[test]
    fn a_json_challenge_without_an_error_code_rejects_a_token() {
        let status = r#"{"status":"invalid_token"}"#;
        let response = [b"\0\0\0\0\x1b", status.as_bytes()].concat();
        assert_eq!(
            check(SASL_AUTHENTICATE, 2, &response),
            Some((0, status.to_owned()))
        );
    }

    #[test]
    fn a_session_lifetime_is_read() {
        let minute = || SaslOutcome::Authenticated(Duration::from_mins(1));
        let check = |version, response: &[u8]| outcome_of(SASL_AUTHENTICATE, version, response);
        assert_eq!(check(2, b"\0\0\0\0\x01\0\0\0\0\0\0\xea\x60\0"), minute());
        assert_eq!(check(2, b"\0\0\0\0\x03v=\0\0\0\0\0\0\xea\x60\0"), minute());
        assert_eq!(
            check(1, b"\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0\xea\x60"),
            minute()
        );
        for endless in [
            b"\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0".as_slice(),
            b"\0\0\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0\xea",
        ] {
            assert_eq!(check(1, endless), SaslOutcome::Other);
        }
        assert_eq!(check(0, b"\0\0\xff\xff\0\0\0\0"), SaslOutcome::Other);
        // A SaslHandshake response lists mechanisms at this position.
        let plain = b"\0\0\0\0\0\x01\0\x05PLAIN";
        assert_eq!(outcome_of(SASL_HANDSHAKE, 1, plain), SaslOutcome::Other);
    }

    #[test]
    fn a_handshake_that_continues_or_succeeds_rejects_nothing() {
        let check = |version, response: &[u8]| check(SASL_AUTHENTICATE, version, response);
        assert_eq!(check(2, b"\0\0\0\0\x07r=nonce\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(check(2, b"\0\0\0\0\x01\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(check(1, b"\0\0\xff\xff\0\0\0\0"), None);
        assert_eq!(check(1, b""), None);
    }

    #[test]
    fn a_long_message_is_truncated() {
        let long = "long".repeat(5_000);
        let length = u16::try_from(long.len()).unwrap().to_be_bytes();
        let response = [b"\0\x3a", &length[..], long.as_bytes(), &[0; 12]].concat();
        let truncated = check(SASL_AUTHENTICATE, 1, &response);
        assert_eq!(truncated, Some((58, long[..MESSAGE_BYTES_MAX].to_owned())));
        // The varint encodes the length plus one, 20,001.
        let flexible = [b"\0\0\x3a\xa1\x9c\x01", long.as_bytes(), &[1]].concat();
        assert_eq!(check(SASL_AUTHENTICATE, 2, &flexible), truncated);
    }
}
