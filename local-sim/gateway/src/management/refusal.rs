//! What `@connections` answers otherwise: what the client is told, and why, for the developer.

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

/// A request that is not carried out.
#[derive(Debug)]
pub(crate) struct ManagementRefusal {
    status: StatusCode,
    error_type: &'static str,
    /// What the client is told; without it the body is empty, which is not even JSON.
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

    /// The path is not of this API and stage.
    pub(crate) fn forbidden(why: String) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "ForbiddenException",
            "Forbidden",
            why,
        )
    }

    /// The path is below `@connections`, but names nothing there, or takes no such method.
    pub(crate) fn no_route(route: &str, method: &Method) -> Self {
        let message = format!("No method found matching route {route} for http method {method}.");
        let why = "expected POST, GET or DELETE of @connections/{connectionId}".to_owned();
        Self::new(StatusCode::FORBIDDEN, "ForbiddenException", &message, why)
    }

    /// A WebSocket can be opened there, which is not asked for.
    pub(crate) fn upgrade_required() -> Self {
        let status = StatusCode::UPGRADE_REQUIRED;
        let why = "a WebSocket is opened with `Upgrade: websocket`".to_owned();
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

    /// The body did not come whole, or is no text where it must be.
    pub(crate) fn unreadable(why: String) -> Self {
        let message = format!("the body cannot be read: {why}");
        Self::new(
            StatusCode::BAD_REQUEST,
            "BadRequestException",
            &message,
            why,
        )
    }

    /// This is not in the form of an id.
    pub(crate) fn malformed_id(id: &str) -> Self {
        let message = format!("Invalid connectionId: {id}");
        let why = if id.contains('%') {
            format!("{id:?} is an id that was percent-encoded twice")
        } else {
            format!("{id:?} is no id, which has 15 characters and a `=`")
        };
        Self::new(
            StatusCode::BAD_REQUEST,
            "BadRequestException",
            &message,
            why,
        )
    }

    /// There is no such connection, any more or yet.
    pub(crate) fn gone(id: &Id, is_connecting: bool) -> Self {
        let why = if is_connecting {
            format!("{id} is not open before its $connect has replied")
        } else {
            format!("{id} is not open: it has been closed, or never was here")
        };
        Self::empty(StatusCode::GONE, "GoneException", why)
    }

    /// More requests than the account may make.
    #[expect(clippy::needless_pass_by_value, reason = "the error of a `map_err`")]
    pub(crate) fn throttled(throttled: Throttled) -> Self {
        Self::limit_exceeded(throttled.to_string())
    }

    /// A message cannot be queued.
    pub(crate) fn of_post(id: &Id, error: PostError) -> Self {
        match error {
            PostError::Full => Self::limit_exceeded(format!(
                "{id} reads too slowly: what was posted before has not been read yet"
            )),
            PostError::Gone => Self::gone(id, false),
        }
    }

    fn limit_exceeded(why: String) -> Self {
        Self::empty(StatusCode::TOO_MANY_REQUESTS, "LimitExceededException", why)
    }

    /// Says on the log why.
    pub(crate) fn log(&self, method: &Method, path: &str) {
        let status = self.status.as_u16();
        warn!("{method} {path} refused with {status}: {}", self.why);
    }

    /// What the client gets.
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
        // The message may go on with what should have been signed, in many lines.
        let why = error.message.lines().next().unwrap_or_default().to_owned();
        Self::new(StatusCode::FORBIDDEN, error.error_type, &error.message, why)
    }
}

/// The header by which AWS's clients tell errors apart.
const ERROR_TYPE: &str = "x-amzn-errortype";
