//! A function's reply in the form that a Lambda proxy integration must have, strictly read.
//!
//! An unknown key, a missing `statusCode` or a body that is no text makes it malformed, as reported in
//! `middyjs/middy#1219` and `architect/architect#1093`.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Unexpected, Visitor},
};
use thiserror::Error;

use crate::limits::MESSAGE_BYTES_MAX;

type Headers = Option<serde_json::Map<String, serde_json::Value>>;

/// A reply.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Reply {
    #[serde(deserialize_with = "status_code")]
    pub(crate) status_code: u16,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    multi_value_headers: Headers,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

impl Reply {
    /// Reads a reply.
    ///
    /// # Errors
    /// What is wrong with it, for the developer.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, ReplyError> {
        let found = match payload.trim_ascii_start().first() {
            Some(b'{') => return Ok(serde_json::from_slice(payload)?),
            None => "nothing",
            Some(b'n') => "null",
            Some(b'"') => "a text",
            Some(b'[') => "a list",
            Some(_) => "no object",
        };
        Err(ReplyError::NoObject(found))
    }

    /// Whether a handshake is accepted by it.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status_code)
    }

    /// Whether there is something in it for a client.
    pub(crate) fn has_body(&self) -> bool {
        self.body.as_ref().is_some_and(|body| !body.is_empty())
    }

    /// The text for the client of a route with a route response; empty where the reply has no body.
    ///
    /// # Errors
    /// The body is said to be base64, and is not; or it is longer than a message may be.
    pub(crate) fn into_text(self) -> Result<String, ReplyError> {
        let body = self.body.unwrap_or_default();
        let text = if self.is_base64_encoded == Some(true) {
            let bytes = STANDARD.decode(body).map_err(ReplyError::Base64)?;
            // A text frame, whatever the bytes are.
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            body
        };
        match text.len() {
            ..=MESSAGE_BYTES_MAX => Ok(text),
            bytes => Err(ReplyError::TooLong(bytes)),
        }
    }

    /// The one header that the gateway forwards: its name in any case, with one value or several, of which the
    /// first counts.
    pub(crate) fn sub_protocol(&self) -> Option<&str> {
        let single = self.headers.iter().flatten();
        let multi = self.multi_value_headers.iter().flatten();
        single
            .chain(multi)
            .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))
            .and_then(|(_, value)| value.as_str().or_else(|| value.get(0)?.as_str()))
    }
}

/// What is wrong with a reply.
#[derive(Debug, Error)]
pub(crate) enum ReplyError {
    #[error("it is {0}")]
    NoObject(&'static str),
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    #[error("isBase64Encoded is true, and the body is no base64: {0}")]
    Base64(base64::DecodeError),
    #[error("the body has {0} bytes, and a message has at most {MESSAGE_BYTES_MAX}")]
    TooLong(usize),
}

/// A whole number, or the digits of one: AWS's own blueprints reply with `"200"`.
fn status_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    struct StatusCode;
    impl Visitor<'_> for StatusCode {
        type Value = u16;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a statusCode of 100 to 599")
        }

        fn visit_u64<E: serde::de::Error>(self, code: u64) -> Result<u16, E> {
            match u16::try_from(code) {
                Ok(code @ 100..=599) => Ok(code),
                _ => Err(E::invalid_value(Unexpected::Unsigned(code), &self)),
            }
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u16, E> {
            match text.parse() {
                Ok(code) => self.visit_u64(code),
                Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
            }
        }
    }
    deserializer
        .deserialize_any(StatusCode)
        .map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(payload: &str) -> Option<String> {
        Reply::parse(payload.as_bytes()).ok()?.into_text().ok()
    }

    fn error(payload: &str) -> String {
        let read = Reply::parse(payload.as_bytes()).and_then(Reply::into_text);
        read.unwrap_err().to_string()
    }

    #[test]
    fn a_reply_may_have_nothing_but_a_status_code() {
        assert_eq!(text(r#"{"statusCode":200}"#).as_deref(), Some(""));
        assert_eq!(text(r#"{"statusCode":"200"}"#).as_deref(), Some(""));
        assert_eq!(
            text(r#"{"statusCode":500,"body":"no"}"#).as_deref(),
            Some("no")
        );
        let nulls = r#"{"statusCode":200,"headers":null,"multiValueHeaders":null,"body":null,"isBase64Encoded":null}"#;
        assert_eq!(text(nulls).as_deref(), Some(""));
    }

    #[test]
    fn an_encoded_body_is_decoded() {
        let encoded =
            |body: &str| format!(r#"{{"statusCode":200,"body":"{body}","isBase64Encoded":true}}"#);
        assert_eq!(text(&encoded("aGk=")).as_deref(), Some("hi"));
        assert_eq!(text(&encoded("/w==")).as_deref(), Some("\u{fffd}"));
        assert!(
            error(&encoded("hi!"))
                .starts_with("isBase64Encoded is true, and the body is no base64")
        );
    }

    #[test]
    fn a_body_is_no_longer_than_a_message() {
        let check = |body: &str, is_base64_encoded| {
            let reply =
                json!({"statusCode": 200, "body": body, "isBase64Encoded": is_base64_encoded});
            let text = Reply::parse(reply.to_string().as_bytes()).and_then(Reply::into_text);
            text.map(|text| text.len())
                .map_err(|error| error.to_string())
        };
        let too_long = |bytes| {
            Err(format!(
                "the body has {bytes} bytes, and a message has at most 131072"
            ))
        };
        assert_eq!(check(&"x".repeat(131_072), false), Ok(131_072));
        assert_eq!(check(&"x".repeat(131_073), false), too_long(131_073));
        assert_eq!(check(&STANDARD.encode([b'x'; 131_072]), true), Ok(131_072));
        // Each byte that is no text becomes a character of three.
        assert_eq!(
            check(&STANDARD.encode([0xff; 50_000]), true),
            too_long(150_000)
        );
    }

    #[test]
    fn what_is_no_object_is_named() {
        for (payload, found) in [
            ("", "nothing"),
            ("null", "null"),
            (r#""hi""#, "a text"),
            (" [200]", "a list"),
            ("5", "no object"),
        ] {
            assert_eq!(error(payload), format!("it is {found}"));
        }
    }

    #[test]
    fn the_key_that_is_wrong_is_named() {
        for (payload, named) in [
            ("{}", "missing field `statusCode`"),
            (r#"{"body":"hi"}"#, "missing field `statusCode`"),
            (r#"{"statusCode":200,"Data":1}"#, "unknown field `Data`"),
            (
                r#"{"statusCode":200,"cookies":[]}"#,
                "unknown field `cookies`",
            ),
            (
                r#"{"statusCode":200,"body":{"a":1}}"#,
                "invalid type: map, expected a string",
            ),
            (
                r#"{"statusCode":200,"body":5}"#,
                "invalid type: integer `5`, expected a string",
            ),
            (
                r#"{"statusCode":"ok"}"#,
                r#"string "ok", expected a statusCode of 100 to 599"#,
            ),
            (r#"{"statusCode":0}"#, "integer `0`, expected a statusCode"),
            (r#"{"statusCode":null}"#, "null, expected a statusCode"),
            (
                r#"{"statusCode":200,"headers":[]}"#,
                "invalid type: sequence, expected",
            ),
            (r#"{"statusCode":200"#, "EOF"),
            (r#"{"statusCode":200} {}"#, "trailing characters"),
        ] {
            assert!(
                error(payload).contains(named),
                "{payload}: {}",
                error(payload)
            );
        }
    }

    #[test]
    fn a_sub_protocol_is_found_in_any_case() {
        let check = |headers: &str| {
            let payload = format!(r#"{{"statusCode":200,{headers}}}"#);
            let reply = Reply::parse(payload.as_bytes()).unwrap();
            reply.sub_protocol().map(str::to_owned)
        };
        let expected = Some("chat".to_owned());
        assert_eq!(
            check(r#""headers":{"Sec-WebSocket-Protocol":"chat"}"#),
            expected
        );
        assert_eq!(
            check(r#""headers":{"sec-websocket-protocol":"chat"}"#),
            expected
        );
        assert_eq!(
            check(r#""multiValueHeaders":{"Sec-WebSocket-Protocol":["chat"]}"#),
            expected
        );
        assert_eq!(check(r#""headers":{"X":"chat"}"#), None);
        assert_eq!(check(r#""headers":{"Sec-WebSocket-Protocol":5}"#), None);
    }
}
