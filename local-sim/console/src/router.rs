//! Which request does what.

use std::{borrow::Cow, net::IpAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{Method, Request, StatusCode, body::Incoming};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use super::{
    answer::{self, Answer, Refusal},
    connections,
    controls::Console,
    environments, faults, guard, invocations,
    limits::{BODY_BYTES_MAX, BODY_WAIT},
    reset,
    stream::Stream,
    time,
};

/// Answers a request that came in at the address `own`.
pub(super) async fn answer(console: &Console, own: IpAddr, request: Request<Incoming>) -> Answer {
    route(console, own, request)
        .await
        .unwrap_or_else(|refusal| refusal.answer())
}

async fn route(
    console: &Console,
    own: IpAddr,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
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
        (["api", "stream"], Method::GET) => Stream::open(console).map(answer::events),
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
        ) => Err(Refusal::method("GET")),
        (["api", "connections" | "environments", _] | ["api", "reset"], _) => {
            Err(Refusal::method("POST"))
        }
        (["api", "faults" | "time"], _) => Err(Refusal::method("GET, POST")),
        _ => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("{path}: no such path, expected {PATHS}"),
        )),
    }
}

/// A part of a path, whose `=` may be escaped.
fn decoded(part: &str) -> Cow<'_, str> {
    percent_decode_str(part).decode_utf8_lossy()
}

async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    let reading = Limited::new(body, BODY_BYTES_MAX).collect();
    match timeout(BODY_WAIT, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(cause)) if cause.is::<LengthLimitError>() => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {BODY_BYTES_MAX} bytes"),
        )),
        Ok(Err(cause)) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            format!("the body cannot be read: {cause}"),
        )),
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "the body did not come within {} seconds",
                BODY_WAIT.as_secs()
            ),
        )),
    }
}

const PATHS: &str = "/api/connections, /api/environments, /api/invocations, /api/stream, /api/faults, /api/time or \
                     /api/reset";
