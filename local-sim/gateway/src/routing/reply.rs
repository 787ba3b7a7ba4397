//! Strictly parses a function's reply in the format of a Lambda proxy integration.
//!
//! An unknown key, a missing `statusCode` or a body that is not a string makes a reply malformed,
//! as reported in `middyjs/middy#1219` and `architect/architect#1093`.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Unexpected, Visitor},
};
use thiserror::Error;

use crate::limits::MESSAGE_BYTES_MAX;

type Headers = Option<serde_json::Map<String, serde_json::Value>>;

/// A valid reply.
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
    /// Parses a reply.
    ///
    /// # Errors
    /// The reply is malformed.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, ReplyError> {
        let found = match payload.trim_ascii_start().first() {
            Some(b'{') => return Ok(serde_json::from_slice(payload)?),
            None => "empty",
            Some(b'n') => "null",
            Some(b'"') => "a string",
            Some(b'[') => "an array",
            Some(_) => "another value",
        };
        Err(ReplyError::NoObject(found))
    }

    /// Whether the reply accepts a handshake.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status_code)
    }

    /// Whether the reply has a non-empty body.
    pub(crate) fn has_body(&self) -> bool {
        self.body.as_ref().is_some_and(|body| !body.is_empty())
    }

    /// The decoded body for the client; empty if the reply has no body.
    ///
    /// # Errors
    /// The body is not valid base64 although `isBase64Encoded` is true, or it is longer than a
    /// message may be.
    pub(crate) fn into_text(self) -> Result<String, ReplyError> {
        let body = self.body.unwrap_or_default();
        let text = if self.is_base64_encoded == Some(true) {
            let bytes = STANDARD.decode(body).map_err(ReplyError::Base64)?;
            // The client receives a text frame, so invalid UTF-8 is replaced.
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            body
        };
        match text.len() {
            ..=MESSAGE_BYTES_MAX => Ok(text),
            bytes => Err(ReplyError::TooLong(bytes)),
        }
    }

    /// The value of `Sec-WebSocket-Protocol`, the only header that the gateway forwards.
    ///
    /// The name may be in any case. If there are several values, the first one is used.
    pub(crate) fn sub_protocol(&self) -> Option<&str> {
        let single = self.headers.iter().flatten();
        let multi = self.multi_value_headers.iter().flatten();
        single
            .chain(multi)
            .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))
            .and_then(|(_, value)| value.as_str().or_else(|| value.get(0)?.as_str()))
    }
}

/// Why a reply is malformed.
#[derive(Debug, Error)]
pub(crate) enum ReplyError {
    #[error("the reply is {0}, not a JSON object")]
    NoObject(&'static str),
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    #[error("isBase64Encoded is true, but the body is not valid base64: {0}")]
    Base64(base64::DecodeError),
    #[error("the body of {0} bytes exceeds the message limit of {MESSAGE_BYTES_MAX} bytes")]
    TooLong(usize),
}

/// Accepts an integer or a string of its digits: AWS's own blueprints reply with `"200"`.
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
    fn a_reply_needs_only_a_status_code() {
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
                .starts_with("isBase64Encoded is true, but the body is not valid base64")
        );
    }

    #[test]
    fn a_body_must_not_be_longer_than_a_message() {
        let check = |body: &str, is_base64_encoded| {
            let reply =
                json!({"statusCode": 200, "body": body, "isBase64Encoded": is_base64_encoded});
            let text = Reply::parse(reply.to_string().as_bytes()).and_then(Reply::into_text);
            text.map(|text| text.len())
                .map_err(|error| error.to_string())
        };
        let too_long = |bytes| {
            Err(format!(
                "the body of {bytes} bytes exceeds the message limit of 131072 bytes"
            ))
        };
        assert_eq!(check(&"x".repeat(131_072), false), Ok(131_072));
        assert_eq!(check(&"x".repeat(131_073), false), too_long(131_073));
        assert_eq!(check(&STANDARD.encode([b'x'; 131_072]), true), Ok(131_072));
        // Each invalid byte becomes a character of three bytes.
        assert_eq!(
            check(&STANDARD.encode([0xff; 50_000]), true),
            too_long(150_000)
        );
    }

    #[test]
    fn the_error_names_what_the_reply_is_instead_of_an_object() {
        for (payload, found) in [
            ("", "empty"),
            ("null", "null"),
            (r#""hi""#, "a string"),
            (" [200]", "an array"),
            ("5", "another value"),
        ] {
            let expected = format!("the reply is {found}, not a JSON object");
            assert_eq!(error(payload), expected);
        }
    }

    #[test]
    fn the_error_names_the_invalid_key() {
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
    fn the_subprotocol_header_is_found_in_any_case() {
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
