//! Successful responses of `@connections`.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;

use crate::{connection::Connection, time::iso_8601};

/// A whole response.
pub(crate) type HttpResponse = Response<Full<Bytes>>;

/// The message is queued. The client may not receive it.
pub(crate) fn accepted() -> HttpResponse {
    with_body(StatusCode::OK, Bytes::new())
}

/// The connection is being closed.
pub(crate) fn no_content() -> HttpResponse {
    with_body(StatusCode::NO_CONTENT, Bytes::new())
}

/// Describes a connection.
pub(crate) fn description(connection: &Connection) -> HttpResponse {
    let caller = &connection.caller;
    json(
        StatusCode::OK,
        &Description {
            connected_at: iso_8601(caller.connected_at),
            identity: Identity {
                source_ip: &caller.source_ip,
                user_agent: caller.user_agent.as_deref(),
            },
            last_active_at: iso_8601(connection.last_active_at()),
        },
    )
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    connected_at: String,
    identity: Identity<'a>,
    last_active_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    source_ip: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
}

/// A response with a JSON body.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> HttpResponse {
    let body = serde_json::to_vec(value).expect("strings always serialize");
    let mut response = with_body(status, body.into());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A response with a body.
pub(crate) fn with_body(status: StatusCode, body: Bytes) -> HttpResponse {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}
