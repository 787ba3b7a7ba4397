//! The `@connections` API: post to a connection, look at it, close it.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

use std::{convert::Infallible, io::Cursor, sync::Arc};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue, UPGRADE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt as _, join},
    net::TcpStream,
};
use tracing::{debug, warn};

use super::{
    Gateway,
    close::Closed,
    connection::{Connection, PostError},
    id::Id,
    limits::{HEAD_BYTES_MAX, HEAD_WAIT, MESSAGE_BYTES_MAX},
    time::iso_8601,
};

type Answer = Response<Full<Bytes>>;

/// Serves requests on a socket of which `read` has been read already.
pub(super) async fn serve(gateway: Arc<Gateway>, socket: TcpStream, read: BytesMut) {
    let (rest, write) = socket.into_split();
    let io = TokioIo::new(join(Cursor::new(read).chain(rest), write));
    let service = service_fn(|request| {
        let gateway = Arc::clone(&gateway);
        async move { Ok::<_, Infallible>(answer(&gateway, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(io, service);
    tokio::select! {
        served = connection => if let Err(error) = served {
            debug!("@connections: {error}");
        },
        () = gateway.shutdown.cancelled() => {}
    }
}

async fn answer(gateway: &Gateway, request: Request<Incoming>) -> Answer {
    let method = request.method().clone();
    let id = match target(&gateway.stage.name, request.uri().path()) {
        Target::Connection(id) => id,
        Target::Malformed(id) => {
            return error(
                StatusCode::BAD_REQUEST,
                "BadRequestException",
                &format!("Invalid connectionId: {id}"),
            );
        }
        Target::Socket if method == Method::GET => return upgrade_required(),
        Target::Socket | Target::Unknown => {
            warn!(
                "{method} {}: no such path, expected /{}/@connections/{{id}}",
                request.uri().path(),
                gateway.stage.name
            );
            return error(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden");
        }
    };
    let Some(connection) = gateway.connections.find(&id) else {
        return gone();
    };
    match method {
        Method::POST => post(&connection, request.into_body()).await,
        Method::GET => get(&connection),
        Method::DELETE => {
            gateway.connections.remove(&id);
            connection.close(Closed::deleted());
            empty(StatusCode::NO_CONTENT)
        }
        other => {
            warn!("{other} on a connection: expected POST, GET or DELETE");
            error(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden")
        }
    }
}

/// What a request's path names.
#[derive(Debug, PartialEq)]
enum Target {
    Connection(Id),
    /// Not in the form of an id, for example encoded twice.
    Malformed(String),
    /// Where a WebSocket can be opened.
    Socket,
    Unknown,
}

/// Reads `/{stage}/@connections/{id}`, of which each part may be percent-encoded once.
fn target(stage: &str, path: &str) -> Target {
    let parts: Vec<_> = path
        .split('/')
        .skip(1)
        .map(|part| percent_decode_str(part).decode_utf8_lossy())
        .collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    match parts[..] {
        [name] | [name, ""] if name == stage => Target::Socket,
        [name, "@connections", id] if name == stage => {
            Id::parse(id).map_or_else(|| Target::Malformed(id.to_owned()), Target::Connection)
        }
        _ => Target::Unknown,
    }
}

async fn post(connection: &Connection, body: Incoming) -> Answer {
    match Limited::new(body, MESSAGE_BYTES_MAX).collect().await {
        // The client gets a text frame, whatever the bytes are.
        Ok(body) => queued(connection.post(text(&body.to_bytes()))),
        Err(cause) if cause.is::<LengthLimitError>() => {
            let message = format!("the message is longer than {MESSAGE_BYTES_MAX} bytes");
            error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "PayloadTooLargeException",
                &message,
            )
        }
        Err(cause) => error(
            StatusCode::BAD_REQUEST,
            "BadRequestException",
            &format!("the body cannot be read: {cause}"),
        ),
    }
}

fn text(body: &Bytes) -> String {
    String::from_utf8_lossy(body).into_owned()
}

fn queued(result: Result<(), PostError>) -> Answer {
    match result {
        Ok(()) => empty(StatusCode::OK),
        Err(PostError::Full) => typed(
            StatusCode::TOO_MANY_REQUESTS,
            "LimitExceededException",
            Bytes::new(),
        ),
        Err(PostError::Gone) => gone(),
    }
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

fn get(connection: &Connection) -> Answer {
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

/// 410 has an empty body, which is not even JSON.
fn gone() -> Answer {
    typed(StatusCode::GONE, "GoneException", Bytes::new())
}

fn upgrade_required() -> Answer {
    let status = StatusCode::UPGRADE_REQUIRED;
    let mut answer = error(status, "BadRequestException", "Upgrade Required");
    answer
        .headers_mut()
        .insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer
}

fn error(status: StatusCode, error_type: &'static str, message: &str) -> Answer {
    let mut answer = json(status, &serde_json::json!({ "message": message }));
    answer
        .headers_mut()
        .insert(ERROR_TYPE, HeaderValue::from_static(error_type));
    answer
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).expect("strings are always JSON");
    let mut answer = with_body(status, body.into());
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn typed(status: StatusCode, error_type: &'static str, body: Bytes) -> Answer {
    let mut answer = with_body(status, body);
    answer
        .headers_mut()
        .insert(ERROR_TYPE, HeaderValue::from_static(error_type));
    answer
}

fn empty(status: StatusCode) -> Answer {
    with_body(status, Bytes::new())
}

fn with_body(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer
}

/// The header by which AWS's clients tell errors apart.
const ERROR_TYPE: &str = "x-amzn-errortype";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_connection_raw_or_encoded_once() {
        let id = Target::Connection(Id::parse("R1kmxc2VNjMCFIA=").unwrap());
        assert_eq!(target("dev", "/dev/@connections/R1kmxc2VNjMCFIA="), id);
        assert_eq!(target("dev", "/dev/%40connections/R1kmxc2VNjMCFIA%3D"), id);
    }

    #[test]
    fn what_is_no_id_is_malformed() {
        let check = |path| matches!(target("dev", path), Target::Malformed(_));
        assert!(check("/dev/@connections/R1kmxc2VNjMCFIA%253D"));
        assert!(check("/dev/@connections/nobody"));
        assert!(check("/dev/@connections/"));
    }

    #[test]
    fn everything_else_is_unknown() {
        for path in [
            "/",
            "/prod/@connections/R1kmxc2VNjMCFIA=",
            "/@connections/R1kmxc2VNjMCFIA=",
            "/dev/@connections",
            "/dev/a",
        ] {
            assert_eq!(target("dev", path), Target::Unknown, "{path}");
        }
        assert_eq!(target("dev", "/dev"), Target::Socket);
        assert_eq!(target("dev", "/dev/"), Target::Socket);
    }
}
