//! A loopback relay between rskafka and the brokers, one per [`Connection`](crate::Connection).
//!
//! ```text
//! rskafka ─SOCKS5▶ Relay ─request──▶ TCP, NODELAY ─[TLS]▶ broker
//!                    ◀───response───
//!                    │ end of throttling, rejected credentials, session expiry,
//!                    ▼ lost connections, topics
//!                  State
//! ```
//!
//! The relay reads whole frames and edits them. It works around four limitations of rskafka, whose
//! only extension point is a proxy:
//!
//! * rskafka opens its sockets itself and leaves Nagle's algorithm on. It writes a request over
//!   8 KiB in two pieces, and the second waits for a delayed acknowledgement (40 ms).
//! * It retries a throttled Produce request, although the broker stores the records before it
//!   throttles (KIP-219).
//! * It lets brokers create each topic that a Metadata request names.
//! * It drops a broker's reason for rejecting the credentials.
//!
//! The relay also keeps the topics that rskafka lists while it connects, which saves a request.
//!
//! Any local process can connect to the relay while it runs. That process gains no access: rskafka
//! sends the credentials, the relay never does. But the relay attributes throttle times and, while
//! rskafka connects, topics to the cluster even if they are from a broker of that process's choice.
//! The processes beside a function are trusted to that extent.

mod api_versions;
mod broker_errors;
mod dial;
mod error;
mod fields;
mod frame;
mod host;
mod link;
mod metadata;
mod quickack;
mod request;
mod response;
mod sasl;
mod socks;
mod state;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::ClientConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

pub use self::{
    broker_errors::BrokerErrors,
    dial::{BrokerStream, Duplex},
    metadata::PartitionCounts,
    sasl::Refusal,
};
use self::{dial::dial, error::LinkError};
pub(crate) use self::{dial::open, frame::FRAME_BYTES_MAX, host::encode_host, state::State};

/// A running relay. Dropping it closes all of its sockets.
#[derive(Debug)]
pub(crate) struct Relay {
    /// The address that accepts SOCKS5 requests.
    pub(crate) address: SocketAddr,
    /// Facts from responses that rskafka does not expose.
    pub(crate) state: Arc<State>,
    /// The accept task, which owns all others. It ends with its connection if it serves only one.
    accepting: JoinSet<Option<BrokerStream>>,
}

impl Relay {
    /// Listens on loopback. Connects to brokers with TLS if `tls` is given.
    pub(crate) async fn start(tls: Option<Arc<ClientConfig>>) -> io::Result<Self> {
        Self::listen(tls, State::collecting_topics(), false).await
    }

    /// Like [`start`](Self::start), but accepts a single connection and then stops listening.
    pub(crate) async fn start_single(tls: Option<Arc<ClientConfig>>) -> io::Result<Self> {
        Self::listen(tls, State::default(), true).await
    }

    async fn listen(
        tls: Option<Arc<ClientConfig>>,
        state: State,
        is_single: bool,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (tls, state) = (tls.map(TlsConnector::from), Arc::new(state));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, tls, Arc::clone(&state), is_single));
        Ok(Self {
            address,
            state,
            accepting,
        })
    }

    /// The authenticated connection to the broker; `None` if it failed.
    ///
    /// Call this after dropping the rskafka client that opened it. rskafka implements the SASL
    /// mechanisms but does not expose its connections. If no request is in flight when its client
    /// is dropped, the relay's connection to the broker stays open and authenticated.
    pub(crate) async fn into_stream(mut self) -> Option<BrokerStream> {
        self.accepting.join_next().await?.ok()?
    }
}

/// The most links at once.
///
/// A link uses three file descriptors (two on loopback, one to the broker) of the 1,024 that Lambda
/// allows a process.
const LINKS_MAX: usize = 256;

/// How long to wait after `accept` fails, most likely for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

async fn accept(
    listener: TcpListener,
    tls: Option<TlsConnector>,
    state: Arc<State>,
    is_single: bool,
) -> Option<BrokerStream> {
    let mut links = JoinSet::new();
    loop {
        while links.try_join_next().is_some() {}
        let Ok((client, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let is_full = links.len() >= LINKS_MAX;
        let served = serve(client, is_full, tls.clone(), Arc::clone(&state));
        if is_single {
            drop(listener);
            return served.await;
        }
        links.spawn(async move { drop(served.await) });
    }
}

/// Serves one connection from rskafka until it ends. Returns the connection to the broker if that
/// is still open.
async fn serve(
    mut client: TcpStream,
    is_full: bool,
    tls: Option<TlsConnector>,
    state: Arc<State>,
) -> Option<BrokerStream> {
    // A peer on loopback that is not rskafka needs no response.
    let request = timeout(socks::REQUEST_TIMEOUT, socks::request(&mut client)).await;
    let broker = request.ok()??;
    let dialled = if is_full {
        Err(LinkError::TooMany(LINKS_MAX))
    } else {
        dial(tls.as_ref(), &broker).await
    };
    // The error is stored before `client` gets a reply or is closed, so that it is available when
    // rskafka fails.
    let mut upstream = match dialled {
        Ok(upstream) => upstream,
        Err(error) => {
            state.failed(&broker, error);
            // The client may have disconnected.
            let _ = socks::reply(&mut client, socks::GENERAL_FAILURE).await;
            return None;
        }
    };
    state.reached(&broker);
    let accepted = socks::reply(&mut client, socks::SUCCEEDED).await;
    accepted.ok()?;
    let ended = link::relay(&mut client, &mut upstream, &state).await;
    ended.map_err(|error| state.failed(&broker, error)).ok()?;
    Some(upstream)
}

#[cfg(test)]
mod tests;
