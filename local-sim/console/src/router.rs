//! Routes requests to their handlers.

use std::{borrow::Cow, net::IpAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{Method, Request, StatusCode, body::Incoming};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use super::{
    connections,
    controls::Console,
    environments, faults, guard, invocations,
    limits::{BODY_BYTES_MAX, BODY_TIMEOUT},
    reset,
    response::{self, ApiError, ApiResponse},
    stream::Stream,
    time,
};

/// Handles a request that arrived at the address `own`.
pub(super) async fn handle(
    console: &Console,
    own: IpAddr,
    request: Request<Incoming>,
) -> ApiResponse {
    route(console, own, request)
        .await
        .unwrap_or_else(|error| error.response())
}

async fn route(
    console: &Console,
    own: IpAddr,
    request: Request<Incoming>,
) -> Result<ApiResponse, ApiError> {
    let (head, body) = request.into_parts();
    guard::check(own, &head.method, &head.headers)?;
    let Console {
        gateway,
        lambda,
        broker,
        faults,
        streams: _,
    } = console;
    let path = head.uri.path();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (&*parts, head.method) {
        (["api", "connections"], Method::GET) => Ok(connections::show(gateway)),
        (["api", "connections", id], Method::POST) => {
            connections::act(gateway, &decoded(id), &read(body).await?).await
        }
        (["api", "environments"], Method::GET) => Ok(environments::show(lambda)),
        (["api", "environments", id], Method::POST) => {
            environments::act(lambda, &decoded(id), &read(body).await?)
        }
        (["api", "invocations"], Method::GET) => {
            invocations::show(lambda, broker.as_ref(), head.uri.query()).await
        }
        (["api", "stream"], Method::GET) => Stream::open(console).map(response::events),
        (["api", "faults"], Method::GET) => Ok(faults::show(faults.as_ref())),
        (["api", "faults"], Method::POST) => faults::change(faults.as_ref(), &read(body).await?),
        (["api", "time"], Method::GET) => Ok(time::show(gateway.clock())),
        (["api", "time"], Method::POST) => time::advance(gateway.clock(), &read(body).await?),
        (["api", "reset"], Method::POST) => reset::reset(console, &read(body).await?),
        (
            [
                "api",
                "connections" | "environments" | "invocations" | "stream",
            ],
            _,
        ) => Err(ApiError::method("GET")),
        (["api", "connections" | "environments", _] | ["api", "reset"], _) => {
            Err(ApiError::method("POST"))
        }
        (["api", "faults" | "time"], _) => Err(ApiError::method("GET, POST")),
        _ => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            format!("{path}: no such path (expected {PATHS})"),
        )),
    }
}

/// Percent-decodes a path segment: clients may escape the `=` of an id.
fn decoded(part: &str) -> Cow<'_, str> {
    percent_decode_str(part).decode_utf8_lossy()
}

async fn read(body: Incoming) -> Result<Bytes, ApiError> {
    let reading = Limited::new(body, BODY_BYTES_MAX).collect();
    match timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(cause)) if cause.is::<LengthLimitError>() => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {BODY_BYTES_MAX} bytes"),
        )),
        Ok(Err(cause)) => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("cannot read the body: {cause}"),
        )),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "reading the body timed out after {} s",
                BODY_TIMEOUT.as_secs()
            ),
        )),
    }
}

const PATHS: &str = "/api/connections, /api/environments, /api/invocations, /api/stream, /api/faults, /api/time or \
                     /api/reset";
