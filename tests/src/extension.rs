//! A fake of the AWS Parameters and Secrets Lambda extension: one cached secret, over HTTP on
//! loopback.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html>

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::wait::PATIENCE;

/// The ARN of the extension's only secret.
pub const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:AmazonMSK_test-a1B2c3";

/// The session token that requests must carry.
pub const TOKEN: &str = "session+token/of=the+function";

/// The most bytes of a request. A longer one is truncated and refused.
const REQUEST_BYTES_MAX: u64 = 16 * 1024;

/// A running extension, which ends when dropped.
#[derive(Debug)]
pub struct Extension {
    /// The port on loopback.
    pub port: u16,
    secret: Arc<Mutex<Secret>>,
    _serving: JoinSet<()>,
}

/// A secret's value in Secrets Manager and in the extension's cache.
#[derive(Debug)]
struct Secret {
    current: String,
    cached: String,
    refreshes: usize,
}

impl Extension {
    /// Starts an extension whose secret holds this user name and password.
    pub async fn start(username: &str, password: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let login = login(username, password);
        let secret = Arc::new(Mutex::new(Secret {
            current: login.clone(),
            cached: login,
            refreshes: 0,
        }));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&secret)));
        Self {
            port,
            secret,
            _serving: serving,
        }
    }

    /// Changes the secret in Secrets Manager. The cache keeps the old value until a request with
    /// `refreshNow`.
    pub fn rotate(&self, username: &str, password: &str) {
        self.secret.lock().unwrap().current = login(username, password);
    }

    /// Number of requests that asked for a refresh.
    pub fn refreshes(&self) -> usize {
        self.secret.lock().unwrap().refreshes
    }
}

/// The secret's text in the format that MSK requires.
fn login(username: &str, password: &str) -> String {
    json!({"username": username, "password": password}).to_string()
}

async fn serve(listener: TcpListener, secret: Arc<Mutex<Secret>>) {
    // Served one at a time: requests are short and few.
    while let Ok((stream, _)) = listener.accept().await {
        // A client may disconnect or stay silent.
        let _ = timeout(PATIENCE, answer(stream, &secret)).await;
    }
}

async fn answer(mut stream: TcpStream, secret: &Mutex<Secret>) -> io::Result<()> {
    let mut lines = BufReader::new((&mut stream).take(REQUEST_BYTES_MAX)).lines();
    let target = lines.next_line().await?.unwrap_or_default();
    let mut is_known = false;
    while let Some(line) = lines.next_line().await?.filter(|line| !line.is_empty()) {
        is_known |= line.split_once(": ").is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("X-Aws-Parameters-Secrets-Token") && value == TOKEN
        });
    }
    let (status, body) = match target.split(' ').nth(1).and_then(refreshes) {
        Some(refreshes) if is_known => ("200 OK", document(secret, refreshes)),
        Some(_) => ("401 Unauthorized", String::new()),
        None => ("404 Not Found", String::new()),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all((head + &body).as_bytes()).await
}

/// Whether a request for the secret asks for a refresh; `None` for any other request.
fn refreshes(target: &str) -> Option<bool> {
    let query = target.strip_prefix("/secretsmanager/get?")?;
    let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let has = |name, value| parameters.contains(&(name, value));
    has("secretId".into(), ARN.into()).then(|| has("refreshNow".into(), "true".into()))
}

/// The response of GetSecretValue.
fn document(secret: &Mutex<Secret>, refresh: bool) -> String {
    let mut secret = secret.lock().unwrap();
    if refresh {
        secret.refreshes += 1;
        secret.cached = secret.current.clone();
    }
    json!({"ARN": ARN, "Name": "AmazonMSK_test", "SecretString": secret.cached}).to_string()
}
