//! Fetches one small document over HTTP, from a server nearby.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Empty, LengthLimitError, Limited};
use hyper::{
    Request, StatusCode, Uri,
    client::conn::http1,
    header::{HOST, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::{net::TcpStream, pin, select, time::timeout};

use crate::secret::Secret;

/// Fetches the document at `uri`, with one header that identifies us.
///
/// # Errors
/// There is no such document, or it did not come in time.
pub async fn fetch(uri: &Uri, header: Option<(HeaderName, &Secret)>) -> Result<Bytes, FetchError> {
    let request = request(uri, header)?;
    timeout(FETCH_MAX, answer(uri, request))
        .await
        .unwrap_or(Err(FetchError::Timeout))
}

/// A fetch takes at most this long: enough for the extension to ask Secrets
/// Manager, and well below the time limit of connecting, so that the log names
/// this error and its variable.
const FETCH_MAX: Duration = Duration::from_millis(800);
/// A document has at most this many bytes: twice the size of a secret in
/// Secrets Manager, since JSON inside JSON grows.
const DOCUMENT_BYTES_MAX: usize = 128 * 1024;
/// The port of a URI that names none.
const HTTP_PORT: u16 = 80;

/// Why there is no document. No error quotes it, since it may be a secret.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The connection failed.
    #[error("there is no connection to {authority}")]
    Unreachable {
        /// `HOST:PORT`.
        authority: String,
        /// Why it failed.
        source: io::Error,
    },
    /// It took too long.
    #[error("no answer within {} ms", FETCH_MAX.as_millis())]
    Timeout,
    /// The answer is not HTTP, or breaks off.
    #[error("the answer is not HTTP, or breaks off")]
    Broken(#[source] hyper::Error),
    /// The answer's status is not 200.
    #[error("the answer is status {}, expected 200", .0.as_u16())]
    Status(StatusCode),
    /// The server has just been started and says so.
    #[error("the answer is that it is not ready yet")]
    NotReady,
    /// The answer is too long.
    #[error("the answer is longer than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    /// The answer is not the document that was expected.
    #[error("the answer is something else, expected {0}")]
    Unexpected(&'static str),
    /// The token holds bytes that a header must not have.
    #[error("the token to ask with cannot stand in a header")]
    Token,
    /// The file with the token cannot be read.
    #[error("the token to ask with cannot be read from {path:?}")]
    TokenFile {
        /// The file.
        path: String,
        /// Why it cannot be read.
        source: io::Error,
    },
}

impl FetchError {
    /// Whether another fetch would fail as well, at least for now.
    pub fn is_final(&self) -> bool {
        match self {
            // A server that has just been started, or is busy, answers later.
            Self::Unreachable { .. } | Self::Timeout | Self::Broken(_) | Self::NotReady => false,
            Self::Status(status) => {
                status.is_client_error()
                    && *status != StatusCode::REQUEST_TIMEOUT
                    && *status != StatusCode::TOO_MANY_REQUESTS
            }
            Self::TooLong | Self::Unexpected(_) | Self::Token | Self::TokenFile { .. } => true,
        }
    }
}

/// The answer of AWS's extension, with status 400, before it is registered
/// (Kralizek/AWSSecretsManagerConfigurationExtensions#87).
const NOT_READY: &[u8] = b"not ready to serve traffic";

fn request(
    uri: &Uri,
    header: Option<(HeaderName, &Secret)>,
) -> Result<Request<Empty<Bytes>>, FetchError> {
    let path = uri.path_and_query().cloned();
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
    let host = HeaderValue::from_str(&authority(uri)).expect("a host is ASCII");
    request.headers_mut().insert(HOST, host);
    if let Some((name, token)) = header {
        let mut value = HeaderValue::from_str(token.reveal()).map_err(|_| FetchError::Token)?;
        value.set_sensitive(true);
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

/// Whether the port of a URI, if it names one, is from 1 to 65535.
///
/// [`Uri`] accepts any other number as well, and then finds no port: the
/// scheme's default would be used in its place.
pub fn has_usable_port(uri: &Uri) -> bool {
    match uri.port() {
        Some(port) => port.as_u16() != 0,
        None => uri
            .authority()
            .is_some_and(|authority| authority.as_str().ends_with(authority.host())),
    }
}

/// `HOST:PORT`.
fn authority(uri: &Uri) -> String {
    let port = uri.port_u16().unwrap_or(HTTP_PORT);
    format!("{}:{port}", uri.host().unwrap_or_default())
}

async fn answer(uri: &Uri, request: Request<Empty<Bytes>>) -> Result<Bytes, FetchError> {
    let authority = authority(uri);
    let stream = match TcpStream::connect(&authority).await {
        Ok(stream) => stream,
        Err(source) => return Err(FetchError::Unreachable { authority, source }),
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(FetchError::Broken)?;
    let exchange = async move {
        let response = sender
            .send_request(request)
            .await
            .map_err(FetchError::Broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), DOCUMENT_BYTES_MAX);
        let body = body.collect().await.map(Collected::to_bytes);
        match status {
            StatusCode::OK => body.map_err(body_error),
            _ if body.is_ok_and(|body| body.starts_with(NOT_READY)) => Err(FetchError::NotReady),
            _ => Err(FetchError::Status(status)),
        }
    };
    pin!(exchange);
    select! {
        biased;
        done = &mut exchange => done,
        // The connection may end first: the answer is then complete, or never will be.
        _ = connection => exchange.await,
    }
}

fn body_error(error: Box<dyn std::error::Error + Send + Sync>) -> FetchError {
    match error.downcast::<hyper::Error>() {
        Ok(error) => FetchError::Broken(*error),
        Err(error) => {
            debug_assert!(error.is::<LengthLimitError>());
            FetchError::TooLong
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::fake::{Answer, Fake};

    fn uri(fake: &Fake) -> Uri {
        Uri::try_from(format!("http://127.0.0.1:{}/a?b=c", fake.port)).unwrap()
    }

    async fn check(answer: Answer) -> Result<Bytes, String> {
        let fake = Fake::answering([answer]);
        let fetched = fetch(&uri(&fake), None).await;
        assert_eq!(
            fake.requests(),
            [format!(
                "GET /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n\r\n",
                fake.port
            )]
        );
        fetched.map_err(|err| err.to_string())
    }

    fn raw(answer: &str) -> Answer {
        Answer::Raw(answer.to_owned())
    }

    #[tokio::test]
    async fn a_document_is_what_the_body_says() {
        assert_eq!(check(Answer::ok("{}")).await, Ok("{}".into()));
        assert_eq!(
            check(raw(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
            ))
            .await,
            Ok("{}".into())
        );
        assert_eq!(
            check(raw("HTTP/1.0 200 OK\r\n\r\nuntil the end")).await,
            Ok("until the end".into())
        );
    }

    #[tokio::test]
    async fn any_uri_can_be_asked() {
        for (end, path) in [("", "/"), ("?b=c", "/?b=c"), ("/a#d", "/a")] {
            let fake = Fake::answering([Answer::ok("")]);
            let uri = Uri::try_from(format!("http://u@127.0.0.1:{}{end}", fake.port)).unwrap();
            fetch(&uri, None).await.unwrap();
            assert!(
                fake.requests()[0].starts_with(&format!("GET {path} HTTP/1.1\r\n")),
                "{end}"
            );
        }
    }

    #[tokio::test]
    async fn any_other_status_is_an_error() {
        for status in [204, 302, 400, 403, 500] {
            assert_eq!(
                check(Answer::status(status)).await,
                Err(format!("the answer is status {status}, expected 200"))
            );
        }
    }

    #[tokio::test]
    async fn an_answer_is_final_unless_another_one_may_follow() {
        let is_final = async |answer| {
            let fake = Fake::answering([answer]);
            let error = fetch(&uri(&fake), None).await.expect_err("no document");
            error.is_final()
        };
        for status in [400, 401, 403, 404] {
            assert!(is_final(Answer::status(status)).await, "{status}");
        }
        for status in [408, 429, 500, 503] {
            assert!(!is_final(Answer::status(status)).await, "{status}");
        }
        let said = |text: &str| {
            let length = text.len();
            raw(&format!(
                "HTTP/1.1 400 x\r\ncontent-length: {length}\r\n\r\n{text}"
            ))
        };
        assert!(is_final(said("access denied")).await);
        assert!(!is_final(said("not ready to serve traffic, please wait")).await);
        assert!(!is_final(raw("")).await);
    }

    #[tokio::test]
    async fn an_answer_that_is_not_http_is_an_error() {
        for broken in [
            "",
            "garbage\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab",
        ] {
            assert_eq!(
                check(raw(broken)).await,
                Err("the answer is not HTTP, or breaks off".to_owned())
            );
        }
    }

    #[tokio::test]
    async fn a_document_has_a_bound() {
        let fits = "x".repeat(DOCUMENT_BYTES_MAX);
        assert_eq!(check(Answer::ok(&fits)).await, Ok(fits.clone().into()));
        let long = Err("the answer is longer than 131072 bytes".to_owned());
        assert_eq!(check(Answer::ok(&format!("{fits}x"))).await, long);
        assert_eq!(
            check(raw(&format!("HTTP/1.0 200 OK\r\n\r\n{fits}x"))).await,
            long
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_has_a_bound() {
        let fake = Fake::answering([Answer::Silence]);
        let error = fetch(&uri(&fake), None).await.expect_err("silence");
        assert_eq!(error.to_string(), "no answer within 800 ms");
    }

    #[tokio::test]
    async fn a_refused_connection_is_an_error_that_names_the_server() {
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let uri = Uri::try_from(format!("http://{closed}/")).unwrap();

        let error = fetch(&uri, None).await.expect_err("no server");

        assert_eq!(
            error.to_string(),
            format!("there is no connection to {closed}")
        );
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_a_header_is_not_shown() {
        let uri = Uri::from_static("http://127.0.0.1:1/");
        let token = Secret::new("hunter2\r\nx: y");

        let error = fetch(&uri, Some((HOST, &token)))
            .await
            .expect_err("no header");

        assert!(matches!(error, FetchError::Token));
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}
