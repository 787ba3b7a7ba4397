//! The Runtime API, as one environment's process sees it: on a port of its own, so no other can meddle.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    convert::Infallible,
    io,
    net::Ipv4Addr,
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
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    InvokeError,
    environment::Environment,
    function::Invocation,
    variables::{ACCOUNT_ID, REGION},
};

type Answer = Response<Full<Bytes>>;

/// Takes a free port on loopback.
pub(super) async fn bind() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// Serves a connection of the environment's process.
pub(super) async fn serve(environment: Arc<Environment>, socket: TcpStream) {
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
        (&Method::POST, ["2020-01-01", "extension", "register"]) => register(environment),
        // The process learns of its end by SIGTERM.
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => {
            std::future::pending().await
        }
        (method, _) => refuse(
            StatusCode::NOT_FOUND,
            "NotFound",
            &format!("{method} {path} is not of the Runtime API"),
        ),
    }
}

async fn next(environment: &Environment) -> Answer {
    let told = environment
        .next(|invocation, timeout| invocation_answer(environment, invocation, timeout))
        .await;
    told.unwrap_or_else(|| {
        refuse(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "the invocation before has not been answered yet",
        )
    })
}

fn invocation_answer(
    environment: &Environment,
    invocation: &Invocation,
    timeout: Duration,
) -> Answer {
    let deadline = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        + timeout;
    let arn = format!(
        "arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{}",
        environment.function.configuration.name
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
        deadline.as_millis().to_string(),
    );
    insert(headers, "lambda-runtime-invoked-function-arn", arn);
    insert(
        headers,
        "lambda-runtime-trace-id",
        trace_id(deadline - timeout),
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
    let body = Limited::new(body, PAYLOAD_BYTES_MAX).collect().await;
    let Some(invocation) = environment.take(id) else {
        return unknown(id);
    };
    match body {
        Ok(payload) => {
            invocation.answer(Ok(payload.to_bytes()));
            accepted()
        }
        Err(cause) if cause.is::<LengthLimitError>() => {
            let message = format!(
                "Response payload size exceeded maximum allowed payload size ({PAYLOAD_BYTES_MAX} bytes)."
            );
            let answer = refuse(
                StatusCode::PAYLOAD_TOO_LARGE,
                "Function.ResponseSizeTooLarge",
                &message,
            );
            invocation.answer(Err(InvokeError::function(
                "Function.ResponseSizeTooLarge",
                message,
            )));
            answer
        }
        Err(cause) => {
            let message = format!("the response broke off: {cause}");
            let answer = refuse(StatusCode::BAD_REQUEST, "InvalidResponse", &message);
            invocation.answer(Err(InvokeError::function(
                "Runtime.InvalidResponse",
                message,
            )));
            answer
        }
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

async fn error(environment: &Environment, id: &str, body: Incoming) -> Answer {
    let said = read_error(body).await;
    let Some(invocation) = environment.take(id) else {
        return unknown(id);
    };
    invocation.answer(Err(InvokeError::function(
        &said.error_type,
        said.error_message,
    )));
    accepted()
}

/// The process says that it cannot start; it ends itself after that.
async fn init_error(environment: &Environment, body: Incoming) -> Answer {
    let said = read_error(body).await;
    warn!(
        "{}: init failed: {}: {}",
        environment.function.configuration.name, said.error_type, said.error_message
    );
    accepted()
}

/// An extension inside the process: this is how a runtime asks for SIGTERM before it is killed.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>
fn register(environment: &Environment) -> Answer {
    environment.register_extension();
    let body = serde_json::json!({
        "functionName": environment.function.configuration.name,
        "functionVersion": "$LATEST",
        "handler": "bootstrap",
        "accountId": ACCOUNT_ID,
    });
    let mut answer = json(StatusCode::OK, body.to_string().into());
    let id = Uuid::new_v4().to_string();
    insert(answer.headers_mut(), "lambda-extension-identifier", id);
    answer
}

async fn read_error(body: Incoming) -> FunctionError {
    match Limited::new(body, PAYLOAD_BYTES_MAX).collect().await {
        Ok(body) => serde_json::from_slice(&body.to_bytes()).unwrap_or_default(),
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

/// A payload may be this long, in either direction.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;
/// A connection's read buffer grows to this many bytes at most.
const READ_BUFFER_MAX: usize = 64 * 1024;
