//! Requests over TLS.

use std::net::Ipv4Addr;

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

/// A server that answers one request, and the certificate that it shows.
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
        let answer = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.ok()?;
        Some(String::from_utf8_lossy(&head[..length]).into_owned())
    });
    (url, cert.der().clone())
}

fn request(url: &str) -> HttpRequest {
    HttpRequest::get(url).expect("a request")
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_is_asked() {
    let mut tasks = JoinSet::new();
    let (url, certificate) = server(&mut tasks).await;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a certificate");

    let response = Http::trusting(roots)
        .send(request(&url))
        .await
        .expect("a response");

    assert_eq!(response.status().as_u16(), 410);
    let asked = tasks.join_next().await.expect("a server").expect("an end");
    assert!(asked.is_some_and(|head| head.starts_with("GET /dev HTTP/1.1\r\n")));
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
async fn a_server_with_any_other_certificate_is_not() {
    let mut tasks = JoinSet::new();
    let (url, _) = server(&mut tasks).await;
    let error = Http::new().send(request(&url)).await.expect_err("no trust");
    assert!(error.is_io(), "{error:?}");
    assert_eq!(
        tasks.join_next().await.expect("a server").expect("an end"),
        None
    );
}
