//! What a broker says about credentials, in the answers to SaslHandshake and
//! SaslAuthenticate.

use super::{
    requests::{Request, SASL_HANDSHAKE},
    seen::Refusal,
};

/// The refusal in an answer that begins so, behind its correlation id.
///
/// With SASL/OAUTHBEARER a token is refused without an error: by a JSON
/// document where other mechanisms have nothing, or anything but a brace.
pub(super) fn refusal(request: Request, start: &[u8]) -> Option<Refusal> {
    let is_handshake = request.api == SASL_HANDSHAKE;
    let is_flexible = !is_handshake && request.version >= 2;
    let mut fields = Fields { rest: start };
    if is_flexible {
        // The header's tagged fields: none are defined.
        fields.varint()?;
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
    let text = message.or(challenge).unwrap_or_default();
    (code != 0 || challenge.is_some()).then(|| Refusal {
        code,
        message: String::from_utf8_lossy(text).into_owned(),
    })
}

/// The fields of an answer, whose end may be cut off.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (field, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        field
    }

    fn int16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2).try_into().ok()?))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.int16()?).ok()?;
        Some(self.take(len))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = i32::from_be_bytes(self.take(4).try_into().ok()?);
        Some(self.take(usize::try_from(len).ok()?))
    }

    /// A length that counts itself, and so many bytes; 0 is null.
    fn compact(&mut self) -> Option<&'a [u8]> {
        let len = self.varint()?.checked_sub(1)?;
        Some(self.take(len))
    }

    /// Lengths of up to two bytes: more is more than was kept of the answer.
    fn varint(&mut self) -> Option<usize> {
        let first = usize::from(*self.take(1).first()?);
        if first < 0x80 {
            return Some(first);
        }
        let second = usize::from(*self.take(1).first()?);
        (second < 0x80).then_some(first & 0x7f | second << 7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::requests::SASL_AUTHENTICATE;

    fn check(api: i16, version: i16, answer: &[u8]) -> Option<(i16, String)> {
        let request = Request {
            api,
            version,
            correlation_id: 1,
        };
        refusal(request, answer).map(|refusal| (refusal.code, refusal.message))
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
    fn what_goes_on_or_is_accepted_is_no_refusal() {
        let check = |version, answer: &[u8]| check(SASL_AUTHENTICATE, version, answer);
        assert_eq!(check(2, b"\0\0\0\0\x07r=nonce\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(check(2, b"\0\0\0\0\x01\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(check(1, b"\0\0\xff\xff\0\0\0\0"), None);
        assert_eq!(check(1, b""), None);
    }
}
