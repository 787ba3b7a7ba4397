//! A proxy for `@connections` that refuses each request a few times before forwarding it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::wait::within;

/// The running proxy, which stops when dropped.
#[derive(Debug)]
pub struct Unwilling {
    /// The stage's URL at this proxy.
    pub url: String,
    _serving: JoinSet<()>,
}

/// The number of requests for each path.
type Counts = Arc<Mutex<BTreeMap<String, usize>>>;

impl Unwilling {
    /// Refuses requests to each path with these statuses in turn, then forwards one, and repeats.
    ///
    /// `gateway` is the gateway's port on loopback.
    pub async fn start(gateway: u16, stage: &str, statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/{stage}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, gateway, statuses));
        Self {
            url,
            _serving: serving,
        }
    }
}

async fn serve(listener: TcpListener, gateway: u16, statuses: &'static [u16]) {
    let counts = Counts::default();
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let counts = Arc::clone(&counts);
        connections.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let status = next(&counts, request.uri().path(), statuses);
                async move {
                    match status {
                        Some(status) => Ok(refusal(status)),
                        None => forward(gateway, request).await,
                    }
                }
            });
            let server = hyper::server::conn::http1::Builder::new();
            // The caller may disconnect at any time.
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

/// The status that refuses this request; `None` if the request is to be forwarded.
fn next(counts: &Counts, path: &str, statuses: &[u16]) -> Option<u16> {
    let mut counts = counts.lock().unwrap();
    let count = counts.entry(path.to_owned()).or_default();
    let turn = *count % (statuses.len() + 1);
    *count += 1;
    statuses.get(turn).copied()
}

fn refusal(status: u16) -> Response<Full<hyper::body::Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status.try_into().unwrap();
    response
}

/// Forwards a request unchanged, including its `Host` and signature.
async fn forward(
    gateway: u16,
    request: Request<Incoming>,
) -> Result<Response<Full<hyper::body::Bytes>>, hyper::Error> {
    let socket = TcpStream::connect(("127.0.0.1", gateway)).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    let mut connecting = JoinSet::new();
    connecting.spawn(connection);
    let (parts, body) = within("an answer", sender.send_request(request))
        .await?
        .into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Response::from_parts(parts, Full::new(body)))
}
