//! An HTTP client for the SDK, built on hyper and rustls.
//!
//! The SDK's own clients either use AWS-LC or read the system's certificates at startup. Each takes
//! longer than the rest of a cold start.

mod pool_timer;

use std::{
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector as TcpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use self::pool_timer::PoolTimer;
use crate::delivery::POSTS_MAX;

/// Connections that were idle for longer are not reused.
///
/// The server may have closed them while the function was frozen, and each of them would cost a
/// retry.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest response body. The gateway's bodies are empty or one short sentence.
const RESPONSE_BYTES_MAX: usize = 16 * 1024;

/// An HTTP client with a connection pool.
#[derive(Clone)]
pub(crate) struct Http(Client<HttpsConnector<TcpConnector>, Full<Bytes>>);

impl Http {
    /// A client that trusts Mozilla's root certificates.
    pub(crate) fn new() -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
        Self::build(RootCertStore { roots }, PoolTimer::new(SystemTime::now))
    }

    /// A client that trusts these root certificates, with this clock for its pool.
    fn build(roots: RootCertStore, timer: PoolTimer) -> Self {
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Self(
            Client::builder(TokioExecutor::new())
                .pool_idle_timeout(IDLE_TIMEOUT)
                .pool_max_idle_per_host(POSTS_MAX)
                .pool_timer(timer)
                .build(connector),
        )
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(user)?;
        let (parts, body) = request.into_parts();
        let body = body.bytes().ok_or_else(|| user(NotInMemory))?;
        let body = Full::new(Bytes::copy_from_slice(body));
        let request = hyper::Request::from_parts(parts, body);
        let response = self.0.request(request).await.map_err(io)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await;
        let body = SdkBody::from(body.map_err(ConnectorError::io)?.to_bytes());
        let response = hyper::Response::from_parts(parts, body);
        HttpResponse::try_from(response).map_err(user)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the request body is not in memory")]
struct NotInMemory;

fn user(error: impl Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::user(error.into())
}

fn io(error: impl Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::io(error.into())
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().send(request))
    }
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http(..)")
    }
}

#[cfg(test)]
#[path = "http/tests.rs"]
mod tests;
