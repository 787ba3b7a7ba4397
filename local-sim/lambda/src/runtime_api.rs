//! The Runtime API, as one environment's process sees it: on a port of its own, so no other can meddle.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    convert::Infallible,
    error::Error,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    account::{ACCOUNT_ID, REGION},
    environment::Environment,
    error::InvokeError,
    invocation::{Invocation, Outcome},
    limits::REPLY_BYTES_MAX,
};

type Answer = Response<Full<Bytes>>;

/// Where an environment's process finds the Runtime API.
#[derive(Debug)]
pub(super) struct Api {
    listener: TcpListener,
    connections: JoinSet<()>,
}

impl Api {
    /// Takes a free port on loopback.
    pub(super) async fn bind() -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            connections: JoinSet::new(),
        })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves the process's connections until it is dropped. Those beyond a bound wait for others to be closed.
    pub(super) async fn serve(&mut self, environment: &Arc<Environment>) -> Infallible {
        let slots = environment.function.configuration.slots();
        let max = slots * CONNECTIONS_PER_SLOT + CONNECTIONS_BESIDE;
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if self.connections.len() < max => match accepted {
                    Ok((socket, _)) => {
                        self.connections.spawn(serve(Arc::clone(environment), socket));
                    }
                    Err(error) => {
                        // Most likely out of file descriptors: wait for some to be freed.
                        warn!("{}: Runtime API: {error}", environment.function.name());
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    /// Ends all connections, and what was asked by them.
    pub(super) async fn end(mut self) {
        self.connections.shutdown().await;
    }
}

/// Serves a connection of the environment's process.
async fn serve(environment: Arc<Environment>, socket: TcpStream) {
    if let Err(error) = socket.set_nodelay(true) {
        debug!("Runtime API: {error}");
    }
    let service = service_fn(|request| {
        let environment = Arc::clone(&environment);
        async move { Ok::<_, Infallible>(answer(&environment, request).await) }
    });
    let served = http1::Builder::new()
        .max_buf_size(READ_BUFFER_MAX)
        .serve_connection(TokioIo::new(socket), service);
    if let Err(error) = served.await {
        debug!("Runtime API: {error}");
    }
}

async fn answer(environment: &Environment, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method(), &parts[..]) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => next(environment).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            response(environment, id, request.into_body()).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
            error(environment, id, request.into_body()).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            init_error(environment, request.into_body()).await
        }
        (&Method::POST, ["2020-01-01", "extension", "register"]) => {
            register(environment, request.headers())
        }
        // The process learns of its end by SIGTERM.
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => {
            std::future::pending().await
        }
        // `/runtime/restore/…` is one of these: it is there with SnapStart only.
        (method, _) => refuse(
            StatusCode::NOT_FOUND,
            "NotFound",
            &format!("{method} {path} is not of the Runtime API"),
        ),
    }
}

async fn next(environment: &Environment) -> Answer {
    let told = environment
        .next(|invocation, deadline| invocation_answer(environment, invocation, deadline))
        .await;
    told.unwrap_or_else(|| {
        refuse(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "as many invocations are under way, or waited for, as there may be",
        )
    })
}

fn invocation_answer(
    environment: &Environment,
    invocation: &Invocation,
    deadline: SystemTime,
) -> Answer {
    let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let arn = format!(
        "arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{}",
        environment.function.name()
    );
    let mut answer = Response::new(Full::new(invocation.event.clone()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    insert(
        headers,
        "lambda-runtime-aws-request-id",
        invocation.request_id.to_string(),
    );
    insert(
        headers,
        "lambda-runtime-deadline-ms",
        since(deadline).as_millis().to_string(),
    );
    insert(headers, "lambda-runtime-invoked-function-arn", arn);
    insert(
        headers,
        "lambda-runtime-trace-id",
        trace_id(since(SystemTime::now())),
    );
    answer
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: String) {
    // Names of functions, numbers and ids are all visible ASCII.
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

fn trace_id(now: Duration) -> String {
    let random = fastrand::u128(..);
    format!(
        "Root=1-{:08x}-{:024x};Parent={:016x};Sampled=0",
        now.as_secs(),
        random >> 32,
        fastrand::u64(1..)
    )
}

async fn response(environment: &Environment, id: &str, body: Incoming) -> Answer {
    match read(environment, body).await {
        Ok(payload) => answered(environment, id, Ok(payload)),
        Err(_) if !environment.is_under_way(id) => unknown(id),
        Err(cause) if cause.is::<LengthLimitError>() => {
            let message = format!(
                "Response payload size exceeded maximum allowed payload size ({REPLY_BYTES_MAX} bytes)."
            );
            let error_type = "Function.ResponseSizeTooLarge";
            let refusal = refuse(StatusCode::PAYLOAD_TOO_LARGE, error_type, &message);
            environment.answer(id, Err(InvokeError::function(error_type, message)));
            refusal
        }
        Err(cause) => {
            let message = format!("the response broke off: {cause}");
            let refusal = refuse(StatusCode::BAD_REQUEST, "InvalidResponse", &message);
            let error = InvokeError::function("Runtime.InvalidResponse", message);
            environment.answer(id, Err(error));
            refusal
        }
    }
}

fn answered(environment: &Environment, id: &str, outcome: Outcome) -> Answer {
    if environment.answer(id, outcome) {
        accepted()
    } else {
        unknown(id)
    }
}

/// What a function says of its own failure.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FunctionError {
    error_type: String,
    error_message: String,
}

impl Default for FunctionError {
    fn default() -> Self {
        Self {
            error_type: "Unhandled".to_owned(),
            error_message: "the function failed and did not say why".to_owned(),
        }
    }
}

/// Reads a body, which may take as long as an invocation may: a process that is too slow is ended then, or has no
/// use for it.
async fn read(environment: &Environment, body: Incoming) -> Result<Bytes, BodyError> {
    let max = environment.function.configuration.timeout;
    let body = Limited::new(body, REPLY_BYTES_MAX).collect();
    let body = timeout(max, body).await??;
    Ok(body.to_bytes())
}

type BodyError = Box<dyn Error + Send + Sync>;

async fn error(environment: &Environment, id: &str, body: Incoming) -> Answer {
    let said = read_error(environment, body).await;
    answered(environment, id, Err(said.into()))
}

/// The process says that it cannot start; it ends itself after that.
async fn init_error(environment: &Environment, body: Incoming) -> Answer {
    let said = read_error(environment, body).await;
    environment.init_failed(said.into());
    accepted()
}

/// An extension inside the process: this is how a runtime asks for SIGTERM before it is killed.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>
fn register(environment: &Environment, headers: &HeaderMap) -> Answer {
    if !headers.contains_key("lambda-extension-name") {
        return refuse(
            StatusCode::FORBIDDEN,
            "Extension.InvalidExtensionName",
            "expected a header Lambda-Extension-Name",
        );
    }
    environment.register_extension();
    let body = serde_json::json!({
        "functionName": environment.function.name(),
        "functionVersion": "$LATEST",
        "handler": "bootstrap",
        "accountId": ACCOUNT_ID,
    });
    let mut answer = json(StatusCode::OK, body.to_string().into());
    let id = Uuid::new_v4().to_string();
    insert(answer.headers_mut(), "lambda-extension-identifier", id);
    answer
}

impl From<FunctionError> for InvokeError {
    fn from(said: FunctionError) -> Self {
        let error_type = &said.error_type;
        let end = error_type.floor_char_boundary(ERROR_TYPE_BYTES_MAX);
        Self::function(&error_type[..end], said.error_message)
    }
}

async fn read_error(environment: &Environment, body: Incoming) -> FunctionError {
    match read(environment, body).await {
        Ok(body) => serde_json::from_slice(&body).unwrap_or_default(),
        Err(_) => FunctionError::default(),
    }
}

fn unknown(id: &str) -> Answer {
    refuse(
        StatusCode::BAD_REQUEST,
        "InvalidRequestID",
        &format!("Invalid request ID: {id}"),
    )
}

fn accepted() -> Answer {
    json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.into())
}

fn refuse(status: StatusCode, error_type: &str, message: &str) -> Answer {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type });
    json(status, body.to_string().into())
}

fn json(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Clients of the Runtime API poll by one connection and reply by another, some of them …
const CONNECTIONS_PER_SLOT: usize = 2;
/// … and extensions and errors have theirs. A process has no more connections than these.
const CONNECTIONS_BESIDE: usize = 8;
/// The pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// An error's type is a name: what is longer is cut.
const ERROR_TYPE_BYTES_MAX: usize = 256;
/// A connection's read buffer grows to this many bytes at most.
const READ_BUFFER_MAX: usize = 64 * 1024;
