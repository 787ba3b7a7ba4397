//! A broker of Amazon MSK with IAM access control: TLS, then SASL/OAUTHBEARER with a token that is
//! verified as AWS would, then a real broker behind it.
//!
//! ```text
//!  function ── TLS ──▶ Msk ── ApiVersions ──▶ broker
//!                       │ SaslHandshake, SaslAuthenticate: answered here
//!                       └── from then on, whatever comes ──▶ broker
//! ```
//! The broker behind it has to advertise this listener's address on the listener it is reached by.

mod token;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, SubsecRound, Utc};
use kafka_protocol::messages::{
    ApiKey, RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{
    Decodable, Encodable, StrBytes, decode_request_header_from_buffer as decode_header,
};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional as copy_both,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub use self::token::Credentials;
use self::token::{Token, verify};
use crate::certificates::Identity;

/// The region that the broker is in.
pub const REGION: &str = "eu-central-1";

/// A request before authentication has this many bytes at most: the broker closes the connection
/// of whoever announces more. Kafka's own bound is 512 KiB; tokens have a few.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The mechanism that clients without Amazon's own library use.
const MECHANISM: &str = "OAUTHBEARER";

/// Kafka's SASL_AUTHENTICATION_FAILED.
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// A running listener, which stops when dropped.
#[derive(Debug)]
pub struct Msk {
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

/// A client that tried to authenticate.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its Kafka client id.
    pub client_id: String,
    /// When it connected.
    pub connected: DateTime<Utc>,
    /// When its token was signed, or why the token was refused.
    pub signed: Result<DateTime<Utc>, String>,
}

impl Attempt {
    /// Whether its token is valid and was signed after the client connected.
    pub fn is_fresh(&self) -> bool {
        let connected = self.connected.trunc_subsecs(0);
        self.signed
            .as_ref()
            .is_ok_and(|signed| *signed >= connected)
    }
}

#[derive(Debug)]
struct Shared {
    credentials: Mutex<Credentials>,
    broker: SocketAddr,
    attempts: Mutex<Vec<Attempt>>,
    cut: Notify,
}

impl Msk {
    /// Accepts clients with these credentials and forwards them to the broker at that port.
    pub fn start(
        listener: std::net::TcpListener,
        identity: &Identity,
        credentials: Credentials,
        broker: u16,
    ) -> Self {
        let shared = Arc::new(Shared {
            credentials: Mutex::new(credentials),
            broker: (Ipv4Addr::LOCALHOST, broker).into(),
            attempts: Mutex::default(),
            cut: Notify::new(),
        });
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, acceptor(identity), Arc::clone(&shared)));
        Self {
            shared,
            _serving: serving,
        }
    }

    /// All authentication attempts so far, in order.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.shared.attempts.lock().unwrap().clone()
    }

    /// From now on, accepts only tokens of these credentials.
    pub fn accept(&self, credentials: Credentials) {
        *self.shared.credentials.lock().unwrap() = credentials;
    }

    /// Closes all connections.
    pub fn cut(&self) {
        self.shared.cut.notify_waiters();
    }
}

fn acceptor(identity: &Identity) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            tokio::select! {
                // Clients may disconnect at any time, so errors are ignored.
                _ = connection(stream, acceptor, &shared) => {}
                () = shared.cut.notified() => {}
            }
        });
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: &Shared) -> io::Result<()> {
    let connected = Utc::now();
    let mut client = acceptor.accept(stream).await?;
    let mut broker = TcpStream::connect(shared.broker).await?;
    broker.set_nodelay(true)?;
    loop {
        let frame = read(&mut client).await?;
        let mut body = frame.clone();
        let header = decode_header(&mut body).map_err(io::Error::other)?;
        match ApiKey::try_from(header.request_api_key) {
            Ok(ApiKey::ApiVersions) => {
                write(&mut broker, &frame).await?;
                let answer = read(&mut broker).await?;
                write(&mut client, &answer).await?;
            }
            Ok(ApiKey::SaslHandshake) => {
                let answer = handshake(&header, body)?;
                write(&mut client, &answer).await?;
            }
            Ok(ApiKey::SaslAuthenticate) => {
                let credentials = shared.credentials.lock().unwrap().clone();
                let (answer, signed) = authenticate(&header, body, &credentials)?;
                let is_accepted = signed.is_ok();
                shared.attempts.lock().unwrap().push(Attempt {
                    client_id: header.client_id.unwrap_or_default().to_string(),
                    connected,
                    signed,
                });
                write(&mut client, &answer).await?;
                if is_accepted {
                    return copy_both(&mut client, &mut broker).await.map(|_| ());
                }
            }
            // Any other request requires authentication.
            _ => return Err(io::Error::other("not authenticated")),
        }
    }
}

/// Offers the only supported mechanism.
fn handshake(header: &RequestHeader, mut body: Bytes) -> io::Result<Bytes> {
    let version = header.request_api_version;
    SaslHandshakeRequest::decode(&mut body, version).map_err(io::Error::other)?;
    let offered = vec![StrBytes::from_static_str(MECHANISM)];
    let answer = SaslHandshakeResponse::default().with_mechanisms(offered);
    encode(ApiKey::SaslHandshake, header, &answer)
}

/// Takes a token or refuses it, and says when it was made or what is wrong with it; the client
/// is not told that.
fn authenticate(
    header: &RequestHeader,
    mut body: Bytes,
    credentials: &Credentials,
) -> io::Result<(Bytes, Result<DateTime<Utc>, String>)> {
    let version = header.request_api_version;
    let request = SaslAuthenticateRequest::decode(&mut body, version).map_err(io::Error::other)?;
    let verified = bearer(&request.auth_bytes)
        .and_then(|token| verify(token, Utc::now(), REGION, credentials));
    let signed = verified.map(|Token { signed }| signed);
    let answer = match signed {
        Ok(_) => SaslAuthenticateResponse::default(),
        Err(_) => SaslAuthenticateResponse::default()
            .with_error_code(SASL_AUTHENTICATION_FAILED)
            .with_error_message(Some(StrBytes::from_static_str("Access denied"))),
    };
    let answer = encode(ApiKey::SaslAuthenticate, header, &answer)?;
    Ok((answer, signed))
}

/// The token in a client's first message (RFC 7628, section 3.1).
fn bearer(message: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(message)
        .ok()
        .and_then(|text| text.strip_prefix("n,,\x01auth=Bearer "))
        .and_then(|text| text.strip_suffix("\x01\x01"))
        .ok_or_else(|| "the message is not that of SASL/OAUTHBEARER".to_owned())
}

fn encode(api: ApiKey, request: &RequestHeader, answer: &impl Encodable) -> io::Result<Bytes> {
    let version = request.request_api_version;
    let header = ResponseHeader::default().with_correlation_id(request.correlation_id);
    let mut frame = BytesMut::new();
    header
        .encode(&mut frame, api.response_header_version(version))
        .and_then(|()| answer.encode(&mut frame, version))
        .map_err(io::Error::other)?;
    Ok(frame.freeze())
}

/// Reads one frame, without its length.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let length = usize::try_from(stream.read_i32().await?).unwrap_or(usize::MAX);
    if length > REQUEST_BYTES_MAX {
        return Err(io::Error::other("too long"));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(frame.into())
}

/// Writes one frame, with its length.
async fn write(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let mut bytes = BytesMut::with_capacity(frame.len() + 4);
    bytes.put_i32(i32::try_from(frame.len()).map_err(io::Error::other)?);
    bytes.put_slice(frame);
    stream.write_all(&bytes).await?;
    stream.flush().await
}
