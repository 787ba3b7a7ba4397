//! What a broker says about credentials, in the answers to SaslHandshake and
//! SaslAuthenticate.

use std::time::Duration;

use super::{
    fields::Fields,
    requests::{Request, SASL_HANDSHAKE},
    seen::Refusal,
};

/// What an answer about credentials says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// They are not taken.
    Refused(Refusal),
    /// They are, and the connection is closed after this time (KIP-368).
    Authenticated(Duration),
    /// Nothing, or that it goes on.
    Other,
}

/// What an answer says that begins so, behind its correlation id.
pub(super) fn word(request: Request, start: &[u8]) -> Word {
    parse(request, Fields::new(start)).unwrap_or(Word::Other)
}

/// With SASL/OAUTHBEARER a token is refused without an error: by a JSON
/// document where other mechanisms have nothing, or anything but a brace.
fn parse(request: Request, mut fields: Fields<'_>) -> Option<Word> {
    let is_handshake = request.api == SASL_HANDSHAKE;
    let is_flexible = !is_handshake && request.version >= 2;
    if is_flexible {
        // The header's: none are defined.
        fields.skip_tagged()?;
    }
    let code = fields.int16()?;
    let (message, challenge) = if is_handshake {
        (None, None)
    } else if is_flexible {
        (fields.compact(), fields.compact())
    } else {
        (fields.string(), fields.bytes())
    };
    let challenge = challenge.filter(|challenge| challenge.starts_with(b"{"));
    if code != 0 || challenge.is_some() {
        let text = message.or(challenge).unwrap_or_default();
        return Some(Word::Refused(Refusal {
            code,
            message: String::from_utf8_lossy(text).into_owned(),
        }));
    }
    // Version 0 ends before it.
    let session_lifetime_ms = u64::try_from(fields.int64()?).ok()?;
    (!is_handshake && session_lifetime_ms > 0)
        .then(|| Word::Authenticated(Duration::from_millis(session_lifetime_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::requests::SASL_AUTHENTICATE;

    fn said(api: i16, version: i16, answer: &[u8]) -> Word {
        let request = Request {
            api,
            version,
            correlation_id: 1,
        };
        word(request, answer)
    }

    /// The refusal in an answer.
    fn check(api: i16, version: i16, answer: &[u8]) -> Option<(i16, String)> {
        match said(api, version, answer) {
            Word::Refused(refusal) => Some((refusal.code, refusal.message)),
            Word::Authenticated(_) | Word::Other => None,
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
        assert_eq!(check(2, b"\0\0\x3a\x06wr"), Some((58, "wr".to_owned())));
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
        let minute = || Word::Authenticated(Duration::from_mins(1));
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
            assert_eq!(check(1, endless), Word::Other);
        }
        assert_eq!(check(0, b"\0\0\xff\xff\0\0\0\0"), Word::Other);
        // A handshake lists mechanisms in that place.
        let plain = b"\0\0\0\0\0\x01\0\x05PLAIN";
        assert_eq!(said(SASL_HANDSHAKE, 1, plain), Word::Other);
    }

    #[test]
    fn what_goes_on_or_is_accepted_is_no_refusal() {
        let check = |version, answer: &[u8]| check(SASL_AUTHENTICATE, version, answer);
        assert_eq!(check(2, b"\0\0\0\0\x07r=nonce\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(check(2, b"\0\0\0\0\x01\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(check(1, b"\0\0\xff\xff\0\0\0\0"), None);
        assert_eq!(check(1, b""), None);
    }
}
