//! The way from the relay to a broker.

use std::{io, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    frames::FrameError,
    link,
    literal::{disguised, revealed},
    seen::{Seen, Troubles},
    socks::Broker,
};
use crate::stream::BrokerStream;

/// A broker has this long to be connected with, TLS included, and then once
/// more for its first answer. Of several brokers some may be silent, and an
/// attempt to connect must live to see the next one.
pub(super) const DIAL_MAX: Duration = Duration::from_millis(800);

/// Connects with brokers, in TLS where that is configured.
#[derive(Clone)]
pub(crate) struct Dialler {
    tls: Option<TlsConnector>,
}

impl Dialler {
    pub(crate) fn new(tls: Option<Arc<ClientConfig>>) -> Self {
        Self {
            tls: tls.map(TlsConnector::from),
        }
    }

    pub(super) async fn dial(&self, broker: &Broker) -> Result<Upstream, LinkError> {
        timeout(DIAL_MAX, self.open(broker))
            .await
            .unwrap_or(Err(LinkError::Late(DIAL_MAX)))
    }

    async fn open(&self, broker: &Broker) -> Result<Upstream, LinkError> {
        let socket = TcpStream::connect((broker.host.as_str(), broker.port))
            .await
            .map_err(LinkError::Connect)?;
        socket.set_nodelay(true).map_err(LinkError::Connect)?;
        let Some(tls) = &self.tls else {
            return Ok(Upstream::Plain(socket));
        };
        let name = ServerName::try_from(broker.host.clone())
            .map_err(|error| LinkError::Tls(io::Error::other(error)))?;
        let stream = tls.connect(name, socket).await.map_err(LinkError::Tls)?;
        Ok(Upstream::Tls(Box::new(stream)))
    }
}

/// An open connection with a broker.
pub(crate) enum Upstream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Upstream {
    /// Relays until either side ends the connection.
    pub(super) async fn relay(self, client: &mut TcpStream, seen: &Seen) -> Result<(), LinkError> {
        match self {
            Self::Plain(broker) => link::relay(client, broker, seen).await,
            Self::Tls(broker) => link::relay(client, broker, seen).await,
        }
    }
}

impl Upstream {
    /// The connection as one that its owner reads and writes.
    pub(crate) fn into_stream(self) -> BrokerStream {
        match self {
            Self::Plain(broker) => Box::pin(broker),
            Self::Tls(broker) => Box::pin(broker),
        }
    }
}

/// Connects with the broker at `HOST:PORT`, without anybody in between.
pub(crate) async fn open(
    tls: Option<Arc<ClientConfig>>,
    broker: &str,
) -> Result<BrokerStream, Troubles> {
    let seen = Seen::default();
    let told = disguised(broker);
    let (host, port) = told.rsplit_once(':').unwrap_or((&told, ""));
    let broker = Broker {
        host: revealed(host.to_owned()),
        // A port that is none cannot be connected with, which is then said.
        port: port.parse().unwrap_or(0),
    };
    let dialled = Dialler::new(tls).dial(&broker).await;
    dialled.map(Upstream::into_stream).map_err(|error| {
        seen.broke(&broker, error);
        seen.troubles()
    })
}

/// What ended a connection with a broker.
#[derive(Debug, Error)]
pub(crate) enum LinkError {
    /// TCP, or the name before it.
    #[error("cannot be connected with")]
    Connect(#[source] io::Error),
    /// Neither a connection nor a refusal.
    #[error("cannot be connected with in {} ms", .0.as_millis())]
    Late(Duration),
    /// The handshake: a certificate, a name, an alert.
    #[error("TLS failed")]
    Tls(#[source] io::Error),
    /// Connected, and then nothing.
    #[error("connected, but sent no answer in {} ms", .0.as_millis())]
    Silent(Duration),
    /// In the middle of an answer, or with requests unanswered.
    #[error("closed the connection with {0} requests unanswered")]
    Closed(usize),
    /// While requests and answers went through.
    #[error("connection lost")]
    Lost(#[source] io::Error),
    /// What went through was not Kafka's protocol as rskafka speaks it.
    #[error("not understood")]
    Frame(#[from] FrameError),
    /// There are as many connections as there may be.
    #[error("not connected with: {0} connections are open already")]
    TooMany(usize),
}
