//! The `@connections` API, which posts to, describes and closes connections.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

mod path;
mod refusal;
mod response;

use std::{convert::Infallible, error::Error, io::Cursor, sync::Arc};

use bytes::BytesMut;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{
    Method, Request,
    body::{Body as _, Incoming},
    header::HOST,
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt as _, join},
    net::TcpStream,
    time::timeout,
};
use tracing::debug;

use crate::{
    api::Api,
    close::Closed,
    connection::Connection,
    http::patience::Patience,
    id::Id,
    limits::{ANSWER_WAIT, BODY_WAIT, HEAD_BYTES_MAX, KEEP_ALIVE_WAIT, MESSAGE_BYTES_MAX},
    management::{path::Target, refusal::ManagementRefusal, response::HttpResponse},
    observer::{Event, Kind},
    options::{ConnectionsAuth, InvalidUtf8, PlainGet},
    signature::Signature,
    time::now,
};

/// Serves HTTP requests on a socket. `read` is what has already been read from it.
pub(crate) async fn serve(api: Arc<Api>, socket: TcpStream, read: BytesMut) {
    let (rest, write) = socket.into_split();
    let write = Patience::new(write, ANSWER_WAIT);
    let io = TokioIo::new(join(Cursor::new(read).chain(rest), write));
    let service = service_fn(|request| {
        let api = Arc::clone(&api);
        async move { Ok::<_, Infallible>(respond(&api, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(KEEP_ALIVE_WAIT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(io, service);
    if let Err(error) = connection.await {
        debug!("@connections: {error}");
    }
}

async fn respond(api: &Api, request: Request<Incoming>) -> HttpResponse {
    let (head, body) = request.into_parts();
    let response = handle(api, &head, body).await;
    response.unwrap_or_else(|refusal| {
        refusal.log(&head.method, head.uri.path());
        refusal.to_response()
    })
}

/// Checks path, size, signature, id and quota, in this order, then handles the request.
async fn handle(
    api: &Api,
    head: &Parts,
    body: Incoming,
) -> Result<HttpResponse, ManagementRefusal> {
    let id = target(api, head)?;
    let body = read(body).await?;
    authorize(api, head, &body)?;
    let id = Id::parse(&id).ok_or_else(|| ManagementRefusal::malformed_id(&id))?;
    api.throttle
        .callback()
        .map_err(ManagementRefusal::throttled)?;
    let connection = api
        .connections
        .find(&id)
        .ok_or_else(|| ManagementRefusal::gone(&id, api.connections.is_connecting(&id)))?;
    match head.method {
        Method::POST => post(api, &connection, text(body, api.options.invalid_utf8)?),
        Method::DELETE => Ok(delete(api, &connection)),
        _ => Ok(response::description(&connection)),
    }
}

/// The connection id from the request's path, not parsed yet.
fn target(api: &Api, head: &Parts) -> Result<String, ManagementRefusal> {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| head.uri.authority().map(|authority| authority.as_str()));
    let target = path::target(&api.options, host, head.uri.path());
    match (target, &head.method) {
        (Target::Connection(id), &Method::POST | &Method::GET | &Method::DELETE) => Ok(id),
        (Target::Connection(route) | Target::NoConnection(route), method) => {
            Err(ManagementRefusal::no_route(&route, method))
        }
        (Target::Socket, &Method::GET) if api.options.plain_get == PlainGet::UpgradeRequired => {
            Err(ManagementRefusal::upgrade_required())
        }
        (Target::Socket, _) => Err(ManagementRefusal::forbidden(
            "the request does not ask for a WebSocket".to_owned(),
        )),
        (Target::Unknown { expected }, _) => Err(ManagementRefusal::forbidden(format!(
            "unknown path, expected {expected}"
        ))),
    }
}

/// Copies the body, because a queued message must not keep hyper's buffer alive.
async fn read(body: Incoming) -> Result<Vec<u8>, ManagementRefusal> {
    let length = body.size_hint().lower();
    let length = usize::try_from(length).map_or(MESSAGE_BYTES_MAX, |it| it.min(MESSAGE_BYTES_MAX));
    let mut body = Limited::new(body, MESSAGE_BYTES_MAX);
    let reading = async {
        let mut bytes = Vec::with_capacity(length);
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame?.data_ref() {
                bytes.extend_from_slice(data);
            }
        }
        Ok(bytes)
    };
    match timeout(BODY_WAIT, reading).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(cause)) => Err(body_error(cause)),
        Err(_) => {
            let why = format!("timed out after {} s", BODY_WAIT.as_secs());
            Err(ManagementRefusal::unreadable(why))
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a body yields boxed errors")]
fn body_error(cause: Box<dyn Error + Send + Sync>) -> ManagementRefusal {
    if cause.is::<LengthLimitError>() {
        ManagementRefusal::too_large()
    } else {
        ManagementRefusal::unreadable(cause.to_string())
    }
}

/// Checks the signature as strictly as the options require.
fn authorize(api: &Api, head: &Parts, body: &[u8]) -> Result<(), ManagementRefusal> {
    let auth = api.options.connections_auth;
    if auth == ConnectionsAuth::Off {
        return Ok(());
    }
    let headers = head.headers.iter().filter_map(|(name, value)| {
        let value = std::str::from_utf8(value.as_bytes()).ok()?;
        Some((name.as_str(), value))
    });
    let request = sluice_sigv4::Request {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: headers.collect(),
    };
    let signature = Signature::find(&request, now())?;
    if auth == ConnectionsAuth::Strict || signature.is_of_known_key() {
        signature.verify(&request, body)?;
    }
    Ok(())
}

/// Converts the body to text, because the client receives a text frame.
fn text(body: Vec<u8>, invalid: InvalidUtf8) -> Result<String, ManagementRefusal> {
    match (String::from_utf8(body), invalid) {
        (Ok(text), _) => Ok(text),
        (Err(error), InvalidUtf8::Replace) => {
            Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
        (Err(error), InvalidUtf8::Refuse) => Err(ManagementRefusal::unreadable(error.to_string())),
    }
}

fn post(
    api: &Api,
    connection: &Connection,
    text: String,
) -> Result<HttpResponse, ManagementRefusal> {
    let bytes = text.len();
    let posted = connection.outbound.post(text.into());
    posted.map_err(|error| ManagementRefusal::of_post(connection.id(), error))?;
    api.observe(&Event {
        kind: Kind::Post(bytes),
        connection_id: connection.id().as_str(),
        route_key: None,
        invocation: None,
        status: 200,
        error: None,
    });
    Ok(response::accepted())
}

fn delete(api: &Api, connection: &Connection) -> HttpResponse {
    api.connections.remove(connection.id());
    connection.close(Closed::deleted());
    response::no_content()
}
