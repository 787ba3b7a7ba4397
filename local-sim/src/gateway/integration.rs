//! What comes back from a function: the proxy reply, strictly read, and the frames for a failure.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::id::Id;

/// A function's reply in the form that a Lambda proxy integration must have.
///
/// An unknown key, a missing `statusCode` or a body that is no string makes the reply malformed, as reported in
/// `middyjs/middy#1219` and `architect/architect#1093`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Reply {
    pub(super) status_code: u16,
    #[serde(default)]
    headers: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    multi_value_headers: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Reply {
    /// Reads a reply.
    ///
    /// # Errors
    /// What is wrong with it, for the developer.
    pub(super) fn parse(payload: &[u8]) -> Result<Self, serde_json::Error> {
        if payload.trim_ascii_start().first() != Some(&b'{') {
            return Err(serde::de::Error::custom("the reply is no object"));
        }
        serde_json::from_slice(payload)
    }

    /// Whether a handshake is accepted by it.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status_code)
    }

    /// The text for the client of a route with a route response; empty where the reply has no body.
    pub(super) fn into_text(self) -> String {
        let body = self.body.unwrap_or_default();
        if !self.is_base64_encoded {
            return body;
        }
        match STANDARD.decode(&body) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => body,
        }
    }

    /// The one header that the gateway forwards.
    pub(super) fn sub_protocol(&self) -> Option<&str> {
        let single = self.headers.iter().flatten();
        let multi = self.multi_value_headers.iter().flatten();
        single
            .chain(multi)
            .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))
            .and_then(|(_, value)| value.as_str().or_else(|| value.get(0)?.as_str()))
    }
}

/// Why a message has no reply, as the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The function failed, or answered with something that is no proxy reply, or may not be invoked.
    InternalServerError,
    /// The integration's timeout has passed; the function runs on.
    EndpointRequestTimedOut,
    /// No route takes the message.
    Forbidden,
}

impl Failure {
    /// The frame that says so.
    pub(super) fn frame(self, connection_id: &Id, request_id: &Id) -> String {
        let message = match self {
            Self::InternalServerError => "Internal server error",
            Self::EndpointRequestTimedOut => "Endpoint request timed out",
            Self::Forbidden => "Forbidden",
        };
        error_frame(message, connection_id, request_id)
    }
}

/// An error frame, byte for byte: mind the blanks.
pub(super) fn error_frame(message: &str, connection_id: &Id, request_id: &Id) -> String {
    let message = serde_json::Value::from(message);
    format!(
        r#"{{"message": {message}, "connectionId":"{connection_id}", "requestId":"{request_id}"}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(payload: &str) -> Option<String> {
        Reply::parse(payload.as_bytes()).ok().map(Reply::into_text)
    }

    #[test]
    fn a_body_is_the_reply() {
        assert_eq!(
            text(r#"{"statusCode":200,"body":"hi"}"#).as_deref(),
            Some("hi")
        );
        assert_eq!(
            text(r#"{"statusCode":500,"body":"no"}"#).as_deref(),
            Some("no")
        );
        assert_eq!(text(r#"{"statusCode":200}"#).as_deref(), Some(""));
        assert_eq!(
            text(r#"{"statusCode":200,"body":null}"#).as_deref(),
            Some("")
        );
        assert_eq!(
            text(r#"{"statusCode":200,"body":"aGk=","isBase64Encoded":true}"#).as_deref(),
            Some("hi")
        );
    }

    #[test]
    fn anything_else_is_malformed() {
        for payload in ["", "null", "5", r#""hi""#, "[]", "[200]", "{}"] {
            assert_eq!(text(payload), None, "{payload}");
        }
        assert_eq!(text(r#"{"body":"hi"}"#), None);
        assert_eq!(text(r#"{"statusCode":200,"Data":1}"#), None);
        assert_eq!(text(r#"{"statusCode":200,"body":{"a":1}}"#), None);
        assert_eq!(text(r#"{"statusCode":"ok"}"#), None);
    }

    #[test]
    fn a_sub_protocol_is_found_in_any_case() {
        let check = |payload: &str| {
            Reply::parse(payload.as_bytes())
                .unwrap()
                .sub_protocol()
                .map(str::to_owned)
        };
        let expected = Some("chat".to_owned());
        assert_eq!(
            check(r#"{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"chat"}}"#),
            expected
        );
        assert_eq!(
            check(r#"{"statusCode":200,"headers":{"sec-websocket-protocol":"chat"}}"#),
            expected
        );
        assert_eq!(
            check(r#"{"statusCode":200,"multiValueHeaders":{"Sec-WebSocket-Protocol":["chat"]}}"#),
            expected
        );
        assert_eq!(check(r#"{"statusCode":200,"headers":{"X":"chat"}}"#), None);
    }

    #[test]
    fn an_error_frame_has_the_observed_bytes() {
        let id = Id::parse("Ab1cDeFgIAMCJ-g=").unwrap();
        let request = Id::parse("Ab1cEHijoAMFT2A=").unwrap();
        assert_eq!(
            Failure::InternalServerError.frame(&id, &request),
            r#"{"message": "Internal server error", "connectionId":"Ab1cDeFgIAMCJ-g=", "requestId":"Ab1cEHijoAMFT2A="}"#
        );
    }
}
