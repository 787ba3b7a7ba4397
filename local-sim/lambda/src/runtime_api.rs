//! The Runtime API. Each process has its own port, so that no other one can interfere.
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

type ApiResponse = Response<Full<Bytes>>;

/// The Runtime API for one process.
#[derive(Debug)]
pub(super) struct Api {
    listener: TcpListener,
    connections: JoinSet<()>,
}

impl Api {
    /// Binds a free port on loopback.
    pub(super) async fn bind() -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            connections: JoinSet::new(),
        })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves connections until the future is dropped.
    ///
    /// Beyond a limit, connections wait for others to close.
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
                        let name = environment.function.name();
                        warn!("{name}: cannot accept a connection to the Runtime API: {error}");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    /// Closes all connections and drops their requests.
    pub(super) async fn end(mut self) {
        self.connections.shutdown().await;
    }
}

/// Serves one connection of the process.
async fn serve(environment: Arc<Environment>, socket: TcpStream) {
    if let Err(error) = socket.set_nodelay(true) {
        debug!("Runtime API: cannot set TCP_NODELAY: {error}");
    }
    let service = service_fn(|request| {
        let environment = Arc::clone(&environment);
        async move { Ok::<_, Infallible>(respond(&environment, request).await) }
    });
    let served = http1::Builder::new()
        .max_buf_size(READ_BUFFER_MAX)
        .serve_connection(TokioIo::new(socket), service);
    if let Err(error) = served.await {
        debug!("Runtime API: {error}");
    }
}

async fn respond(environment: &Environment, request: Request<Incoming>) -> ApiResponse {
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
        // Never responds: the process gets SIGTERM at the end.
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => {
            std::future::pending().await
        }
        // Includes `/runtime/restore/…`, which exists only with SnapStart.
        (method, _) => refuse(
            StatusCode::NOT_FOUND,
            "NotFound",
            &format!("no such operation in the Runtime API: {method} {path}"),
        ),
    }
}

async fn next(environment: &Environment) -> ApiResponse {
    let response = environment
        .next(|invocation, deadline| invocation_response(environment, invocation, deadline))
        .await;
    response.unwrap_or_else(|| {
        refuse(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "the process already has its maximum of invocations and waiting polls",
        )
    })
}

fn invocation_response(
    environment: &Environment,
    invocation: &Invocation,
    deadline: SystemTime,
) -> ApiResponse {
    let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let arn = format!(
        "arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{}",
        environment.function.name()
    );
    let mut response = Response::new(Full::new(invocation.event.clone()));
    let headers = response.headers_mut();
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
    response
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: String) {
    // Always succeeds: function names, numbers and ids are visible ASCII.
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

async fn response(environment: &Environment, id: &str, body: Incoming) -> ApiResponse {
    match read(environment, body).await {
        Ok(payload) => answered(environment, id, Ok(payload)),
        Err(_) if !environment.is_in_progress(id) => unknown(id),
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
            let message = format!("cannot read the response: {cause}");
            let refusal = refuse(StatusCode::BAD_REQUEST, "InvalidResponse", &message);
            let error = InvokeError::function("Runtime.InvalidResponse", message);
            environment.answer(id, Err(error));
            refusal
        }
    }
}

fn answered(environment: &Environment, id: &str, outcome: Outcome) -> ApiResponse {
    if environment.answer(id, outcome) {
        accepted()
    } else {
        unknown(id)
    }
}

/// The error that a function reports.
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
            error_message: "the function reported no error message".to_owned(),
        }
    }
}

/// Reads a request body within the function's timeout.
///
/// Afterwards the process has been killed, or the invocation has failed.
async fn read(environment: &Environment, body: Incoming) -> Result<Bytes, BodyError> {
    let max = environment.function.configuration.timeout;
    let body = Limited::new(body, REPLY_BYTES_MAX).collect();
    let body = timeout(max, body).await??;
    Ok(body.to_bytes())
}

type BodyError = Box<dyn Error + Send + Sync>;

async fn error(environment: &Environment, id: &str, body: Incoming) -> ApiResponse {
    let error = read_error(environment, body).await;
    answered(environment, id, Err(error.into()))
}

/// Stores the init error of a process, which then exits by itself.
async fn init_error(environment: &Environment, body: Incoming) -> ApiResponse {
    let error = read_error(environment, body).await;
    environment.init_failed(error.into());
    accepted()
}

/// Registers an internal extension, with which a runtime requests SIGTERM before SIGKILL.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>
fn register(environment: &Environment, headers: &HeaderMap) -> ApiResponse {
    if !headers.contains_key("lambda-extension-name") {
        return refuse(
            StatusCode::FORBIDDEN,
            "Extension.InvalidExtensionName",
            "the header Lambda-Extension-Name is missing",
        );
    }
    environment.register_extension();
    let body = serde_json::json!({
        "functionName": environment.function.name(),
        "functionVersion": "$LATEST",
        "handler": "bootstrap",
        "accountId": ACCOUNT_ID,
    });
    let mut response = json(StatusCode::OK, body.to_string().into());
    let id = Uuid::new_v4().to_string();
    insert(response.headers_mut(), "lambda-extension-identifier", id);
    response
}

impl From<FunctionError> for InvokeError {
    fn from(error: FunctionError) -> Self {
        let error_type = &error.error_type;
        let end = error_type.floor_char_boundary(ERROR_TYPE_BYTES_MAX);
        Self::function(&error_type[..end], error.error_message)
    }
}

async fn read_error(environment: &Environment, body: Incoming) -> FunctionError {
    match read(environment, body).await {
        Ok(body) => serde_json::from_slice(&body).unwrap_or_default(),
        Err(_) => FunctionError::default(),
    }
}

fn unknown(id: &str) -> ApiResponse {
    refuse(
        StatusCode::BAD_REQUEST,
        "InvalidRequestID",
        &format!("Invalid request ID: {id}"),
    )
}

fn accepted() -> ApiResponse {
    json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.into())
}

fn refuse(status: StatusCode, error_type: &str, message: &str) -> ApiResponse {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type });
    json(status, body.to_string().into())
}

fn json(status: StatusCode, body: Bytes) -> ApiResponse {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Connections per slot: some clients poll on one connection and reply on another.
const CONNECTIONS_PER_SLOT: usize = 2;
/// Further connections of a process, for extensions and errors.
const CONNECTIONS_BESIDE: usize = 8;
/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Longer error types are truncated.
const ERROR_TYPE_BYTES_MAX: usize = 256;
/// Maximum size of a connection's read buffer.
const READ_BUFFER_MAX: usize = 64 * 1024;
