//! A small `@connections` endpoint, which goes by the connection's id.

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

/// It listens until it is dropped.
pub(crate) struct Endpoint {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    _server: JoinSet<()>,
}

/// A request, and how it was answered.
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
        let seen = Arc::default();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&seen)));
        Self {
            address,
            seen,
            _server: server,
        }
    }

    /// The stage's URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/dev", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().expect("requests").clone()
    }

    /// The messages that were taken on this path, in order.
    pub(crate) fn delivered(&self, path: &str) -> Vec<String> {
        let requests = self.requests();
        let delivered = requests.iter().filter(|it| it.delivered && it.path == path);
        delivered
            .map(|it| String::from_utf8_lossy(&it.body).into_owned())
            .collect()
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<Request>>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let seen = Arc::clone(&seen);
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, &seen));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // A connection that breaks off is one that a test has broken off.
            drop(connection.await);
        });
    }
}

type Body = BoxBody<Bytes, Infallible>;

/// What an id is answered: for `limit=` and `drops=` the first two times only.
async fn answer(
    request: hyper::Request<hyper::body::Incoming>,
    seen: &Mutex<Vec<Request>>,
) -> Result<Response<Body>, &'static str> {
    let request = read(request).await;
    let path = request.path.clone();
    let id = path
        .strip_prefix("/dev/@connections/")
        .expect("a connection");
    let earlier = seen
        .lock()
        .expect("requests")
        .iter()
        .filter(|it| it.path == path)
        .count();
    let answered = match id {
        "gone%3D" => Ok((410, "")),
        "limit%3D" if earlier < 2 => Ok((429, "")),
        "error%3D" => Ok((500, "")),
        "large%3D" => Ok((413, r#"{"message":"too large"}"#)),
        "bad%3D" => Ok((400, r#"{"message":"Invalid connectionId: bad="}"#)),
        "denied%3D" => Ok((403, r#"{"message":"Forbidden"}"#)),
        "drop%3D" => Err("the connection breaks off"),
        "drops%3D" if earlier < 2 => Err("the connection breaks off"),
        _ if request.method == "DELETE" => Ok((204, "")),
        _ => Ok((200, "")),
    };
    let delivered = matches!(answered, Ok((200 | 204, _)));
    let is_hanging = id == "hang%3D";
    seen.lock().expect("requests").push(Request {
        delivered: delivered && !is_hanging,
        ..request
    });
    if is_hanging {
        std::future::pending::<()>().await;
    }
    let (status, body) = answered?;
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

/// By this the SDK tells errors apart, and finds their messages.
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

/// A body without an end.
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
