//! Parses URLs and opens byte streams to them, plain or over TLS.

use std::fmt::Debug;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A plain or TLS byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Unpin> Stream for S {}

/// A parsed `http`, `https`, `ws` or `wss` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether it is `https` or `wss`.
    pub is_secure: bool,
    /// The host, with the port if the URL has one.
    pub host: String,
    /// The path and query.
    pub target: String,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Panics
    /// Panics if the scheme is not `http`, `https`, `ws` or `wss`.
    pub fn parse(text: &str) -> Self {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        assert!(
            ["http", "https", "ws", "wss"].contains(&scheme),
            "{text} is no URL of a gateway"
        );
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, target) = rest.split_at(end);
        let root = if target.starts_with('/') { "" } else { "/" };
        Self {
            is_secure: matches!(scheme, "https" | "wss"),
            host: host.to_owned(),
            target: format!("{root}{target}"),
        }
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query, without its question mark.
    pub fn query(&self) -> &str {
        self.target.split_once('?').unwrap_or_default().1
    }

    /// Connects to the host.
    ///
    /// # Panics
    /// Panics if the connection fails.
    pub async fn connect(&self) -> Box<dyn Stream> {
        let (name, port) = self.host.rsplit_once(':').unwrap_or((&self.host, ""));
        let port = port
            .parse()
            .unwrap_or(if self.is_secure { 443 } else { 80 });
        let tcp = TcpStream::connect((name, port)).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        if !self.is_secure {
            return Box::new(tcp);
        }
        let name = ServerName::try_from(name.to_owned()).unwrap();
        Box::new(tls().connect(name, tcp).await.unwrap())
    }
}

/// A TLS connector that trusts Mozilla's root certificates.
fn tls() -> TlsConnector {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, is_secure: bool, host: &str, target: &str) {
        let (host, target) = (host.to_owned(), target.to_owned());
        let expected = Url {
            is_secure,
            host,
            target,
        };
        assert_eq!(Url::parse(text), expected);
    }

    #[test]
    fn a_url_is_taken_apart() {
        check("ws://127.0.0.1:3001/dev", false, "127.0.0.1:3001", "/dev");
        check("wss://example.com", true, "example.com", "/");
        check("https://example.com?a=/", true, "example.com", "/?a=/");
        check("http://a/b/c?d", false, "a", "/b/c?d");
    }
}
