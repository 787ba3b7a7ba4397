//! What a broker says about credentials, in the answers to SaslHandshake and
//! SaslAuthenticate.

use std::time::Duration;

use bytes::Buf;
use thiserror::Error;

use super::{
    fields::{compact, count, skip_tagged, string, take},
    request::{Request, SASL_HANDSHAKE},
};

/// What an answer says about the credentials.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SaslOutcome {
    /// The broker refuses them.
    Refused(Refusal),
    /// The broker accepts them, and closes the connection after this time
    /// (KIP-368).
    Authenticated(Duration),
    /// Nothing, or that the handshake goes on.
    Other,
}

/// A broker refused the credentials.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a broker refused the credentials with error {code}: {message:?}")]
pub struct Refusal {
    /// Kafka's error code; 0 where a token was refused by a document instead.
    pub code: i16,
    /// The broker's reason, which may be empty.
    pub message: String,
}

/// What an answer says, behind its correlation id.
pub(super) fn outcome(request: Request, answer: &[u8]) -> SaslOutcome {
    parse(request, answer).unwrap_or(SaslOutcome::Other)
}

/// With SASL/OAUTHBEARER a token is refused without an error: by a JSON
/// document where other mechanisms have nothing, or anything but a brace.
fn parse(request: Request, mut answer: &[u8]) -> Option<SaslOutcome> {
    let bytes = &mut answer;
    let is_handshake = request.api == SASL_HANDSHAKE;
    let is_flexible = !is_handshake && request.version >= 2;
    if is_flexible {
        // The header's: none are defined.
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
    // Version 0 ends before it.
    let session_lifetime_ms = u64::try_from(bytes.try_get_i64().ok()?).ok()?;
    (!is_handshake && session_lifetime_ms > 0)
        .then(|| SaslOutcome::Authenticated(Duration::from_millis(session_lifetime_ms)))
}

/// So much of a broker's reason is repeated.
const MESSAGE_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::request::SASL_AUTHENTICATE;

    fn said(api: i16, version: i16, answer: &[u8]) -> SaslOutcome {
        let request = Request {
            api,
            version,
            correlation_id: 1,
        };
        outcome(request, answer)
    }

    /// The refusal in an answer.
    fn check(api: i16, version: i16, answer: &[u8]) -> Option<(i16, String)> {
        match said(api, version, answer) {
            SaslOutcome::Refused(refusal) => Some((refusal.code, refusal.message)),
            SaslOutcome::Authenticated(_) | SaslOutcome::Other => None,
        }
    }

    #[test]
    fn a_mechanism_that_the_broker_lacks_is_refused_by_the_handshake() {
        let plain = b"\0\0\0\x01\0\x05PLAIN";
        let answer = |code: &[u8]| [code, plain].concat();
        assert_eq!(check(SASL_HANDSHAKE, 1, &answer(b"\0\0")), None);
        assert_eq!(
            check(SASL_HANDSHAKE, 1, &answer(b"\0\x21")),
            Some((33, String::new()))
        );
    }

    #[test]
    fn wrong_credentials_are_refused_in_the_brokers_words() {
        let refused = Some((58, "wrong".to_owned()));
        let check = |version, answer: &[u8]| check(SASL_AUTHENTICATE, version, answer);
        assert_eq!(check(0, b"\0\x3a\0\x05wrong\0\0\0\0"), refused);
        assert_eq!(
            check(1, b"\0\x3a\0\x05wrong\0\0\0\0\0\0\0\0\0\0\0\0"),
            refused
        );
        assert_eq!(
            check(2, b"\0\0\x3a\x06wrong\x01\0\0\0\0\0\0\0\0\0"),
            refused
        );
        // What ends too early has no reason, and is a refusal all the same.
        assert_eq!(check(2, b"\0\0\x3a\x06wr"), Some((58, String::new())));
        assert_eq!(
            check(1, b"\0\x3a\xff\xff\0\0\0\0"),
            Some((58, String::new()))
        );
    }

    #[test]
    fn a_token_is_refused_by_a_document_where_there_is_no_error() {
        let status = r#"{"status":"invalid_token"}"#;
        let answer = [b"\0\0\0\0\x1b", status.as_bytes()].concat();
        assert_eq!(
            check(SASL_AUTHENTICATE, 2, &answer),
            Some((0, status.to_owned()))
        );
    }

    #[test]
    fn a_session_that_ends_says_when() {
        let minute = || SaslOutcome::Authenticated(Duration::from_mins(1));
        let check = |version, answer: &[u8]| said(SASL_AUTHENTICATE, version, answer);
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
        // A handshake lists mechanisms in that place.
        let plain = b"\0\0\0\0\0\x01\0\x05PLAIN";
        assert_eq!(said(SASL_HANDSHAKE, 1, plain), SaslOutcome::Other);
    }

    #[test]
    fn what_goes_on_or_is_accepted_is_no_refusal() {
        let check = |version, answer: &[u8]| check(SASL_AUTHENTICATE, version, answer);
        assert_eq!(check(2, b"\0\0\0\0\x07r=nonce\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(check(2, b"\0\0\0\0\x01\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(check(1, b"\0\0\xff\xff\0\0\0\0"), None);
        assert_eq!(check(1, b""), None);
    }

    #[test]
    fn a_long_reason_is_cut_off() {
        let long = "long".repeat(5_000);
        let length = u16::try_from(long.len()).unwrap().to_be_bytes();
        let answer = [b"\0\x3a", &length[..], long.as_bytes(), &[0; 12]].concat();
        let told = check(SASL_AUTHENTICATE, 1, &answer);
        assert_eq!(told, Some((58, long[..MESSAGE_BYTES_MAX].to_owned())));
        // Its length is 20,001, as a varint.
        let flexible = [b"\0\0\x3a\xa1\x9c\x01", long.as_bytes(), &[1]].concat();
        assert_eq!(check(SASL_AUTHENTICATE, 2, &flexible), told);
    }
}
