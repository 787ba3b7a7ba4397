//! The console's responses: JSON, an error, or a stream of events.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    body::Body,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;

/// A response with a complete body or with a stream.
pub(super) type ApiResponse = Response<Either<Full<Bytes>, UnsyncBoxBody<Bytes, Infallible>>>;

/// A 200 response with a JSON value.
pub(super) fn ok(value: &impl Serialize) -> ApiResponse {
    json(StatusCode::OK, value)
}

/// A 200 response with a stream of server-sent events.
pub(super) fn events(
    stream: impl Body<Data = Bytes, Error = Infallible> + Send + 'static,
) -> ApiResponse {
    let mut response = Response::new(Either::Right(stream.boxed_unsync()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Why a request was refused: its status and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    status: StatusCode,
    message: String,
    allow: Option<&'static str>,
}

impl ApiError {
    /// Creates an error with this status and message.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            allow: None,
        }
    }

    /// 405: the path accepts only the methods in `allow`.
    pub(super) fn method(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("method not allowed (use {allow})"),
            )
        }
    }

    /// Returns the response, whose body is `{"message":"…"}`.
    pub(super) fn response(&self) -> ApiResponse {
        let mut response = json(self.status, &serde_json::json!({ "message": self.message }));
        if let Some(allow) = self.allow {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> ApiResponse {
    let mut body = serde_json::to_vec(value).expect("strings and numbers serialize to JSON");
    // Keeps the prompt of a terminal on its own line.
    body.push(b'\n');
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
