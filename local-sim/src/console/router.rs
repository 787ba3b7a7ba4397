//! Which request does what.

use std::net::IpAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{Method, Request, StatusCode, body::Incoming};
use tokio::time::timeout;

use super::{
    Console,
    answer::{Answer, Refusal},
    guard,
    limits::{BODY_BYTES_MAX, BODY_WAIT},
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
    match (head.uri.path(), head.method) {
        ("/api/time", Method::GET) => Ok(time::show(&console.clock)),
        ("/api/time", Method::POST) => time::advance(&console.clock, &read(body).await?),
        ("/api/time", _) => Err(Refusal::method("GET, POST")),
        (path, _) => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("{path}: no such path, expected /api/time"),
        )),
    }
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
