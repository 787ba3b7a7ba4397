//! The answer to API Gateway and to the client.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    body::Body,
    event::{Event, Kind},
    failure::{Code, Failure},
    sink::Receipt,
};

/// The response to an invocation: a status for API Gateway, a body for the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// On `$connect`, a status other than 2xx refuses the connection.
    pub status_code: u16,
    /// The text frame that the client receives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl Response {
    /// The response to an event, with a frame if `frame_for` names its id.
    pub fn new(outcome: &Result<Receipt, Failure>, frame_for: Option<&ReplyId>) -> Self {
        Self {
            status_code: match outcome {
                Ok(_) => 200,
                Err(failure) => failure.code.status(),
            },
            body: frame_for.map(|id| frame(outcome, id)),
        }
    }
}

/// The id of a frame: the client's own id if it sent a usable one, else the message id, else none.
#[derive(Debug, Clone, Default)]
pub struct ReplyId(Option<Box<RawValue>>);

impl ReplyId {
    /// The id of the answer to this event.
    pub fn of(event: &Event) -> Self {
        match &event.kind {
            Kind::Message { id, body } => Self::new(Some(body), Some(id)),
            Kind::Connect { .. } | Kind::Disconnect { .. } => Self::default(),
        }
    }

    /// The id of a message, if it is known.
    pub fn new(body: Option<&Body>, message_id: Option<&str>) -> Self {
        let client_id = body.and_then(|body| body.client_message_id.as_ref());
        Self(match client_id {
            Some(id) => Some(id.json.clone()),
            None => message_id.and_then(|id| serde_json::value::to_raw_value(id).ok()),
        })
    }
}

/// A text frame, with its members in this order.
fn frame(outcome: &Result<Receipt, Failure>, ReplyId(id): &ReplyId) -> String {
    #[derive(Serialize)]
    #[serde(tag = "type", rename_all = "lowercase")]
    enum Frame<'a> {
        Ack {
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'a RawValue>,
        },
        Error {
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'a RawValue>,
            code: Code,
            retryable: bool,
            message: &'a str,
        },
    }

    let id = id.as_deref();
    let frame = match outcome {
        Ok(_) => Frame::Ack { id },
        Err(Failure { code, message, .. }) => Frame::Error {
            id,
            code: *code,
            retryable: code.retryable(),
            message,
        },
    };
    serde_json::to_string(&frame).expect("text is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECEIPT: Receipt = Receipt {
        partition: 0,
        offset: 0,
    };

    /// The frame that answers a message with this body and message id.
    fn check(outcome: &Result<Receipt, Failure>, body: &str, message_id: Option<&str>) -> String {
        let body = Body::new(body.into());
        let id = ReplyId::new(Some(&body), message_id);
        Response::new(outcome, Some(&id)).body.expect("a frame")
    }

    fn failure(code: Code) -> Result<Receipt, Failure> {
        Err(Failure::new(code, "it \"broke\"").because("broker b-1:9092"))
    }

    #[test]
    fn an_ack_carries_the_clients_id_as_it_was_sent() {
        let ack = |body| check(&Ok(RECEIPT), body, Some("M="));
        assert_eq!(ack(r#"{"id":"1"}"#), r#"{"type":"ack","id":"1"}"#);
        assert_eq!(ack(r#"{"id": 1.0 }"#), r#"{"type":"ack","id":1.0}"#);
        assert_eq!(
            ack(r#"{"id":"\u0061\"}"}"#),
            r#"{"type":"ack","id":"\u0061\"}"}"#
        );
    }

    #[test]
    fn without_a_usable_id_the_message_id_is_it() {
        for body in ["hello", "{}", r#"{"id":null}"#, r#"{"id":""}"#] {
            assert_eq!(
                check(&Ok(RECEIPT), body, Some("M=")),
                r#"{"type":"ack","id":"M="}"#
            );
        }
    }

    #[test]
    fn an_error_tells_what_the_client_can_do_and_not_what_lies_behind() {
        assert_eq!(
            check(&failure(Code::Unavailable), r#"{"id":"1"}"#, None),
            r#"{"type":"error","id":"1","code":"unavailable","retryable":true,"message":"it \"broke\""}"#
        );
        assert_eq!(
            check(&failure(Code::TooLarge), "", Some("M=")),
            r#"{"type":"error","id":"M=","code":"too_large","retryable":false,"message":"it \"broke\""}"#
        );
    }

    #[test]
    fn an_unknown_id_is_left_out() {
        assert_eq!(
            check(&failure(Code::BadRequest), "", None),
            r#"{"type":"error","code":"bad_request","retryable":false,"message":"it \"broke\""}"#
        );
    }

    #[test]
    fn without_a_frame_the_status_says_it_all() {
        let json = |outcome| serde_json::to_string(&Response::new(&outcome, None)).expect("JSON");
        assert_eq!(json(Ok(RECEIPT)), r#"{"statusCode":200}"#);
        assert_eq!(json(failure(Code::Unavailable)), r#"{"statusCode":503}"#);
        assert_eq!(json(failure(Code::BadRequest)), r#"{"statusCode":400}"#);
    }
}
