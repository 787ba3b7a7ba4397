//! Error responses of `@connections`, with the reasons for the log.

use bytes::Bytes;
use hyper::{
    Method, StatusCode,
    header::{HeaderValue, UPGRADE},
};
use tracing::warn;

use crate::{
    connection::outbound::PostError,
    id::Id,
    limits::{MESSAGE_BYTES_MAX, throttle::Throttled},
    management::response::{self, HttpResponse},
    signature::error::SignatureError,
};

/// A refused request.
#[derive(Debug)]
pub(crate) struct ManagementRefusal {
    status: StatusCode,
    error_type: &'static str,
    /// The message for the client. Without one, the body is empty rather than JSON.
    message: Option<String>,
    why: String,
}

impl ManagementRefusal {
    fn new(status: StatusCode, error_type: &'static str, message: &str, why: String) -> Self {
        Self {
            status,
            error_type,
            message: Some(message.to_owned()),
            why,
        }
    }

    fn empty(status: StatusCode, error_type: &'static str, why: String) -> Self {
        Self {
            status,
            error_type,
            message: None,
            why,
        }
    }

    /// The path does not belong to this API and stage.
    pub(crate) fn forbidden(why: String) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "ForbiddenException",
            "Forbidden",
            why,
        )
    }

    /// The path is below `@connections`, but no resource there has this path and method.
    pub(crate) fn no_route(route: &str, method: &Method) -> Self {
        let message = format!("No method found matching route {route} for http method {method}.");
        let why = "expected POST, GET or DELETE of @connections/{connectionId}".to_owned();
        Self::new(StatusCode::FORBIDDEN, "ForbiddenException", &message, why)
    }

    /// The path is the WebSocket path, but the request does not ask for an upgrade.
    pub(crate) fn upgrade_required() -> Self {
        let status = StatusCode::UPGRADE_REQUIRED;
        let why = "the request has no `Upgrade: websocket`".to_owned();
        Self::new(status, "BadRequestException", "Upgrade Required", why)
    }

    /// The body is longer than a message may be.
    pub(crate) fn too_large() -> Self {
        let message = format!("the message is longer than {MESSAGE_BYTES_MAX} bytes");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(
            status,
            "PayloadTooLargeException",
            &message,
            message.clone(),
        )
    }

    /// The body is incomplete, or it is not valid UTF-8 and the options refuse that.
    pub(crate) fn unreadable(why: String) -> Self {
        let message = format!("cannot read the body: {why}");
        Self::new(
            StatusCode::BAD_REQUEST,
            "BadRequestException",
            &message,
            why,
        )
    }

    /// The text does not have the format of a connection id.
    pub(crate) fn malformed_id(id: &str) -> Self {
        let message = format!("Invalid connectionId: {id}");
        let why = if id.contains('%') {
            format!("the connection id {id:?} is percent-encoded twice")
        } else {
            format!("{id:?} is not a connection id (15 characters and `=`)")
        };
        Self::new(
            StatusCode::BAD_REQUEST,
            "BadRequestException",
            &message,
            why,
        )
    }

    /// The connection is not open: not yet, no longer, or it never existed.
    pub(crate) fn gone(id: &Id, is_connecting: bool) -> Self {
        let why = if is_connecting {
            format!("{id} is not open yet: its $connect has not replied")
        } else {
            format!("{id} is not open: it was closed or never existed")
        };
        Self::empty(StatusCode::GONE, "GoneException", why)
    }

    /// The request exceeds the account quota.
    #[expect(clippy::needless_pass_by_value, reason = "passed to `map_err`")]
    pub(crate) fn throttled(throttled: Throttled) -> Self {
        Self::limit_exceeded(throttled.to_string())
    }

    /// The message cannot be queued.
    pub(crate) fn of_post(id: &Id, error: PostError) -> Self {
        match error {
            PostError::Full => {
                Self::limit_exceeded(format!("{id} reads too slowly: its outbound queue is full"))
            }
            PostError::Gone => Self::gone(id, false),
        }
    }

    fn limit_exceeded(why: String) -> Self {
        Self::empty(StatusCode::TOO_MANY_REQUESTS, "LimitExceededException", why)
    }

    /// Logs the reason.
    pub(crate) fn log(&self, method: &Method, path: &str) {
        let status = self.status.as_u16();
        warn!("{method} {path} refused with {status}: {}", self.why);
    }

    /// The response for the client.
    pub(crate) fn to_response(&self) -> HttpResponse {
        let mut response = match &self.message {
            Some(message) => {
                response::json(self.status, &serde_json::json!({ "message": message }))
            }
            None => response::with_body(self.status, Bytes::new()),
        };
        let headers = response.headers_mut();
        headers.insert(ERROR_TYPE, HeaderValue::from_static(self.error_type));
        if self.status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        response
    }
}

impl From<SignatureError> for ManagementRefusal {
    fn from(error: SignatureError) -> Self {
        // After the first line, the message may contain the expected canonical request, in many
        // lines.
        let why = error.message.lines().next().unwrap_or_default().to_owned();
        Self::new(StatusCode::FORBIDDEN, error.error_type, &error.message, why)
    }
}

/// The header that tells AWS's clients the type of an error.
const ERROR_TYPE: &str = "x-amzn-errortype";
