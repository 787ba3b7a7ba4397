//! Requests over TLS, and the connection pool.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::*;

/// A TLS server that responds to one request. Returns its URL and its certificate.
async fn server(tasks: &mut JoinSet<Option<String>>) -> (String, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a key");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let url = format!(
        "https://localhost:{}/dev",
        listener.local_addr().expect("a port").port()
    );
    tasks.spawn(async move {
        let (stream, _) = listener.accept().await.ok()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut stream = acceptor.accept(stream).await.ok()?;
        let mut head = [0; 1024];
        let length = stream.read(&mut head).await.ok()?;
        let response = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(response).await.ok()?;
        Some(String::from_utf8_lossy(&head[..length]).into_owned())
    });
    (url, cert.der().clone())
}

fn request(url: &str) -> HttpRequest {
    HttpRequest::get(url).expect("a request")
}

#[tokio::test]
async fn a_request_is_sent_to_a_server_with_a_trusted_certificate() {
    let mut tasks = JoinSet::new();
    let (url, certificate) = server(&mut tasks).await;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a certificate");

    let response = Http::build(roots, PoolTimer::new(SystemTime::now))
        .send(request(&url))
        .await
        .expect("a response");

    assert_eq!(response.status().as_u16(), 410);
    let head = tasks.join_next().await.expect("a server").expect("an end");
    assert!(head.is_some_and(|head| head.starts_with("GET /dev HTTP/1.1\r\n")));
}

#[tokio::test]
async fn a_body_that_is_not_in_memory_is_an_error() {
    let mut tasks = JoinSet::new();
    let (url, _) = server(&mut tasks).await;
    let mut request = request(&url);
    *request.body_mut() = SdkBody::taken();
    let error = Http::new().send(request).await.expect_err("no body");
    assert!(error.is_user(), "{error:?}");
}

#[tokio::test]
async fn no_request_is_sent_to_a_server_with_an_untrusted_certificate() {
    let mut tasks = JoinSet::new();
    let (url, _) = server(&mut tasks).await;
    let error = Http::new()
        .send(request(&url))
        .await
        .expect_err("not trusted");
    assert!(error.is_io(), "{error:?}");
    assert_eq!(
        tasks.join_next().await.expect("a server").expect("an end"),
        None
    );
}

/// Responds to every request, and counts connections.
async fn serve_counting(connections: Arc<AtomicUsize>, listener: TcpListener) {
    let mut tasks = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::Relaxed);
        tasks.spawn(async move {
            let mut head = [0; 1024];
            while stream.read(&mut head).await.is_ok_and(|length| length > 0) {
                let response = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(response).await.expect("a client");
            }
        });
    }
}

/// How many seconds the wall clock has advanced while the monotonic clock was stopped.
static FROZEN_SECONDS: AtomicU64 = AtomicU64::new(0);

fn wall() -> SystemTime {
    SystemTime::now() + Duration::from_secs(FROZEN_SECONDS.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_connection_that_was_idle_while_the_function_was_frozen_is_not_reused() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let url = format!("http://{}/dev", listener.local_addr().expect("a port"));
    let connections = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    tasks.spawn(serve_counting(Arc::clone(&connections), listener));
    let http = Http::build(RootCertStore::empty(), PoolTimer::new(wall));

    for (frozen, expected) in [(0, 1), (29, 1), (31, 1), (62, 2)] {
        FROZEN_SECONDS.store(frozen, Ordering::Relaxed);
        let sent = http.clone().send(request(&url)).await;
        assert_eq!(sent.expect("a response").status().as_u16(), 200);
        // A separate task returns the connection to the pool.
        tokio::task::yield_now().await;
        assert_eq!(connections.load(Ordering::Relaxed), expected, "{frozen} s");
    }
}
