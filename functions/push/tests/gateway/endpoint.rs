//! A small `@connections` endpoint whose responses depend on the connection's id.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{Response, body::Frame, header::HeaderValue, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

/// The endpoint. Dropping it stops the server.
pub(crate) struct Endpoint {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    _server: JoinSet<()>,
}

/// A received request, and whether its message was delivered.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) delivered: bool,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }
}

impl Endpoint {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::default();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&requests)));
        Self {
            address,
            requests,
            _server: server,
        }
    }

    /// The stage's URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/dev", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("not poisoned").clone()
    }

    /// The messages that were delivered on this path, in order.
    pub(crate) fn delivered(&self, path: &str) -> Vec<String> {
        let requests = self.requests();
        let delivered = requests.iter().filter(|it| it.delivered && it.path == path);
        delivered
            .map(|it| String::from_utf8_lossy(&it.body).into_owned())
            .collect()
    }
}

async fn serve(listener: TcpListener, requests: Arc<Mutex<Vec<Request>>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let requests = Arc::clone(&requests);
        connections.spawn(async move {
            let service = service_fn(|request| respond(request, &requests));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // Some tests close the connection, so an error is expected.
            drop(connection.await);
        });
    }
}

type Body = BoxBody<Bytes, Infallible>;

/// Responds by the connection's id. `limit=` and `drops=` fail for the first two requests only.
async fn respond(
    request: hyper::Request<hyper::body::Incoming>,
    requests: &Mutex<Vec<Request>>,
) -> Result<Response<Body>, &'static str> {
    let request = read(request).await;
    let path = request.path.clone();
    let id = path
        .strip_prefix("/dev/@connections/")
        .expect("a connection");
    let earlier = requests
        .lock()
        .expect("not poisoned")
        .iter()
        .filter(|it| it.path == path)
        .count();
    let result = match id {
        "gone%3D" => Ok((410, "")),
        "limit%3D" if earlier < 2 => Ok((429, "")),
        "error%3D" => Ok((500, "")),
        "large%3D" => Ok((413, r#"{"message":"too large"}"#)),
        "bad%3D" => Ok((400, r#"{"message":"Invalid connectionId: bad="}"#)),
        "denied%3D" => Ok((403, r#"{"message":"Forbidden"}"#)),
        "drop%3D" => Err("the connection is dropped"),
        "drops%3D" if earlier < 2 => Err("the connection is dropped"),
        _ if request.method == "DELETE" => Ok((204, "")),
        _ => Ok((200, "")),
    };
    let delivered = matches!(result, Ok((200 | 204, _)));
    let hangs = id == "hang%3D";
    requests.lock().expect("not poisoned").push(Request {
        delivered: delivered && !hangs,
        ..request
    });
    if hangs {
        std::future::pending::<()>().await;
    }
    let (status, body) = result?;
    let body = match id {
        "endless%3D" => endless(),
        _ => Full::from(body).boxed(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().expect("a status");
    if let Some(kind) = error_type(status) {
        let kind = HeaderValue::from_static(kind);
        response.headers_mut().insert("x-amzn-errortype", kind);
    }
    Ok(response)
}

/// The value of `x-amzn-errortype`, which the SDK needs to identify an error and find its message.
fn error_type(status: u16) -> Option<&'static str> {
    match status {
        400 => Some("BadRequestException"),
        403 => Some("ForbiddenException"),
        410 => Some("GoneException"),
        413 => Some("PayloadTooLargeException"),
        429 => Some("LimitExceededException"),
        _ => None,
    }
}

/// A body that never ends.
fn endless() -> Body {
    let frames = stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(&[b' '; 1024]))));
    StreamBody::new(frames).boxed()
}

async fn read(request: hyper::Request<hyper::body::Incoming>) -> Request {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| {
        (
            name.to_string(),
            value.to_str().unwrap_or_default().to_owned(),
        )
    });
    Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        headers: headers.collect(),
        body: body.collect().await.expect("a body").to_bytes().to_vec(),
        delivered: false,
    }
}
